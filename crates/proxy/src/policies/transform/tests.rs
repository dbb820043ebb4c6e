use std::collections::VecDeque;

use bytes::Bytes;
use http::{Request, Response};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::path::Path;
use super::tree::Tree;
use super::{form, parse, xml};
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(policy: &str, to: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ transform: {policy} }}, to: {to} }}]
"#
    )
}

/// What an upstream gets of a request body of this content type that comes in these parts.
fn send_parts(policy: &str, kind: &str, parts: &[&[u8]]) -> (u16, Value) {
    let parts: VecDeque<Bytes> = parts.iter().map(|part| Bytes::copy_from_slice(part)).collect();
    let request = Request::post("/p?q=7").header("content-type", kind).body(Body::Parts(parts, None)).unwrap();
    let (head, body) = answer(&program(&configuration(policy, "{ echo: {} }")), request).into_parts();
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

fn send(policy: &str, kind: &str, body: &str) -> (u16, Value) {
    send_parts(policy, kind, &[body.as_bytes()])
}

/// What a client gets of an answer with this content type and body.
fn receive(policy: &str, status: u16, kind: &str, body: &str) -> Response<Bytes> {
    let body = serde_json::to_string(body).unwrap();
    let to = format!(
        r#"{{ respond: {{ status: {status}, headers: {{ content-type: "{kind}", etag: '"1"' }}, body: {body} }} }}"#
    );
    answer(&program(&configuration(policy, &to)), Request::get("/").body(Body::Empty).unwrap())
}

/// The document as changed by this list of changes.
fn changed(changes: &str, document: &str) -> String {
    let (status, answer) = send(&format!("{{ request: {{ map: {changes} }} }}"), "application/json", document);
    assert_eq!(status, 200, "{changes}: {answer}");
    answer["body"].as_str().unwrap_or("").to_owned()
}

#[test]
fn documents_are_changed_as_declared() {
    for (changes, before, after) in [
        // Order and writing stay.
        (
            "[remove: [b]]",
            r#"{ "z": 1.10, "b": 2, "a": "\u00e9/\/", "n": 12345678901234567890123 }"#,
            r#"{"z":1.10,"a":"\u00e9/\/","n":12345678901234567890123}"#,
        ),
        ("[remove: ['a.*.b', c]]", r#"{"a":[{"b":1,"c":2},{"b":3},4],"c":[]}"#, r#"{"a":[{"c":2},{},4]}"#),
        ("[remove: ['a.0', 'b\\.c']]", r#"{"a":[1,2],"b.c":3,"b":{"c":4}}"#, r#"{"a":[2],"b":{"c":4}}"#),
        ("[remove: [a]]", r#"{"a":1,"a":2,"\u0061":3}"#, "{}"),
        (
            "[select: [a, 'b.c', 'l.*.x']]",
            r#"{"b":{"c":1,"d":2},"l":[{"x":1,"y":2},3,{"y":1}],"e":5,"a":{"b":1}}"#,
            r#"{"b":{"c":1},"l":[{"x":1},{}],"a":{"b":1}}"#,
        ),
        ("[select: ['*.id']]", r#"[{"id":1,"x":2},{"id":3}]"#, r#"[{"id":1},{"id":3}]"#),
        ("[select: [a]]", "5", "null"),
        ("[rename: { a: b }]", r#"{"x":1,"a":2,"b":3,"y":4}"#, r#"{"x":1,"b":2,"y":4}"#),
        ("[rename: { '*.a': b }]", r#"[{"a":1},{"c":1}]"#, r#"[{"b":1},{"c":1}]"#),
        ("[move: { a.b: c }]", r#"{"a":{"b":1,"x":2}}"#, r#"{"a":{"x":2},"c":1}"#),
        ("[move: { a: x.y.z }]", r#"{"a":[1]}"#, r#"{"x":{"y":{"z":[1]}}}"#),
        (
            "[move: { 'l.*.p.net': 'l.*.net' }]",
            r#"{"l":[{"p":{"net":1}},{"p":{}}]}"#,
            r#"{"l":[{"p":{},"net":1},{"p":{}}]}"#,
        ),
        ("[copy: { a: b }]", r#"{"a":{"x":1}}"#, r#"{"a":{"x":1},"b":{"x":1}}"#),
        ("[set: { a: 1, 'b.c': [x, null, 1.5] }]", r#"{"a":{"x":1}}"#, r#"{"a":1,"b":{"c":["x",null,1.5]}}"#),
        ("[set: { '*.k': true }]", r#"[{},{"k":0}]"#, r#"[{"k":true},{"k":true}]"#),
        ("[set: { 'a.1': 9 }]", r#"{"a":[1,2,3]}"#, r#"{"a":[1,9,3]}"#),
        ("[default: { a: 1, b: 2, c: 3 }]", r#"{"a":0,"b":null}"#, r#"{"a":0,"b":2,"c":3}"#),
        (
            "[compute: { q: 'request.query.q', m: 'request.method', n: 'size(request.method) + 1', no: 'request.query.none' }]",
            "{}",
            r#"{"q":"7","m":"POST","n":5}"#,
        ),
        ("[flatten: {}]", r#"{"a":{"b":{"c":1},"d":[{"e":1}]},"f":{}}"#, r#"{"a_b_c":1,"a_d":[{"e":1}],"f":{}}"#),
        (
            "[flatten: { at: a, separator: '.' }]",
            r#"{"a":{"b":{"c":1}},"d":{"e":1}}"#,
            r#"{"a":{"b.c":1},"d":{"e":1}}"#,
        ),
        ("[flatten: { at: a }]", r#"{"a":[[1,[2]],3]}"#, r#"{"a":[1,[2],3]}"#),
        (
            "[filter: { at: l, keep: [{ path: s, equals: on }] }]",
            r#"{"l":[{"s":"on"},{"s":"off"},{},{"s":"\u006fn"}]}"#,
            r#"{"l":[{"s":"on"},{"s":"\u006fn"}]}"#,
        ),
        (
            "[filter: { at: '', keep: [{ path: n, above: 1, below: 5 }] }]",
            r#"[{"n":1},{"n":1.5},{"n":"3"},{"n":5e0},{"n":49e-1}]"#,
            r#"[{"n":1.5},{"n":49e-1}]"#,
        ),
        (
            "[filter: { at: '', keep: [{ not: 1 }, { exists: true }, { one_of: [1, 2, a] }] }]",
            r#"[1,1.0,2,null,"a","b"]"#,
            r#"[2,"a"]"#,
        ),
        ("[{ rename: { a: b } }, { set: { c: 1 } }, { move: { b: d } }]", r#"{"a":2}"#, r#"{"c":1,"d":2}"#),
    ] {
        assert_eq!(changed(changes, before), after, "{changes}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let policy = "{ request: { from: [json, xml], map: [remove: [a]] } }";
    for (kind, body, place) in [
        ("application/json", "{\n  \"a\": 1,\n  b}", "no name at line 3, column 3 (byte 14)"),
        ("application/json", "[1, 2", "too early at line 1, column 6 (byte 5)"),
        ("application/json", "\"é\" x", "something after the value at line 1, column 5 (byte 5)"),
        ("application/json", "[01]", "no `,` or `]`"),
        ("application/json", "\"\\ud800\"", "surrogate"),
        ("application/xml", "<a><b></a>", "not well-formed"),
        ("application/xml", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "a document type at line 1, column 1"),
        ("text/xml; charset=utf-8", "<a>&x;</a>", "entity that is not XML's own"),
        ("application/soap+xml", "<a/><b/>", "second root"),
        ("application/xml", "", ""),
    ] {
        let (status, answer) = send(policy, kind, body);
        if body.is_empty() {
            assert_eq!(status, 200, "there is nothing to be read");
            continue;
        }
        assert_eq!((status, answer["code"].as_str()), (400, Some("transform.malformed")), "{body}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(place), "{body}: {answer}");
    }
    assert_eq!(send_parts(policy, "application/json", &[b"\"\xff\""]).0, 400);
    let (status, answer) = send(policy, "application/json; charset=utf-16", "{}");
    assert_eq!((status, answer["code"].as_str()), (415, Some("transform.unreadable")));
    let (status, answer) = send("{ request: { map: [remove: [a]], max_size: 4B } }", "application/json", "[1,2,3]");
    assert_eq!((status, answer["code"].as_str()), (413, Some("transform.too_large")));
}

#[test]
fn other_content_types_pass() {
    let policy = "{ request: { map: [remove: [a]] } }";
    for kind in ["text/plain", "application/xml", "application/jsonx"] {
        let (status, answer) = send_parts(policy, kind, &[b"{\"a\"", b":1}"]);
        assert_eq!((status, answer["body"].as_str()), (200, Some("{\"a\":1}")), "{kind}");
    }
    let (_, answer) = send_parts(policy, "application/problem+json", &[b"{\"a\"", b":1, \"b\":2}"]);
    assert_eq!(answer["body"], "{\"b\":2}", "in parts as well");
    assert_eq!(answer["headers"]["content-length"], json!("7"));
}

#[test]
fn templates_see_the_document() {
    let policy = r#"{ request: { from: [json, form], map: [remove: [secret]],
        template: '{"n": {{ body.items | length }}, "first": "{{ body.items[0].name }}", "all": {{ body }}, "by": "{{ request.method }}"}' } }"#;
    let document = r#"{"items": [{"name": "a\"b", "x": 1}, 2.5], "secret": 1}"#;
    let (status, answer) = send(policy, "application/json", document);
    assert_eq!(status, 200, "{answer}");
    let made: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let all = json!({ "items": [{ "name": "a\"b", "x": 1 }, 2.5] });
    assert_eq!(made, json!({ "n": 2, "first": "a\"b", "all": all, "by": "POST" }));
    let text = "{ request: { template: 'Hi {{ body.name }}', content_type: text/plain } }";
    let (_, answer) = send(text, "application/json", r#"{"name": "you"}"#);
    assert_eq!((&answer["body"], &answer["headers"]["content-type"]), (&json!("Hi you"), &json!("text/plain")));
}

#[test]
fn xml_and_forms_become_json_and_json_becomes_xml() {
    let order = r#"<?xml version="1.0"?>
<o:order xmlns:o="urn:o" id="7">
  <!-- a comment --><item>a &amp; b</item><note lang="en">x<![CDATA[<y>]]></note><empty/><blank a="1"/>
</o:order>"#;
    let json = json!({ "o:order": { "@xmlns:o": "urn:o", "@id": "7", "item": ["a & b"],
        "note": { "@lang": "en", "#text": "x<y>" }, "empty": null, "blank": { "@a": "1" } } });
    let policy = r"{ request: { from: [xml], xml: { arrays: ['o:order.item'] } } }";
    let (status, answer) = send(policy, "application/xml", order);
    assert_eq!((status, &answer["headers"]["content-type"]), (200, &json!("application/json")), "{answer}");
    assert_eq!(serde_json::from_str::<Value>(answer["body"].as_str().unwrap()).unwrap(), json);

    let (_, answer) =
        send("{ request: { from: [form] } }", "application/x-www-form-urlencoded", "a=1&b=x+y%26&a=2&c&=");
    assert_eq!(answer["body"], r#"{"a":["1","2"],"b":"x y&","c":"","":""}"#);

    let to_xml = "{ request: { to: xml } }";
    let (_, answer) = send(to_xml, "application/json", r##"{"a":{"@id":1,"b":[true,null,"<&>"],"#text":"t"}}"##);
    assert_eq!(
        answer["body"],
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a id=\"1\"><b>true</b><b/><b>&lt;&amp;&gt;</b>t</a>"
    );
    assert_eq!(answer["headers"]["content-type"], "application/xml");
    let rooted = "{ request: { to: xml, xml: { root: r } } }";
    let (_, answer) = send(rooted, "application/json", r#"{"a":1,"b":2}"#);
    assert!(answer["body"].as_str().unwrap().ends_with("<r><a>1</a><b>2</b></r>"));
    for (policy, body, why) in [
        (to_xml, r#"{"a":1,"b":2}"#, "one root"),
        (to_xml, r#"{"a b":1}"#, "cannot be the name"),
        (to_xml, r#"{"a":{"@b":{}}}"#, "is no text"),
        (to_xml, r#"{"a":"\u0001"}"#, "no place for the character U+0001"),
        (rooted, "[1]", "an array cannot be the root"),
    ] {
        let (status, answer) = send(policy, "application/json", body);
        assert_eq!((status, answer["code"].as_str()), (400, Some("transform.malformed")), "{body}");
        assert!(answer["detail"].as_str().unwrap().contains(why), "{answer}");
    }
}

#[test]
fn answers_are_changed_and_what_tells_of_the_bytes_is_too() {
    let policy = "{ response: { map: [compute: { s: response.status }] } }";
    let answer = receive(policy, 200, "application/json", "{}");
    assert_eq!(&answer.body()[..], br#"{"s":200}"#);
    assert_eq!(
        (&answer.headers()["etag"], &answer.headers()["content-length"]),
        (&"W/\"1\"".parse().unwrap(), &"9".parse().unwrap())
    );
    assert_eq!(&receive(policy, 404, "application/json", "{}").body()[..], b"{}", "errors pass");
    let errors = policy.replacen('{', "{ errors: transform, ", 1);
    assert_eq!(&receive(&errors, 404, "application/json", "{}").body()[..], br#"{"s":404}"#);
    assert_eq!(&receive(policy, 200, "text/plain", "{}").body()[..], b"{}");
    let broken = receive(policy, 200, "application/json", "{");
    let problem: Value = serde_json::from_slice(broken.body()).unwrap();
    assert_eq!((broken.status().as_u16(), &problem["code"]), (502, &json!("transform.bad_response")));
    assert!(problem["detail"].as_str().unwrap().contains("line 1, column 2"), "{problem}");
}

#[test]
fn outer_levels_come_first_on_requests() {
    let text = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis:
  - name: a
    policies: { transform: { request: { map: [rename: { a: b }] } } }
    routes: [{ policies: { transform: { request: { map: [rename: { b: c }] } } }, to: { echo: {} } }]
"#;
    let request =
        Request::post("/").header("content-type", "application/json").body(Body::from("{\"a\":1}".to_owned()));
    let answer: Value = serde_json::from_slice(answer(&program(text), request.unwrap()).body()).unwrap();
    assert_eq!(answer["body"], "{\"c\":1}");
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "nothing is changed"),
        ("{ request: {} }", "JSON stays JSON"),
        ("{ request: { from: [] } }", "nothing is read"),
        ("{ request: { map: [remove: ['a..b']] } }", "empty"),
        ("{ request: { map: [remove: ['a.*']] } }", "does not end with a name"),
        ("{ request: { map: [rename: { a: b.c }] } }", "new name is asked for"),
        ("{ request: { map: [move: { 'a.*.b': c }] } }", "is not in the other"),
        ("{ request: { map: [move: { a: a.b }] } }", "into itself"),
        ("{ request: { map: [compute: { a: response.status }] } }", "not known here"),
        ("{ request: { map: [filter: { at: a, keep: [] }] } }", "no condition"),
        ("{ request: { template: '{{ bodies.a }}' } }", "unknown name"),
        ("{ request: { template: '{{ body.a' } }", "template"),
        ("{ request: { template: x, to: xml } }", "writes what it says"),
        ("{ request: { to: xml, xml: { arrays: ['a.*'] } } }", "no element"),
    ] {
        let problems = try_program(&configuration(policy, "{ echo: {} }"), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}

#[test]
fn what_changes_make_is_bounded() {
    let copies: Vec<String> =
        (0..30).map(|at| format!("{{ copy: {{ a: 'a{at}' }} }}, {{ move: {{ 'a{at}': 'a.x{at}' }} }}")).collect();
    let copies = format!("{{ request: {{ map: [{}] }} }}", copies[..16].join(", "));
    let large: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
    let (status, answer) = send(&copies, "application/json", &format!("{{\"a\":{{\"b\":[{}]}}}}", large.join(",")));
    assert_eq!((status, answer["code"].as_str()), (413, Some("transform.too_large")), "{answer}");
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    assert!(parse::json(&deep).is_err());
    let deep = "<a>".repeat(10_000) + &"</a>".repeat(10_000);
    assert!(xml::read(&deep, &[]).is_err());
    let fields = "a=&".repeat(2_000);
    assert!(form::read(&fields).is_err());
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "[ -~é€😀\\n\"\\\\]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-d\"\\\\é]{1,2}", inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn written(tree: &Tree<'_>) -> String {
    let mut out = Vec::new();
    tree.write(&mut out, usize::MAX).unwrap();
    String::from_utf8(out).unwrap()
}

/// A document that XML has: elements with texts, attributes and elements.
fn elements() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), "[ -~é\\n]{1,6}".prop_map(Value::from)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let one = prop_oneof![inner.clone(), prop::collection::vec(inner, 2..4).prop_map(Value::from)];
        prop::collection::btree_map("[a-c]", one, 1..4).prop_map(|entries| {
            let flat = |value: Value| match value {
                // An array of arrays is one of elements.
                Value::Array(items) if items.iter().any(Value::is_array) => Value::Null,
                other => other,
            };
            Value::Object(entries.into_iter().map(|(name, value)| (name, flat(value))).collect())
        })
    })
}

proptest! {
    #[test]
    fn json_is_read_as_serde_reads_it(text in "[\\[\\]{}:,\"\\\\ud8c0-9eE.+\\-a truefalsn\\n]{0,24}") {
        let known = serde_json::from_str::<Value>(&text);
        let read = parse::json(&text);
        // A number too large for serde is one all the same.
        let large = known.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(large || known.is_ok() == read.is_ok(), "{text:?}: {known:?} {read:?}");
    }

    #[test]
    fn nothing_is_lost_of_what_is_not_changed(document in documents(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let tree = parse::json(&text).unwrap();
        prop_assert_eq!(written(&tree), serde_json::to_string(&document).unwrap());
        prop_assert!(tree.equals(&Tree::of(&document)));
    }

    #[test]
    fn what_is_removed_is_gone_and_all_else_stays(document in documents(), name in "[a-d]") {
        let text = serde_json::to_string(&document).unwrap();
        let after: Value = serde_json::from_str(&changed(&format!("[remove: ['{name}']]"), &text)).unwrap();
        let mut expected = document;
        if let Value::Object(entries) = &mut expected {
            entries.shift_remove(&name);
        }
        prop_assert_eq!(after, expected);
    }

    #[test]
    fn xml_comes_back(document in elements()) {
        let document = json!({ "root": document });
        let made = xml::write(&Tree::of(&document), None, usize::MAX).unwrap();
        let text = String::from_utf8(made).unwrap();
        let read = xml::read(&text, &[]).unwrap();
        let again: Value = serde_json::from_str(&written(&read)).unwrap();
        prop_assert_eq!(again, document, "{}", text);
    }

    #[test]
    fn paths_never_fail(text in "[a-c.*\\\\0-9]{0,12}", document in documents()) {
        if let Ok(path) = Path::parse(&text) {
            let mut tree = Tree::of(&document);
            super::path::each_made(&mut tree, &path.0, &mut |found| *found = Tree::NULL);
            let mut seen = 0;
            super::path::each(&mut tree, &path.0, &mut |_| seen += 1);
            prop_assert!(seen <= 40);
        }
    }

    #[test]
    fn readers_never_panic(text in any::<String>()) {
        let _ = parse::json(&text);
        let _ = xml::read(&text, &[]);
        let _ = form::read(&text);
    }
}
