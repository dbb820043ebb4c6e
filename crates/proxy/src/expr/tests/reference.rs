//! What the docs show is so: examples compile where they are said to, and give what they are said to.

use super::super::reference::FILTERS;
use super::super::schema::{FUNCTIONS, MACROS, VARIABLES};
use super::super::{Expr, Scope, Template, Value, reference};
use super::{plain, text};
use crate::exchange::testing::program;

#[test]
fn a_variable_is_known_from_where_the_docs_say() {
    for variable in VARIABLES {
        assert!(variable.example.contains(variable.name), "{}", variable.name);
        let example = text(variable.example);
        for scope in [Scope::Match, Scope::Request, Scope::Response] {
            let compiled = Expr::compile(&example, scope);
            assert_eq!(compiled.is_ok(), scope >= variable.scope, "{} in {scope:?}: {compiled:?}", variable.example);
        }
        let reads = Expr::compile(&example, Scope::Response).unwrap();
        assert_eq!(variable.known_from() == "authorize", reads.reads_identity(), "{}", variable.name);
    }
}

#[test]
fn calls_give_what_the_docs_say() {
    let x = plain("/a", &[]);
    for function in FUNCTIONS.iter().chain(MACROS) {
        assert!(function.example.contains(&format!("{}(", function.name)), "{}", function.name);
        // Lists are no result of an expression, so both sides are compared inside of one.
        let same = format!("({}) == ({})", function.example, function.gives);
        let same = Expr::condition(&text(&same), Scope::Match).unwrap_or_else(|found| panic!("{same}: {found:#?}"));
        assert_eq!(same.value(&x), Value::Bool(true), "{}", same.source());
    }
}

#[test]
fn filters_give_what_the_docs_say() {
    let x = plain("/a", &[]);
    for (names, _, example, gives) in FILTERS {
        assert!(names.split(", ").any(|name| example.contains(&format!("| {name}"))), "{names}");
        for name in names.split(", ") {
            let alone = format!("{{{{ 'a' | {name} }}}}");
            let unknown = Template::compile(&text(&alone), "text/html", Scope::Match)
                .is_err_and(|found| found.iter().any(|problem| problem.message.contains("unknown")));
            assert!(!unknown, "{name}");
        }
        let template = Template::compile(&text(example), "text/html", Scope::Match);
        let template = template.unwrap_or_else(|found| panic!("{example}: {found:#?}"));
        assert_eq!(template.render(&x).unwrap(), *gives, "{example}");
    }
}

/// The YAML at its beginning is a route of a configuration.
#[test]
fn the_page_begins_with_what_can_be_written() {
    let page = reference();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (route, _) = rest.split_once("```").unwrap();
    let route: String = route.lines().map(|line| format!("        {line}\n")).collect();
    let program = program(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: users, targets: [{{ url: "http://127.0.0.1:9" }}] }}, {{ name: next, targets: [{{ url: "http://127.0.0.1:8" }}] }}]
apis:
  - name: a
    policies: {{ key_auth: {{}} }}
    routes:
      - name: shown
{route}"#
    ));
    assert!(program.routes.iter().any(|plan| &*plan.name == "shown" && plan.steps.len() == 4));
}

#[test]
fn each_row_of_the_page_has_its_cells() {
    let page = reference();
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, VARIABLES.len() + FUNCTIONS.len() + MACROS.len() + FILTERS.len());
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!(matches!(bars, 5 | 6), "{line}");
    }
}
