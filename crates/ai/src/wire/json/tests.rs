use serde_json::{Value, json};

use super::{At, Fields, is_object, object, parse};

#[test]
fn keys_stand_once_at_any_depth() {
    for text in [r#"{"a":1,"a":2}"#, r#"{"m":[{"b":{"c":1,"c":1}}]}"#, "{", "[1,]", "{} x", ""] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    let whole = r#"{"a":[1,-2,2.5,"x",true,null,{"b":{}}]}"#;
    assert_eq!(parse(whole.as_bytes()).unwrap(), serde_json::from_str::<Value>(whole).unwrap());
}

#[test]
fn nesting_is_bounded() {
    assert!(parse("[".repeat(10_000).as_bytes()).is_err());
}

#[test]
fn a_wrong_field_is_named_by_its_path() {
    let messages = At::ROOT.key("messages");
    let second = messages.index(1);
    let mut fields = Fields::of(json!({"role": 5, "x": 1, "gone": null}), second).unwrap();
    assert_eq!(fields.string("role").unwrap_err().field, "messages[1].role");
    let mut unknown = Vec::new();
    fields.end(&mut unknown, &[]);
    assert_eq!(unknown, ["messages[1].x"]);
}

#[test]
fn numbers_of_things_may_be_written_as_floats() {
    let mut fields = Fields::lenient(json!({"a": 1024.0, "b": 1.5, "c": -1, "d": 1e300}));
    assert_eq!(fields.count("a").unwrap(), Some(1024));
    for key in ["b", "c", "d"] {
        assert!(fields.count(key).is_err(), "{key}");
    }
}

#[test]
fn what_is_written_can_be_read() {
    let mut out = Vec::new();
    object(&mut out, |o| {
        o.str("text", "a \"quoted\"\nline \u{1F600}");
        o.plain("n", 5);
        o.obj("in", |o| o.pair("a\"b", "c"));
        o.arr("list", |a| {
            a.str("x");
            a.obj(|o| o.null("y"));
        });
    });
    let read: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        read,
        json!({"text": "a \"quoted\"\nline \u{1F600}", "n": 5, "in": {"a\"b": "c"}, "list": ["x", {"y": null}]})
    );
}

#[test]
fn arguments_are_objects() {
    for (text, good) in [("{}", true), (" {\"a\":1}", true), ("[]", false), ("{", false), ("", false), ("{}x", false)] {
        assert_eq!(is_object(text), good, "{text}");
    }
}
