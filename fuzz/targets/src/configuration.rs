//! Any text as a configuration: read, resolved, compiled, and its problems drawn. Nothing is looked up outside.

use std::path::Path;
use std::sync::Arc;

use model::load::{Loaded, Options, read_text};
use model::problem::{Style, render, render_json};
use proxy::exchange::testing;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for name in ["fuzz.yaml", "fuzz.json"] {
        for options in [Options::sealed(), Options { offline: true, ..Options::sealed() }, generous()] {
            let mut loaded = read_text(name, text, &options);
            again(text, &loaded);
            let Some(root) = &loaded.root else {
                assert!(loaded.problems.has_errors(), "a document, or a reason why not");
                continue;
            };
            match model::resolve::resolve(root, &mut loaded.problems) {
                None => assert!(loaded.problems.has_errors(), "a snapshot, or a reason why not"),
                Some(snapshot) => {
                    let env = testing::environment();
                    proxy::program::compile(Arc::new(snapshot), String::new(), &env, &mut loaded.problems);
                }
            }
            let shown = render(&loaded.problems, &loaded.sources, Style::Plain);
            assert_eq!(shown.is_empty(), loaded.problems.is_empty());
            assert!(render_json(&loaded.problems, &loaded.sources).is_object());
        }
    }
}

/// Every variable and every small file is there.
fn generous() -> Options {
    Options {
        env: Arc::new(|name| Ok(format!("value of {name}"))),
        file: Arc::new(|path: &Path, _| Ok(path.to_string_lossy().into_owned().into_bytes())),
        ..Options::sealed()
    }
}

/// What was read, written as JSON, reads as the same.
fn again(text: &str, loaded: &Loaded) {
    let Some(root) = loaded.root.as_ref().filter(|_| !text.contains('$')) else { return };
    let json = root.to_json();
    let reread = read_text("again.json", &json.to_string(), &Options::sealed());
    let reread = reread.root.map(|root| root.to_json());
    assert_eq!(reread.as_ref(), Some(&json), "{text:?}");
}
