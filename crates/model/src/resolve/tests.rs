use crate::load::{Options, read_text};

use super::resolve;

/// The version is one problem among the others, which are found all the same.
#[test]
fn a_wrong_version_hides_nothing() {
    let rest =
        "apis: [{ name: a, listeners: [publik], nme: b, to: u }]\nsubscriptions: [{ consumer: nobody, api: a }]\n";
    for (version, says) in [
        ("", Some("test.yaml:1:1 config.missing_key `version` is missing")),
        ("version:\n", Some("test.yaml:1:1 config.missing_key `version` is missing")),
        ("version: 2\n", Some("test.yaml:1:10 config.version version 2 is not known")),
        ("version: 0\n", Some("test.yaml:1:10 config.version version 0 is not known")),
        ("version: one\n", Some("test.yaml:1:10 config.wrong_type expected a whole number")),
        ("version: [1]\n", Some("test.yaml:1:1 config.wrong_type expected a whole number")),
        ("version: -1\n", Some("test.yaml:1:10 config.")),
        ("version: 1\n", None),
    ] {
        let mut loaded = read_text("test.yaml", &format!("{version}{rest}"), &Options::sealed());
        let snapshot = resolve(loaded.root.as_ref().unwrap(), &mut loaded.problems);
        assert!(snapshot.is_some(), "{version}");
        let found: Vec<String> = loaded
            .problems
            .iter()
            .map(|problem| {
                let at = loaded.sources.line_column(problem.at.unwrap()).unwrap();
                format!("test.yaml:{}:{} {} {}", at.line, at.column, problem.code, problem.message)
            })
            .collect();
        for part in ["unknown key `nme`", "unknown listener `publik`", "unknown consumer `nobody`"] {
            assert!(found.iter().any(|problem| problem.contains(part)), "{version}{part}: {found:#?}");
        }
        let of_version: Vec<_> =
            found.iter().filter(|problem| says.is_some_and(|says| problem.starts_with(says))).collect();
        assert_eq!((of_version.len(), found.len()), (usize::from(says.is_some()), 3 + of_version.len()), "{found:#?}");
    }
}
