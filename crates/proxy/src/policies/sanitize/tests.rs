use std::collections::VecDeque;

use bytes::Bytes;
use http::Request;
use proptest::prelude::*;

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ sanitize: {policy} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

/// Status and body of the answer to a body of this content type that comes in these parts.
fn send_parts(policy: &str, kind: &str, parts: &[&[u8]]) -> (u16, serde_json::Value) {
    let parts: VecDeque<Bytes> = parts.iter().map(|part| Bytes::copy_from_slice(part)).collect();
    let request = Request::post("/").header("content-type", kind).body(Body::Parts(parts, None)).unwrap();
    let (head, body) = answer(&program(&configuration(policy)), request).into_parts();
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

fn send(policy: &str, kind: &str, body: &[u8]) -> (u16, serde_json::Value) {
    send_parts(policy, kind, &[body])
}

/// Whole, and byte by byte as it streams: the outcome is the same.
fn check(policy: &str, kind: &str, body: &[u8], refused: Option<&str>) {
    let streaming = policy.replacen('{', "{ read: stream, ", 1);
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    for (status, answer) in [send(policy, kind, body), send_parts(&streaming, kind, &bytes)] {
        let shown = String::from_utf8_lossy(body);
        match refused {
            None => {
                assert_eq!(status, 200, "{policy} {shown}: {answer}");
                assert_eq!(answer["body"], *shown, "{policy}");
            }
            Some(why) => {
                assert_eq!(
                    (status, answer["code"].as_str()),
                    (400, Some("sanitize.refused")),
                    "{policy} {shown}: {answer}"
                );
                assert!(answer["detail"].as_str().unwrap().contains(why), "{policy} {shown}: {answer}");
            }
        }
    }
}

#[test]
fn json_is_read() {
    for body in [
        "{}",
        "[]",
        " [ ] ",
        "0",
        "-0.5e+10",
        "1E2",
        "\"\"",
        "true",
        "[true,false,null,[],{}]",
        "{\"a\":{\"b\":[1,2,\"c\"]}}",
        "\"\\\"\\\\\\/\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
        "\"é€😀\"",
        "\"\\u0009\"",
        "\n{\t\"a\" : 1 , \"b\":2}\r\n",
    ] {
        check("{}", "application/json", body.as_bytes(), None);
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (body, why) in [
        (&b"{"[..], "too early (byte 1)"),
        (b"[1,]", "no value (byte 3)"),
        (b"{\"a\"}", "may not stand here (byte 4)"),
        (b"{\"a\":1,}", "may not stand here (byte 7)"),
        (b"[1}", "may not stand here (byte 2)"),
        (b"1 2", "something follows the value (byte 2)"),
        (b"01", "something follows"),
        (b"-", "not whole"),
        (b"1.", "not whole"),
        (b"[1e]", "not whole (byte 3)"),
        (b"tru", "too early"),
        (b"trux", "no value"),
        (b"NaN", "no value"),
        (b"'a'", "no value"),
        (b"\"a", "too early"),
        (b"\"\\x\"", "an escape that there is not"),
        (b"\"\\u00g0\"", "an escape that there is not"),
        (b"\"\\ud800\"", "surrogate"),
        (b"\"\\ud800x\"", "surrogate"),
        (b"\"\\ud800\\n\"", "surrogate"),
        (b"\"\\ud800\\u0041\"", "surrogate"),
        (b"\"\\udc00\"", "surrogate"),
        (b"\"\n\"", "not escaped (byte 1)"),
        (b"\"\xff\"", "UTF-8"),
        (b"\"\xc3(\"", "UTF-8"),
        (b"\"\xed\xa0\x80\"", "UTF-8"),
        (b"\"\xc0\x80\"", "UTF-8"),
        (b"\"\xf4\x90\x80\x80\"", "UTF-8"),
        (b"\xef\xbb\xbf{}", "no value (byte 0)"),
        (b"[0]]", "something follows"),
    ] {
        check("{}", "application/json", body, Some(why));
    }
}

#[test]
fn json_is_bounded() {
    for (policy, body, refused) in [
        ("{ json: { depth: 2 } }", "[[1],{}]", None),
        ("{ json: { depth: 2 } }", "[[[1]]]", Some("more than 2 levels (byte 2)")),
        ("{ json: { keys: 2 } }", "{\"a\":1,\"b\":{\"c\":1}}", None),
        ("{ json: { keys: 2 } }", "{\"a\":1,\"b\":2,\"c\":3}", Some("more than 2 names")),
        ("{ json: { items: 2 } }", "[1,[2,3]]", None),
        ("{ json: { items: 2 } }", "[1,2,3]", Some("more than 2 values (byte 5)")),
        ("{ json: { string: 3B } }", "{\"long\":\"abc\"}", None),
        ("{ json: { string: 3B } }", "\"abcd\"", Some("a text of more than 3 bytes")),
        ("{ json: { string: 3B } }", "\"\\u0041\"", Some("a text of more than 3 bytes")),
        ("{ json: { key: 3B } }", "{\"abcd\":1}", Some("a name of more than 3 bytes")),
        ("{ json: { number: 3 } }", "[123,-12,1.5]", None),
        ("{ json: { number: 3 } }", "1234", Some("more than 3 characters (byte 3)")),
        ("{}", "{\"a\":1,\"a\":2}", Some("a name that its object has already")),
        ("{}", "{\"a\":1,\"\\u0061\":2}", Some("a name that its object has already")),
        ("{}", "{\"😀\":1,\"\\ud83d\\ude00\":2}", Some("a name that its object has already")),
        ("{}", "{\"é\":1,\"\\u00e9\":2}", Some("a name that its object has already")),
        ("{}", "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}", None),
        ("{ json: { duplicate_keys: allow } }", "{\"a\":1,\"a\":2}", None),
    ] {
        check(policy, "application/vnd.x+json; charset=UTF-8", body.as_bytes(), refused);
    }
}

#[test]
fn control_characters_are_refused_stripped_or_let_pass() {
    for (kind, body, clean, why) in [
        ("application/json", "{\"a\\u0000b\":\"c\\bd\\u001f\\u007f\\u0085e\"}", "{\"ab\":\"cde\"}", "U+0000 (byte 3)"),
        ("application/json", "\"\u{7f}a\u{85}b\u{e9}\"", "\"ab\u{e9}\"", "U+007F (byte 1)"),
        ("text/xml", "<a>x&#7;y&#x0007;&#0;&#9;&amp;</a>", "<a>xy&#9;&amp;</a>", "U+0007 (byte 4)"),
        ("text/xml", "<a b='\u{1}&#1;c'/>", "<a b='c'/>", "U+0001 (byte 6)"),
    ] {
        check("{}", kind, body.as_bytes(), Some(why));
        check("{ control: allow }", kind, body.as_bytes(), None);
        let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        for (policy, parts) in [
            ("{ control: strip }", vec![body.as_bytes()]),
            ("{ control: strip, read: stream }", vec![body.as_bytes()]),
            ("{ control: strip, read: stream }", bytes),
        ] {
            let (status, answer) = send_parts(policy, kind, &parts);
            assert_eq!((status, answer["body"].as_str()), (200, Some(clean)), "{policy} {body:?}: {answer}");
        }
    }
    // What is stripped makes no name another.
    check("{ control: strip }", "application/json", br#"{"a":1,"\u0000a":2}"#, Some("has already"));
}

#[test]
fn xml_is_read_and_bounded() {
    for (policy, body, refused) in [
        ("{}", "<a/>", None),
        (
            "{}",
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- - > --><a b=\"1>2\" c='\"'>t<b/><![CDATA[<x>]]]></a>\n",
            None,
        ),
        ("{}", "<a><?php echo '>' ?></a><!--e-->", None),
        ("{}", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", Some("a document type or entity (byte 2)")),
        ("{}", "<?xml version='1.0'?><!doctype a><a/>", Some("a document type")),
        ("{}", "<a><!ENTITY x 'y'></a>", Some("a document type or entity")),
        ("{}", "<?xml version='1.0' encoding='UTF-7'?><a/>", Some("an encoding")),
        ("{}", "<?xml version='1.0' encoding = 'iso-8859-1' ?><a/>", None),
        ("{}", "+ADw-a/+AD4-", Some("other than UTF-8 (byte 0)")),
        ("{}", "<a>", Some("too early")),
        ("{}", "<a></a></b>", Some("an end tag without its start")),
        ("{}", "<a/><b/>", Some("a second root element")),
        ("{}", "<a b='<'/>", Some("in an attribute")),
        ("{}", "<a <b/>", Some("in a tag")),
        ("{}", "< a/>", Some("begins nothing")),
        ("{}", "<!-- -->", Some("too early")),
        ("{ xml: { depth: 2 } }", "<a><b/><c></c></a>", None),
        ("{ xml: { depth: 2 } }", "<a><b><c/></b></a>", Some("more than 2 levels (byte 7)")),
        ("{ xml: { attributes: 1 } }", "<a b='=='/>", None),
        ("{ xml: { attributes: 1 } }", "<a b='1' c='2'/>", Some("more than 1 attributes")),
        ("{ xml: { text: 4B } }", "<a>abc</a>", None),
        ("{ xml: { text: 4B } }", "<a>abcde</a>", Some("more than 4 bytes")),
    ] {
        check(policy, "application/xml", body.as_bytes(), refused);
    }
    for body in [&b"\xff\xfe<\0a\0/\0>\0"[..], b"<\0a\0/\0>\0", b"\0<\0a\0/\0>"] {
        for policy in ["{}", "{ control: allow }", "{ control: strip }"] {
            assert_eq!(send(policy, "application/xml", body).0, 400, "{policy} {body:?}");
        }
    }
}

#[test]
fn what_cannot_be_looked_into_is_refused_and_what_is_not_named_passes() {
    let odd = "{ odd";
    for (policy, kind, encoding, body, expected) in [
        ("{}", "application/json", "gzip", "{}", 415),
        ("{}", "application/json", "identity", "{}", 200),
        ("{}", "application/xml; charset=utf-16", "identity", "<a/>", 415),
        ("{}", "application/xml; charset=\"utf-8\"", "identity", "<a/>", 200),
        ("{}", "text/plain", "gzip", odd, 200),
        ("{ json: { types: [] } }", "application/json", "identity", odd, 200),
        ("{ json: { types: [text/plain] } }", "text/plain", "identity", odd, 400),
        ("{ max_size: 4B }", "application/json", "identity", "[1234]", 413),
        ("{ max_size: 4B, read: stream }", "application/json", "identity", "[1234]", 200),
    ] {
        let request = Request::post("/").header("content-type", kind).header("content-encoding", encoding);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let status = answer(&program(&configuration(policy)), request).status().as_u16();
        assert_eq!(status, expected, "{policy} {kind} {encoding}");
    }
}

proptest! {
    /// What serde_json takes is taken, what it refuses is refused: but for what it does not look at.
    #[test]
    fn json_is_what_serde_json_takes(text in "[\\[\\]{}\",:0-2.eE+\\-tru\\\\ua-c ]{0,12}") {
        let mut scan = super::scan::Scan::new(super::scan::Scanner::Json(super::json::Json::new(std::sync::Arc::new(
            super::Rules {
                json: super::JsonSpec { duplicate_keys: super::spec::DuplicateKeys::Allow, ..Default::default() },
                xml: super::XmlSpec::default(),
                control: super::Control::Allow,
            },
        ))));
        let mut out = VecDeque::new();
        let text = format!("{text} ");
        let taken = crate::exchange::Transform::push(&mut scan, Bytes::from(text.clone()), &mut out)
            .and_then(|()| crate::exchange::Transform::finish(&mut scan, &mut out));
        let known = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        prop_assert_eq!(taken.is_ok(), known.is_ok(), "{}", text);
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ json: { depth: 0 } }", "from 1 to 1000"),
        ("{ json: { keys: 1000001 } }", "up to 1000000"),
        ("{ json: { key: 1MiB } }", "up to 64KiB"),
        ("{ json: { types: [json] } }", "not a content type"),
        ("{ xml: { doctype: allow } }", "doctype"),
        ("{ control: escape }", "escape"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
