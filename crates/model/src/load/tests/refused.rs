//! What is refused: where, with which code, and in which words.
use super::*;

fn check(name: &str, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        let loaded = read_text(name, text, &options());
        assert_eq!(problems_of(&loaded), *expected, "{text}");
    }
}

#[test]
fn yaml_that_is_ambiguous_or_broken() {
    check(
        "t.yaml",
        &[
            ("", &["1:1 config.empty nothing is configured here"]),
            ("# only\n", &["1:1 config.empty nothing is configured here"]),
            (
                "a: 0777",
                &[
                    "1:4 config.ambiguous_number a number that begins with a zero is octal to some readers and decimal to others",
                ],
            ),
            ("a: .inf", &["1:4 config.ambiguous_number infinity and not-a-number cannot be used"]),
            ("a: 9223372036854775808", &["1:4 config.ambiguous_number the number is too large"]),
            ("a: 1\nb: 2\na: 3", &["3:1 config.duplicate_key `a` is set twice; the first is at line 1"]),
            ("a: {é: 1, é: 2}", &["1:11 config.duplicate_key `é` is set twice; the first is at line 1"]),
            ("404: a", &["1:1 config.bad_key the key `404` is not text"]),
            ("true: a", &["1:1 config.bad_key the key `true` is not text"]),
            (": a", &["1:1 config.bad_key a key is missing before the `:`"]),
            ("? [a]\n: b\nc: d", &["1:3 config.bad_key a key must be text, not a list or a map"]),
            ("a: &x b\n*x : c", &["2:1 config.bad_key a key must be text, not an alias"]),
            ("a: *x", &["1:4 config.syntax this alias repeats an anchor that is not set above it"]),
            ("a: &x [*x]", &["1:8 config.bad_alias an alias must not be inside of what it repeats"]),
            ("a: {<<: 1}", &["1:5 config.bad_merge `<<` merges a map or a list of maps, not a number"]),
            ("a: {<<: {b: 1}, <<: {c: 1}}", &["1:17 config.duplicate_key `<<` is set twice"]),
            ("a: 1\n---\nb: 2", &["2:1 config.several_documents a second document begins here, and only one is read"]),
            ("a: !mine b", &["1:4 config.bad_tag the tag `!mine` is not known"]),
            ("a: !!int b", &["1:4 config.bad_tag `b` is not of the type that its tag says"]),
            ("a: !!set {b}", &["1:4 config.bad_tag the tag `tag:yaml.org,2002:!set` is not known here"]),
            ("a:\n\t- b", &["2:2 config.syntax a tab cannot be used to indent"]),
            ("- a: b\n\tc: d", &["2:1 config.syntax a tab cannot be used to indent"]),
            ("a: b: c", &["1:5 config.syntax a `:` is not expected here"]),
            ("a: [1, 2\nb: 3", &["2:2 config.syntax a `:` is not expected here"]),
            ("a: 'x", &["1:4 config.syntax a quote that opens here is never closed"]),
            ("a:\n  b: \"x\n  c: y\nd: e", &["2:6 config.syntax a quote that opens here is not closed on its line"]),
            ("a: 1\nb\n  - c: d", &["3:6 config.syntax a key before this has no `:` after it"]),
            ("a: @x", &["1:4 config.syntax text must not begin with `@`, `` ` `` or `%`"]),
            ("a: ]", &["1:4 config.syntax this bracket closes nothing"]),
            ("- a\nb: c", &["2:1 config.syntax this line does not continue the list above it"]),
            ("a: \"\\q\"", &["1:4 config.syntax an escape in these quotes is not known"]),
            ("a: {b: ${env:KEY}}", &["1:9 config.syntax expected `,` or `}` here"]),
        ],
    );
}

