//! What people and machines read.
use super::*;
use crate::load::{Options, Sources, read_text};

/// Reads a text and renders its problems, those of `more` included.
fn rendered(text: &str, more: impl FnOnce(&mut Problems)) -> String {
    let mut loaded = read_text("tollgate.yaml", text, &Options::sealed());
    more(&mut loaded.problems);
    render(&loaded.problems, &loaded.sources, Style::Plain)
}

/// A span of the first file, at what a text holds.
fn at(text: &str, part: &str) -> Span {
    let start = text.find(part).expect("the part");
    Span::new(0, u32::try_from(start).expect("small"), u32::try_from(start + part.len()).expect("small"))
}

#[test]
fn a_problem_shows_its_place_its_line_and_how_to_mend_it() {
    let text = "listeners:\n  - name: public\n    address: ${env:ADDR}\n    tls: { é: 0777 }\n    tls: {}\n";
    let expected = r#"
error[config.absent_env]: the environment variable `ADDR` is not set
 --> tollgate.yaml:3:14
  |
3 |     address: ${env:ADDR}
  |              ^^^^^^^^^^^
  |
  = at: listeners[0].address
  = help: set it, or give a default: `${env:ADDR:-default}`

error[config.ambiguous_number]: a number that begins with a zero is octal to some readers and decimal to others
 --> tollgate.yaml:4:15
  |
4 |     tls: { é: 0777 }
  |               ^^^^
  |
  = at: listeners[0].tls["é"]
  = help: write it without the zero if decimal is meant, with `0o` if octal is, or in quotes if it is text

error[config.duplicate_key]: `tls` is set twice; the first is at line 4
 --> tollgate.yaml:5:5
  |
5 |     tls: {}
  |     ^^^
  |
  = at: listeners[0]
  = help: remove one of them

"#;
    assert_eq!(rendered(text, |_| {}), expected.trim_start());
}

