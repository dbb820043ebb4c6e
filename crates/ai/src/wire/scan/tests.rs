use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Edit, HideUsage, Scan, Tap, answer_usage};
use crate::translate::Format;

fn scan(text: &str) -> Scan {
    Scan::of(Bytes::copy_from_slice(text.as_bytes())).unwrap_or_else(|refused| panic!("{text}: {refused}"))
}

const REQUEST: &str = r#" { "model" : "gpt-\u0035", "stream":true,"max_tokens": 77,
    "messages":[{"role":"user","content":"a \"model\": \"x\" ]}"},{"role":"user","content":["{",{"a":[]}]}],
    "stream_options":{"include_usage":true}, "user": "u", "metadata":{"model":"inner"}, "n": null } "#;

#[test]
fn fields_of_the_top_are_found() {
    let scan = scan(REQUEST);
    assert_eq!(scan.model().unwrap(), "gpt-5");
    assert!(scan.stream() && scan.include_usage());
    assert_eq!((scan.max_tokens(), scan.messages()), (Some(77), 2));
    assert_eq!(scan.string("user").unwrap(), "u");
    assert_eq!(scan.value("metadata"), Some(json!({"model": "inner"})));
    assert_eq!(scan.raw("absent"), None);
}

#[test]
fn what_readers_could_read_otherwise_is_refused() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(129), "]".repeat(129));
    let many: Vec<String> = (0..129).map(|n| format!("\"k{n}\":1")).collect();
    let many = format!("{{{}}}", many.join(","));
    let cases = [
        r#"{"model":"a","model":"b"}"#,
        r#"{"model":"a","Model":"b"}"#,
        r#"{"mod\u0065l":"a"}"#,
        r#"{"a":1"#,
        r#"{"a":[1}}"#,
        r#"{"a":"x}"#,
        r#"{"a":1}{"#,
        r#"{"a" 1}"#,
        r#"{"a":tru}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"["a"]"#,
        r#""a""#,
        "",
        "{\"a\":\"\\",
        &deep,
        &many,
    ];
    for text in cases {
        assert!(Scan::of(Bytes::copy_from_slice(text.as_bytes())).is_err(), "{text}");
    }
    assert!(Scan::of(Bytes::from_static(b"{\"a\":\"\xff\"}")).is_err());
}

#[test]
fn elements_are_counted() {
    for (text, count) in
        [("[]", 0), ("[ ]", 0), ("[1]", 1), ("[[]]", 1), ("[{},{}]", 2), ("[\"a,b\",2,[3,4]]", 3), ("\"x\"", 0)]
    {
        assert_eq!(scan(&format!("{{\"messages\":{text}}}")).messages(), count, "{text}");
    }
}

