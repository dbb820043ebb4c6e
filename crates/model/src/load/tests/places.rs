//! Every node knows its place.
use super::*;

/// Each `«text»` of the template is the place of a node; returns the text without the marks.
fn unmark(template: &str) -> (String, Vec<String>) {
    let parts: Vec<&str> = template.split(['«', '»']).collect();
    let marked = parts.iter().skip(1).step_by(2).map(|part| (*part).to_owned()).collect();
    (parts.concat(), marked)
}

fn spans<'a>(node: &Node, sources: &'a Sources, found: &mut Vec<&'a str>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| spans(item, sources, found)),
        Value::Map(entries) => entries.iter().for_each(|entry| {
            found.push(sources.slice(entry.key_span));
            spans(&entry.value, sources, found);
        }),
        _ => found.push(sources.slice(node.span)),
    }
}

#[test]
fn keys_and_scalars() {
    let templates = [
        ("t.yaml", "«a»: «1»\n«b c»: «'x y'»   # note\n«\"d\"»: [«é», «\"ü\"»,«z»]\n"),
        ("t.yaml", "«a»: «'it''s'» # it's\n«b»: «\"x\\\"y\"»  # \"\n«c»: [«'1'» ,«\"2\"» ]\n«\"d\"» : «\"\"»\n"),
        (
            "t.yaml",
            "# ünïcode\r\n«ä»:\r\n  - «ß: x»\r\n  - «日本»\r\n  - {«k»: «v w», «l»: «-1»}\r\n"
                .replace("«ß: x»", "«ß»: «x»")
                .leak(),
        ),
        ("t.yaml", "«a»: «plain\n  over lines»\n«b»: «'quoted\n  too'»\n«c»: «1»\n"),
        ("t.json", "{«\"a\"»: «1.5», «\"é\"»: [«\"x\\n\"», «null»,\t«true»]}"),
    ];
    for (name, template) in templates {
        let (text, marked) = unmark(template);
        let loaded = read_text(name, &text, &options());
        assert!(loaded.problems.is_empty(), "{text}: {:?}", loaded.problems);
        let mut found = Vec::new();
        spans(loaded.root.as_ref().expect("a root"), &loaded.sources, &mut found);
        assert_eq!(found, marked, "{text}");
    }
}

#[test]
fn lists_maps_and_empty_values() {
    let cases = [
        ("a: [1, 2 ]  # x\nb: 1", "a", "[1, 2 ]"),
        ("a: {k: [1]}\n", "a", "{k: [1]}"),
        ("a: {\n  k: v,\n}\n", "a", "{\n  k: v,\n}"),
        ("a: [1, # one ]\n  # two ]\n]\n", "a", "[1, # one ]\n  # two ]\n]"),
        ("a:\n  - 1\n  - 2\n\n\nb: 1", "a", "- 1\n  - 2"),
        ("a:\n  k: v\n  l: w   \n# end\nb: 1", "a", "k: v\n  l: w"),
        ("a:\nb: 1", "a", "a"),
        ("a: !!str\nb: 1", "a", "!!str"),
        ("a: &x {k: 1}\nb: *x", "b", "&x {k: 1}"),
    ];
    for (text, key, expected) in cases {
        let loaded = read_text("t.yaml", text, &options());
        let root = loaded.root.expect("a root");
        let span = root.get(key).expect("the key").span;
        assert_eq!(loaded.sources.slice(span), expected, "{text}");
    }
}

#[test]
fn lines_and_columns() {
    let mut sources = Sources::default();
    let file = sources.add("f", "ab\r\ncé d\n\nx");
    let at = |start: u32| sources.line_column(Span::new(file, start, start)).map(|p| (p.line, p.column));
    assert_eq!(at(0), Some((1, 1)));
    assert_eq!(at(4), Some((2, 1)));
    assert_eq!(at(7), Some((2, 3)));
    assert_eq!(at(9), Some((2, 5)));
    assert_eq!(at(10), Some((3, 1)));
    assert_eq!(at(12), Some((4, 2)));
    assert_eq!(at(99), Some((4, 2)));
    assert_eq!(sources.line_column(Span::NONE), None);
    assert_eq!(sources.describe(Span::new(file, 4, 5), Span::new(file, 0, 1)), "line 2");
    assert_eq!(sources.describe(Span::new(file, 4, 5), Span::NONE), "f:2:1");
}