#[test]
fn problems_are_in_the_order_of_the_file_and_need_no_place() {
    let text = "a: 1\nb: 2\n";
    let found = rendered(text, |problems| {
        problems.push(Problem::error("x.second", at(text, "b"), "second"));
        problems.warn("x.first", at(text, "1"), "a", "first");
        problems.push(Problem::error("x.general", None, "general").help("do\u{1b}[31m this"));
    });
    let expected = "
error[x.general]: general
 |
 = help: do\u{fffd}[31m this

warning[x.first]: first
 --> tollgate.yaml:1:4
  |
1 | a: 1
  |    ^
  |
  = at: a

error[x.second]: second
 --> tollgate.yaml:2:1
  |
2 | b: 2
  | ^

";
    assert_eq!(found, expected.trim_start());
}

#[test]
fn the_rest_is_counted() {
    let found = rendered("a: 1", |problems| {
        for _ in 0..250 {
            problems.push(Problem::error("x.y", None, "again"));
        }
    });
    assert_eq!(found.matches("again").count(), 200);
    assert!(found.ends_with("\n\nand 50 more\n"), "{found}");
    assert_eq!(rendered("a: 1", |_| {}), "");
}

#[test]
fn colour_only_when_asked() {
    let loaded = read_text("tollgate.yaml", "a: [", &Options::sealed());
    assert!(!render(&loaded.problems, &loaded.sources, Style::Plain).contains('\u{1b}'));
    assert!(render(&loaded.problems, &loaded.sources, Style::Colour).contains("\u{1b}["));
}

/// The line that is shown, and the marks under it.
fn shown(text: &str, wrong: &str, hidden: &[&str]) -> (String, String, String) {
    let mut sources = Sources::default();
    sources.add("f", text);
    let mut problems = Problems::new();
    problems.error("x.y", at(text, wrong), "", "wrong");
    hidden.iter().for_each(|hidden| problems.hide(at(text, hidden)));
    let found = render(&problems, &sources, Style::Plain);
    let lines: Vec<&str> = found.lines().collect();
    let cut = |line: &str| line.split_once("| ").map_or("", |(_, rest)| rest).to_owned();
    let place = lines[1].trim_start_matches([' ', '-', '>']).to_owned();
    (place, cut(lines[3]), cut(lines[4]))
}

#[test]
fn shown_lines_hold_no_secret() {
    /// Text, what is wrong, what is hidden; place, line, marks.
    type Case = (&'static str, &'static str, &'static [&'static str], &'static str, &'static str, &'static str);
    let cases: &[Case] = &[
        // Told by their types.
        ("a: hunter2, b", "b", &["hunter2"], "f:1:13", "a: ***, b", "        ^"),
        ("a: hunter2", "hunter2", &["hunter2"], "f:1:4", "a: ***", "   ^^^"),
        ("a: hunter2 b", "ter", &["hunter2"], "f:1:7", "a: *** b", "   ^^^"),
        ("a: \"${env:X}\", b", "b", &["\"${env:X}\""], "f:1:16", "a: \"${env:X}\", b", "               ^"),
        ("a: ${env:X:-hunter2}, b", "b", &["${env:X:-hunter2}"], "f:1:23", "a: ***, b", "        ^"),
        ("a: |\n  hunter2\n  hunter3\nb: 1", "hunter3", &["|\n  hunter2\n  hunter3\n"], "f:3:3", "***", "^^^"),
        // Told by the names of their keys.
        ("{ key: xyz, b: 1 }", "b", &[], "f:1:13", "{ key: ***, b: 1 }", "            ^"),
        ("{ 'api-key': 'a, \\b', b: 1 }", "b: ", &[], "f:1:23", "{ 'api-key': ***, b: 1 }", "                  ^^^"),
        ("password : \"x\\\"y\" # b", "b", &[], "f:1:21", "password : *** # b", "                 ^"),
        ("keys: [abc, def], b: 1", "b: ", &[], "f:1:19", "keys: ***, b: 1", "           ^^^"),
        ("key: ${env:X}, b: 1", "b: ", &[], "f:1:16", "key: ${env:X}, b: 1", "               ^^^"),
        ("keys: { a: 1, b: 1}", "b: ", &[], "f:1:15", "keys: { a: 1, b: 1}", "              ^^^"),
        (
            "credentials: [ { key: xyz, b: 1 } ]",
            "b: ",
            &[],
            "f:1:28",
            "credentials: [ { key: ***, b: 1 } ]",
            "                           ^^^",
        ),
        ("client_secret: a b", "client", &[], "f:1:1", "client_secret: ***", "^^^^^^"),
        // Nothing to hide, and what is wrong spans lines or is behind the line.
        ("token_limit: 5", "5", &[], "f:1:14", "token_limit: 5", "             ^"),
        ("a:\n  b: 1\n  c: 2\n", "b: 1\n  c: 2", &[], "f:2:3", "  b: 1", "  ^^^^"),
    ];
    for (text, wrong, hidden, place, line, marks) in cases {
        let expected = ((*place).to_owned(), (*line).to_owned(), (*marks).to_owned());
        let (found_place, found_line, found_marks) = shown(text, wrong, hidden);
        assert_eq!((found_place, found_line, found_marks.trim_end().to_owned()), expected, "{text}");
    }
}

#[test]
fn long_lines_are_cut() {
    let text = format!("{}é: wrong{}", "x".repeat(100_000), "y".repeat(100_000));
    let (place, line, marks) = shown(&text, "wrong", &[]);
    assert_eq!(place, "f:1:100004");
    assert!(line.len() < 700 && line.contains("é: wrong"), "{line}");
    assert!(marks.contains("^^^^^") && !marks.contains("^^^^^^"), "{marks}");
}

#[test]
fn machines_get_the_same() {
    let text = "a: 1\nb: [é, x]\n";
    let mut loaded = read_text("t.yaml", text, &Options::sealed());
    loaded.problems.push(Problem::error("x.list", at(text, "[é, x]"), "wrong").path("b").help("mend it"));
    loaded.problems.push(Problem::warning("x.general", None, "general"));
    assert_eq!(
        render_json(&loaded.problems, &loaded.sources),
        serde_json::json!({
            "errors": 1, "warnings": 1, "more": 0,
            "problems": [
                { "severity": "warning", "code": "x.general", "message": "general" },
                {
                    "severity": "error", "code": "x.list", "message": "wrong", "path": "b", "file": "t.yaml",
                    "line": 2, "column": 4, "end_line": 2, "end_column": 10, "help": "mend it",
                },
            ],
        })
    );
}

#[test]
fn words_that_are_near() {
    let known = ["users", "orders", "rate_limit", "least_request", "a"];
    let cases = [
        ("usres", Some("users")),
        ("user", Some("users")),
        ("Users", Some("users")),
        ("rate-limit", Some("rate_limit")),
        ("ratelimit", Some("rate_limit")),
        ("lest_request", Some("least_request")),
        ("payments", None),
        ("b", None),
        ("", None),
    ];
    for (got, expected) in cases {
        assert_eq!(did_you_mean(got, known.into_iter()), expected, "{got}");
    }
    assert_eq!(did_you_mean(&"x".repeat(1000), known.into_iter()), None);
}

#[test]
fn collections_join() {
    let mut all = Problems::new();
    let mut more = Problems::new();
    for index in 0..150 {
        all.warn("x.y", None, "", "first");
        more.error("x.y", None, "", format!("second {index}"));
    }
    more.lose("users");
    all.append(more);
    assert_eq!((all.errors(), all.warnings(), all.more(), all.iter().count()), (150, 150, 100, 200));
    assert!(all.is_full() && all.has_errors() && all.is_lost("users") && !all.is_lost("x"));
}

/// A part of a value is found in the file whatever way the value is written, and told by itself where it cannot be.
#[test]
fn a_part_of_a_value_has_its_own_place() {
    let value = "one two\nthree 'four' five\n";
    for (written, place) in [
        ("|\n  one two\n  three 'four' five\n", "3:10"),
        ("|+ # a comment\n\n  one two\n  three 'four' five\n", "4:10"),
        (">\n  one\n  two\n\n  three\n  'four' five\n", "6:4"),
        ("\"one two\\nthree 'four' five\\n\"", "1:24"),
        ("'one two\n\n  three ''four'' five\n\n  '", "3:11"),
        ("one\n  two\n\n  three 'four' five", "4:10"),
        ("!!str &a |\n  one two\n  three 'four' five\n", "3:10"),
        ("&a one\n  two\n\n  three 'four' five", "4:10"),
    ] {
        let text = format!("text: {written}");
        let mut loaded = read_text("tollgate.yaml", &text, &Options::sealed());
        let node = loaded.root.as_ref().and_then(|root| root.get("text")).expect("a value").clone();
        let found = node.as_str().expect("text").find("four").expect("the part");
        let part = Part::new(node.as_str().expect("text"), found..found + 4);
        let problem = Problem::error("x.y", node.span, "wrong").part(part);
        let slice = problem.place(&loaded.sources).map(|at| loaded.sources.slice(at));
        assert_eq!(slice, Some("four"), "{written}");
        loaded.problems.push(problem);
        let shown = render(&loaded.problems, &loaded.sources, Style::Plain);
        assert!(shown.contains(&format!("tollgate.yaml:{place}\n")), "{written}: {place}\n{shown}");
        assert!(!shown.contains("of this text"), "{shown}");
    }
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", "\"\\u006fne\"");
    let problem = Problem::error("x.y", Span::new(file, 0, 10), "wrong").part(Part::new(value, 15..19));
    let mut problems = Problems::new();
    problems.push(problem);
    let shown = render(&problems, &sources, Style::Plain);
    assert!(shown.contains("a.yaml:1:1\n") && shown.contains("line 2, column 8 of this text"), "{shown}");
    assert_eq!(render_json(&problems, &sources)["problems"][0]["column"], 1);
    assert!(!format!("{problems:?}").contains("three"), "a value may be a secret");
}
