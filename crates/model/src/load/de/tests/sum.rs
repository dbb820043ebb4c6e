//! The property that all is built for: a document has exactly the problems that its parts have alone.
use proptest::prelude::*;

use super::*;

/// What an api may say, by key; each is right or wrong in its own way.
const PARTS: &[&[&str]] = &[
    &["name: a", "name: a b", "name: 5", "name: [x]"],
    &["timeout: 5s", "timeout: 5", "timeout: {a: 1}", "timeout: null"],
    &["port: 80", "port: x", "port: -1", "port: 1.5"],
    &["range: [1, 2]", "range: [1, x]", "range: [1]", "range: [x, y]"],
    &["ips: []", "ips: [a, b, 10.0.0.1, c]", "ips: x"],
    &["headers: {a: b}", "headers: {a: 1, 'b c': d, e: []}", "headers: []"],
    &[
        "balance: least_request",
        "balance: hsah",
        "balance: {sticky: {}}",
        "balance: {hash: {header: 1}}",
        "balance: {a: 1, b: 2}",
    ],
    &["to: u", "to: [{}, {upstream: u}, {upstream: 1, weight: y, zz: 1}]", "to: {stauts: 1}", "to: {body: 1}", "to: 5"],
    &["hosts: a", "hosts: [1, a, 2]", "hosts: 3"],
    &["pages: {'404': x}", "pages: {x: y, '404': 1}"],
    &["zzz: 1", "weight: q", "weight: 0.5"],
];

/// The problems of a list of apis, each without its place.
fn problems(apis: &[String]) -> Vec<String> {
    let text: String = apis.iter().map(|api| format!("- {{{api}}}\n")).collect();
    let (_, loaded) = typed::<Vec<Api>>(&text);
    let mut found: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn of_its_parts(choices in prop::collection::vec(prop::collection::vec(prop::option::of(0_usize..5), PARTS.len()), 1..30)) {
        let chosen = |choice: &Vec<Option<usize>>| -> Vec<&str> {
            PARTS.iter().zip(choice).filter_map(|(parts, at)| at.map(|at| parts[at % parts.len()])).collect()
        };
        let apis: Vec<String> = choices.iter().map(|choice| chosen(choice).join(", ")).collect();
        let mut expected = Vec::new();
        for (index, choice) in choices.iter().enumerate() {
            let mut alone = chosen(choice);
            if !alone.iter().any(|part| part.starts_with("name")) {
                expected.push("[0]: `name` is missing".replace("[0]", &format!("[{index}]")));
                alone.push("name: a");
            }
            for part in alone {
                let named = if part.starts_with("name") { part.to_owned() } else { format!("name: a, {part}") };
                expected.extend(problems(&[named]).into_iter().map(|problem| problem.replacen("[0]", &format!("[{index}]"), 1)));
            }
        }
        prop_assume!(expected.len() < 200);
        expected.sort();
        prop_assert_eq!(problems(&apis), expected, "{:#?}", apis);
    }
}
