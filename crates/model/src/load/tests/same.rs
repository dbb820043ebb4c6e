//! Properties: JSON and YAML of the same value read the same, and no text makes the reader panic.
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Json::from),
        // What must not be taken for something else, and what breaks lines and quotes.
        "(~|null|yes|0777|1e3|- |: |# |x: y|&a|\\*a|!t|\\$\\$|\\{|\\[|[a-zé\u{1F600}\"'\\\\\n\t ]{0,12})"
            .prop_map(Json::from),
        any::<String>().prop_filter("printable", |s| !s.contains("${")).prop_map(Json::from),
    ];
    let key = "(x|[a-z]{1,3}|[^$]{0,6})".prop_filter("dropped", |key| !key.starts_with("x-"));
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

/// A plain writer of block YAML: text in double quotes, the rest as it is.
fn to_yaml(json: &Json, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match json {
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}-"));
                to_yaml(item, indent + 2, out);
            }
        }
        Json::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                out.push_str(&format!("\n{pad}{}:", quoted(key)));
                to_yaml(value, indent + 2, out);
            }
        }
        Json::String(text) => out.push_str(&format!(" {}", quoted(text))),
        Json::Array(_) => out.push_str(" []"),
        Json::Object(_) => out.push_str(" {}"),
        other => out.push_str(&format!(" {other}")),
    }
}

fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() || !c.is_alphanumeric() && c != ' ' => format!("\\U{:08x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn json_and_yaml_agree(json in any_json()) {
        let text = serde_json::to_string_pretty(&json).expect("json");
        let mut yaml = String::new();
        to_yaml(&json, 0, &mut yaml);
        let read = |name: &str, text: &str| {
            let loaded = read_text(name, text, &options());
            prop_assert!(loaded.problems.is_empty(), "{}: {:?}\n{}", name, loaded.problems, text);
            Ok(loaded.root.expect("a root"))
        };
        let from_json = read("t.json", &text)?;
        prop_assert_eq!(&from_json, &Node::from_json(&json));
        prop_assert_eq!(&read("t.yaml", &yaml)?, &from_json, "{}", yaml);
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = read_text("t.yaml", &text, &options());
        let _ = read_text("t.json", &text, &options());
    }

    /// Text of what YAML and JSON are made of finds more than any text does.
    #[test]
    fn nothing_of_ours_panics(parts in prop::collection::vec(
        prop::sample::select(vec!["a", "é", "1", ": ", ":", "- ", "\n", "\n  ", "\r\n", "\t", "[", "]", "{", "}", ",",
            "\"", "'", "\\", "\\u00", "|", ">", "&a ", "*a", "!!str ", "!t ", "<<", "?", "? ", "#", " #", "---\n", "...",
            "%YAML 1.2\n", "${", "${env:KEY}", "}", "$", "null", "0", "0777", ".5", "e1", "\u{feff}", "\0"]), 0..40)) {
        let text = parts.concat();
        let yaml = read_text("t.yaml", &text, &options());
        let json = read_text("t.json", &text, &options());
        for loaded in [yaml, json] {
            for problem in &loaded.problems {
                let span = problem.at.expect("a place");
                prop_assert!(loaded.sources.line_column(span).is_some());
            }
        }
    }
}
