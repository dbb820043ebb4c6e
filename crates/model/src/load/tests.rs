//! Text to tree: what every notation means, and what is refused with which words.
use std::env::VarError;
use std::sync::Arc;

use serde_json::json;

use super::*;

mod files;
mod places;
mod refused;
mod same;

/// Options with an environment of their own and no files.
fn options() -> Options {
    Options {
        env: Arc::new(|name| match name {
            "PORT" => Ok("8080".to_owned()),
            "EMPTY" => Ok(String::new()),
            "KEY" => Ok("hunter2".to_owned()),
            "NESTED" => Ok("${env:KEY}".to_owned()),
            _ => Err(VarError::NotPresent),
        }),
        ..Options::sealed()
    }
}

/// What a text says, as JSON; it must have no problem.
fn json_of(name: &str, text: &str) -> serde_json::Value {
    let loaded = read_text(name, text, &options());
    assert!(loaded.problems.is_empty(), "{text:?}: {:?}", loaded.problems);
    loaded.root.expect("a root").to_json()
}

/// `line:column code message` of each problem.
fn problems_of(loaded: &Loaded) -> Vec<String> {
    let place = |p: &crate::problem::Problem| {
        let at = p.at.and_then(|span| loaded.sources.line_column(span));
        at.map_or("-".to_owned(), |at| format!("{}:{}", at.line, at.column))
    };
    loaded.problems.iter().map(|p| format!("{} {} {}", place(p), p.code, p.message)).collect()
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    let cases = [
        ("~", json!(null)),
        ("null", json!(null)),
        ("true", json!(true)),
        ("False", json!(false)),
        ("yes", json!("yes")),
        ("on", json!("on")),
        ("Off", json!("Off")),
        ("0", json!(0)),
        ("-12", json!(-12)),
        ("+7", json!(7)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("1.5", json!(1.5)),
        ("-1.", json!(-1.0)),
        (".5", json!(0.5)),
        ("1e3", json!(1000.0)),
        ("-1.5E-3", json!(-0.0015)),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("1:30", json!("1:30")),
        ("1_000", json!("1_000")),
        ("30s", json!("30s")),
        ("10.0.0.1", json!("10.0.0.1")),
        ("2024-01-01", json!("2024-01-01")),
        ("-", json!([null])),
        (".", json!(".")),
        ("1e", json!("1e")),
        ("0x", json!("0x")),
        ("e5", json!("e5")),
        ("'12'", json!("12")),
        ("\"true\"", json!("true")),
        ("!!str 12", json!("12")),
        ("!!int 12", json!(12)),
        ("!!float 12", json!(12.0)),
        ("! 12", json!("12")),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
    ];
    for (text, expected) in cases {
        assert_eq!(json_of("t.yaml", text), expected, "{text}");
    }
}

#[test]
fn collections_aliases_and_merges() {
    let cases = [
        ("a: 1\nb: [x, {c: d}]\n", json!({"a": 1, "b": ["x", {"c": "d"}]})),
        ("a:\n- 1\n-\n  - 2\n", json!({"a": [1, [2]]})),
        ("a:\nb: \n", json!({"a": null, "b": null})),
        ("a: &x {k: 1}\nb: *x\n", json!({"a": {"k": 1}, "b": {"k": 1}})),
        ("a: &x [1]\nb: [*x, *x]\n", json!({"a": [1], "b": [[1], [1]]})),
        ("x-base: &b {k: 1, l: 2}\na: {<<: *b, k: 3}\n", json!({"a": {"k": 3, "l": 2}})),
        (
            "x: &x {k: 1}\ny: &y {k: 2, l: 2}\na:\n  <<: [*x, *y]\n",
            json!({"x": {"k": 1}, "y": {"k": 2, "l": 2}, "a": {"k": 1, "l": 2}}),
        ),
        ("a: {\"<<\": 1}\n", json!({"a": {"<<": 1}})),
        ("x-a: 1\nb: {x-c: 2}\n", json!({"b": {"x-c": 2}})),
        ("%YAML 1.2\n---\na: 1\n...\n", json!({"a": 1})),
        ("\u{feff}a: 1\r\nb: 2\r\n", json!({"a": 1, "b": 2})),
        ("[a: b]", json!([{"a": "b"}])),
        ("{\"a\":1,\"b\":[\t2 ]}", json!({"a": 1, "b": [2]})),
        ("? a\n: b\n", json!({"a": "b"})),
        ("'1': a\n\"null\": b\n", json!({"1": "a", "null": "b"})),
    ];
    for (text, expected) in cases {
        assert_eq!(json_of("t.yaml", text), expected, "{text}");
    }
}

#[test]
fn json_is_read_strictly() {
    let cases = [
        (r#" {"a":[1,-2.5e1,true,false,null,"x"]} "#, json!({"a": [1, -25.0, true, false, null, "x"]})),
        (r#""\ud83d\ude00 \u00e9 \" \\ \/ \b\f\n\r\t""#, json!("😀 é \" \\ / \u{8}\u{c}\n\r\t")),
        ("{\t\"a\"\n:\r\n1}", json!({"a": 1})),
        ("{\"no\": \"0777\", \"1\": 0}", json!({"no": "0777", "1": 0})),
        ("[]", json!([])),
        ("{}", json!({})),
        ("-0", json!(0)),
        ("\u{feff}{}", json!({})),
    ];
    for (text, expected) in cases {
        assert_eq!(json_of("t.json", text), expected, "{text}");
        // What is JSON is YAML.
        if !text.starts_with('"') {
            assert_eq!(json_of("t.yaml", text), expected, "{text}");
        }
    }
    assert_eq!(json_of("t.yaml", r#"["\ud83d\ude00"]"#), json!(["😀"]));
}

#[test]
fn references_are_replaced_in_values() {
    let cases = [
        ("a: ${env:KEY}", json!({"a": "hunter2"})),
        ("a: 'http://x:${env:PORT}/${env:KEY}'", json!({"a": "http://x:8080/hunter2"})),
        ("a: ${env:PORT}", json!({"a": "8080"})),
        ("a: ${env:NONE:-8081}", json!({"a": "8081"})),
        ("a: '${env:NONE:-}'", json!({"a": ""})),
        ("a: '${env:NONE:-x:-y}'", json!({"a": "x:-y"})),
        ("a: ${env:EMPTY:-x}", json!({"a": "x"})),
        ("a: ${env:EMPTY}", json!({"a": ""})),
        ("a: '$${env:KEY} $$ $ {} $'", json!({"a": "${env:KEY} $$ $ {} $"})),
        ("a: ${env:NESTED}", json!({"a": "${env:KEY}"})),
        ("a: |\n  x ${env:KEY}\n", json!({"a": "x hunter2\n"})),
        ("a: &k ${env:KEY}\nb: *k", json!({"a": "hunter2", "b": "hunter2"})),
    ];
    for (text, expected) in cases {
        let loaded = read_text("t.yaml", text, &options());
        assert!(loaded.problems.is_empty(), "{text}: {:?}", loaded.problems);
        let root = loaded.root.expect("a root");
        assert_eq!(root.to_json(), expected, "{text}");
        let is_reference = !text.contains("$$");
        assert_eq!(root.get("a").expect("a").secret, is_reference, "{text}");
        assert!(!format!("{root:?}").contains("hunter2"), "{text}");
        assert!(!serde_json::to_string(&root).expect("json").contains("hunter2"), "{text}");
    }
}
