//! Any bytes as a configuration: read, resolved, and its problems drawn. Nothing is looked up outside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::load::{Options, read_text};
use model::problem::{Style, render, render_json};

fuzz_target!(|text: &str| {
    for name in ["fuzz.yaml", "fuzz.json"] {
        let mut loaded = read_text(name, text, &Options::sealed());
        if let Some(root) = &loaded.root {
            let snapshot = model::resolve::resolve(root, &mut loaded.problems);
            assert!(snapshot.is_some() || loaded.problems.has_errors(), "a snapshot, or a reason why not");
        }
        let shown = render(&loaded.problems, &loaded.sources, Style::Plain);
        assert_eq!(shown.is_empty(), loaded.problems.is_empty());
        render_json(&loaded.problems, &loaded.sources);
    }
});