#[test]
fn json_that_is_not_json() {
    check(
        "t.json",
        &[
            ("", &["1:1 config.empty nothing is configured here"]),
            ("{\"a\": 1,}", &["1:8 config.syntax JSON has no comma after the last value"]),
            ("{a: 1}", &["1:2 config.syntax expected a key in double quotes, found `a`"]),
            ("{\"a\" 1}", &["1:6 config.syntax expected `:`, found `1`"]),
            ("[1 2]", &["1:4 config.syntax expected `,` or `]`, found `2`"]),
            ("[1", &["1:3 config.syntax expected `,` or `]`, found the end of the file"]),
            ("// no\n1", &["1:1 config.syntax expected a value, found `/`"]),
            ("[nul]", &["1:2 config.syntax expected a value, found `n`"]),
            ("[01]", &["1:2 config.syntax `01` is not a number"]),
            ("[+1]", &["1:2 config.syntax expected a value, found `+`"]),
            ("[1.]", &["1:2 config.syntax `1.` is not a number"]),
            ("[1e999]", &["1:2 config.syntax `1e999` is too large"]),
            ("[9223372036854775808]", &["1:2 config.syntax `9223372036854775808` is too large"]),
            ("\"a\nb\"", &["1:1 config.syntax a quote that opens here is not closed on its line"]),
            ("\"a\tb\"", &["1:3 config.syntax a control character must not be inside of quotes"]),
            ("\"\\x\"", &["1:2 config.syntax this escape is not a character"]),
            ("\"\\ud83d\"", &["1:2 config.syntax this escape is not a character"]),
            ("\"\\ud83dxx\"", &["1:2 config.syntax this escape is not a character"]),
            ("\"\\é\"", &["1:2 config.syntax this escape is not a character"]),
            ("{} {}", &["1:4 config.syntax expected the end of the file here"]),
            ("{\"a\":1,\"a\":2}", &["1:8 config.duplicate_key `a` is set twice; the first is at line 1"]),
        ],
    );
}

#[test]
fn references_without_a_value() {
    check(
        "t.yaml",
        &[
            ("a: ${env:NONE}", &["1:4 config.absent_env the environment variable `NONE` is not set"]),
            (
                "a: [\"${env:NONE}\", '${env:NONE2}']",
                &[
                    "1:5 config.absent_env the environment variable `NONE` is not set",
                    "1:20 config.absent_env the environment variable `NONE2` is not set",
                ],
            ),
            ("a: ${env:1X}", &["1:4 config.bad_reference `1X` is not the name of an environment variable"]),
            ("a: ${env:KEY", &["1:4 config.bad_reference a reference has no end"]),
            ("a: ${env:X:-${env:KEY}}", &["1:4 config.bad_reference a reference must not be inside of another"]),
            ("a: ${KEY}", &["1:4 config.bad_reference unknown reference `${KEY}`"]),
            ("a: ${vault:x}", &["1:4 config.bad_reference unknown reference `${vault:x}`"]),
            ("a: '${file:}'", &["1:4 config.bad_reference a file's path is missing"]),
            ("a: ${file:x.pem}", &["1:4 config.absent_file the file `x.pem` may not be read"]),
            ("${env:KEY}: a", &["1:1 config.bad_key references such as `${env:NAME}` are for values, not for keys"]),
        ],
    );
}

#[test]
fn offline_only_warns_of_what_is_absent() {
    let options = Options { offline: true, ..options() };
    let loaded = read_text("t.yaml", "a: ${env:NONE}\nb: ${file:x}\nc: ${env:KEY}", &options);
    assert!(!loaded.problems.has_errors());
    assert_eq!(loaded.problems.warnings(), 2);
    assert_eq!(loaded.root.expect("a root").to_json(), json!({"a": STAND_IN, "b": STAND_IN, "c": "hunter2"}));
    assert!(read_text("t.yaml", "a: ${env:1}", &options).problems.has_errors());
}

#[test]
fn budgets_hold() {
    let deep = |depth: usize| (format!("{}1{}", "[".repeat(depth), "]".repeat(depth)), "- ".repeat(depth) + "1");
    for (depth, fits) in [(64, true), (65, false), (10_000, false)] {
        let (brackets, dashes) = deep(depth);
        for (name, text) in [("t.json", &brackets), ("t.yaml", &brackets), ("t.yaml", &dashes)] {
            let loaded = read_text(name, text, &options());
            assert_eq!(!loaded.problems.has_errors(), fits, "{name} {depth} {:?}", loaded.problems);
        }
    }
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", format!("*a{}, ", level - 1).repeat(10)));
    }
    let heavy = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1000));
    for text in [bomb, heavy] {
        let loaded = read_text("t.yaml", &text, &options());
        assert_eq!(loaded.problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["config.too_large"]);
    }
    let small = Options { limits: Limits { nodes: 10, bytes: 100, ..Limits::default() }, ..options() };
    assert!(!read_text("t.yaml", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", &small).problems.has_errors());
    assert!(read_text("t.yaml", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", &small).problems.has_errors());
    assert!(read_text("t.yaml", &" ".repeat(101), &small).problems.has_errors());
    assert!(read_text("t.yaml", ",".repeat(11).as_str(), &small).problems.iter().all(|p| p.code == "config.too_large"));
}