#[test]
fn edits_leave_every_other_byte() {
    let found = scan(REQUEST);
    let out = String::from_utf8(found.edited(&[("model", Edit::Set("\"m\"")), ("seed", Edit::Set("5"))])).unwrap();
    assert_eq!(out, REQUEST.replace(r#""gpt-\u0035""#, "\"m\"").replace("null }", "null ,\"seed\":5}"));
    assert_eq!(scan("{}").edited(&[("a", Edit::Set("1"))]), b"{\"a\":1}");
    let cases: &[(&str, &[&str], &str)] = &[
        ("{\"a\":1, \"b\":2, \"c\":3}", &["b", "c"], "{\"a\":1}"),
        ("{\"a\":1}", &["a"], "{}"),
        ("{\"a\":1, \"b\":2}", &["a"], "{\"b\":2}"),
        ("{\"a\":1}", &["z"], "{\"a\":1}"),
    ];
    for (text, gone, wanted) in cases {
        let edits: Vec<(&str, Edit<'_>)> = gone.iter().map(|key| (*key, Edit::Remove)).collect();
        assert_eq!(String::from_utf8(scan(text).edited(&edits)).unwrap(), *wanted);
    }
}

#[test]
fn another_model_is_asked_and_its_usage() {
    let out =
        scan(r#"{"model":"a","stream":true,"stream_options":{"include_obfuscation":false}}"#).for_model("b\"", true);
    assert_eq!(
        serde_json::from_slice::<Value>(&out).unwrap(),
        json!({"model": "b\"", "stream": true, "stream_options": {"include_obfuscation": false, "include_usage": true}})
    );
    assert_eq!(scan(r#"{"model":"a"}"#).for_model("b", false), br#"{"model":"b"}"#);
}

#[test]
fn usage_is_found_in_answers() {
    let openai = r#"{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\"usage\":{\"prompt_tokens\":9}}"}}]}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    let usage = answer_usage(Format::OpenAiChat, &Bytes::from_static(openai.as_bytes())).unwrap();
    assert_eq!((usage.input, usage.output), (3, 4));
    let anthropic = r#"{"content":[{"type":"tool_use","input":{"usage":{"input_tokens":900}}}],"usage":{"input_tokens":3,"cache_read_input_tokens":5,"output_tokens":4}}"#;
    let usage = answer_usage(Format::AnthropicMessages, &Bytes::from_static(anthropic.as_bytes())).unwrap();
    assert_eq!((usage.input, usage.cached_input, usage.output), (8, 5, 4));
    assert_eq!(answer_usage(Format::OpenAiChat, &Bytes::from_static(b"{\"choices\":[]}")), None);
}

#[test]
fn a_tap_hears_what_passes() {
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}],\"usage\":null}\n\n\
        data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{}\"}}]}}],\"usage\":null}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
    for size in [1, 5, 1000] {
        let mut tap = Tap::new(Format::OpenAiChat);
        stream.as_bytes().chunks(size).for_each(|chunk| tap.push(chunk));
        let usage = tap.usage().unwrap();
        assert_eq!((usage.input, usage.output, tap.produced(), tap.whole()), (3, 4, 7, true));
        assert!(tap.error().is_none());
    }
    let mut tap = Tap::new(Format::AnthropicMessages);
    tap.push(
        b"data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n",
    );
    tap.push(b"data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":5}}\n\n");
    assert_eq!(tap.usage().map(|usage| (usage.input, usage.output)), Some((7, 5)));
    assert!(!tap.whole());
    tap.push(b"data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n");
    assert_eq!(tap.error().unwrap().message, "no");
}

#[test]
fn usage_that_was_not_asked_for_is_hidden() {
    let kept = "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"choices\\\":[]\"}}],\"usage\":null}\r\n\r\n: c\n\n";
    let gone = "data: {\"choices\": [],\"usage\": {\"prompt_tokens\":3}}\n\n";
    let stream = format!("{kept}{gone}data: [DONE]\n\n");
    for size in [1, 3, 1000] {
        let (mut hide, mut out) = (HideUsage::default(), Vec::new());
        stream.as_bytes().chunks(size).for_each(|chunk| hide.push(chunk, &mut out));
        hide.finish(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{kept}data: [DONE]\n\n"));
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\{}\\[\\]:, é\n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// The naive twin is a tree.
    #[test]
    fn fields_are_those_of_the_tree(map in prop::collection::btree_map("[a-z]{1,4}", json_value(), 0..6), pretty: bool) {
        let tree = Value::Object(map.into_iter().collect());
        let text = if pretty { format!("{tree:#}") } else { tree.to_string() };
        let found = scan(&text);
        for (key, value) in tree.as_object().unwrap() {
            prop_assert_eq!(found.value(key), Some(value.clone()));
            let mut changed = tree.clone();
            changed[key] = json!(17);
            let edited: Value = serde_json::from_slice(&found.edited(&[(key, Edit::Set("17"))])).unwrap();
            prop_assert_eq!(&edited, &changed);
            changed.as_object_mut().unwrap().shift_remove(key);
            let removed: Value = serde_json::from_slice(&found.edited(&[(key, Edit::Remove)])).unwrap();
            prop_assert_eq!(&removed, &changed);
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Scan::of(Bytes::from(bytes.clone()));
        let mut tap = Tap::new(Format::OpenAiChat);
        tap.push(&bytes);
    }
}
