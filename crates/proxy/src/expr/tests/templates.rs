//! Templates.

use model::load::Spanned;
use proptest::prelude::*;

use super::super::{Scope, Template};
use super::{full, in_a_file, plain, pointed_at, text};
use crate::exchange::testing::{environment, try_program};

fn render(source: &str, content_type: &str, x: &crate::exchange::Exchange) -> String {
    let template = Template::compile(&text(source), content_type, Scope::Response);
    let template = template.unwrap_or_else(|problems| panic!("{source}: {problems:#?}"));
    template.render(x).unwrap_or_else(|error| panic!("{source}: {error}"))
}

#[test]
fn templates_see_the_same_variables() {
    let x = full();
    for (source, expected) in [
        ("{{ request.method }} {{ request.path }}", "POST /users/a%20b"),
        ("{{ request.headers['X-User'] }} {{ request.headers.host }}", "ann "),
        ("{{ request.query.page + '!' }}{{ request.query.none }}", "2!"),
        ("{{ params.id }}|{{ request.cookies.theme }}", "a b|dark"),
        ("{{ auth.consumer.name }} of {{ auth.consumer.groups | join('/') }}", "mobile of apps/beta"),
        ("{{ auth.consumer.metadata.region }} {{ auth.plan }}", "eu gold"),
        ("{% if auth.consumer %}known{% endif %}", "known"),
        ("{% for name in request.query %}{{ name }},{% endfor %}", "flag,page,q,"),
        ("{% for name in response.headers %}{{ name }}={{ response.headers[name] }}{% endfor %}", "server=demo"),
        ("{{ response.status + 1 }} {{ now }}", "405 0"),
        ("{{ connection.tls.client.names[0] }}", "robot.example.com"),
        ("{% set p = request.path %}{{ p | upper }}", "/USERS/A%20B"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(request.host) }}", "<api.example.com>"),
        ("{% for i in range(3) %}{{ i }}{{ loop.index }}{% endfor %}\n", "011223\n"),
        ("plain", "plain"),
        ("", ""),
    ] {
        assert_eq!(render(source, "text/plain", &x), expected, "{source}");
    }
}

#[test]
fn what_an_exchange_lacks_is_empty() {
    let x = plain("/a", &[]);
    for (source, expected) in [
        ("[{{ auth.consumer.name }}{{ connection.tls.client.subject }}{{ request.headers.a }}]", "[]"),
        ("{% if auth.consumer %}known{% else %}nobody{% endif %}", "nobody"),
        ("{{ request.headers['x-tier'] | default('free') }}", "free"),
        ("{% for group in auth.consumer.groups %}{{ group }}{% endfor %}", ""),
    ] {
        assert_eq!(render(source, "text/plain", &x), expected, "{source}");
    }
}

#[test]
fn values_are_escaped_as_the_content_type_asks() {
    let x = plain("/a?q=%22%3Cb%3E%5C&n=1", &[]);
    let q = "\"<b>\\";
    for (source, content_type, expected) in [
        ("{{ request.query.q }}", "text/plain", q.to_owned()),
        ("<p>{{ request.query.q }}</p>", "text/html; charset=utf-8", "<p>&quot;&lt;b&gt;\\</p>".to_owned()),
        ("<p>{{ request.query.q }}</p>", "application/atom+xml", "<p>&quot;&lt;b&gt;\\</p>".to_owned()),
        ("<p>{{ '<br>' | safe }}</p>", "text/html", "<p><br></p>".to_owned()),
    ] {
        assert_eq!(render(source, content_type, &x), expected, "{source} as {content_type}");
    }
    for (source, expected) in [
        (r#"{"q": "{{ request.query.q }}"}"#, serde_json::json!({ "q": q })),
        (r#"{"q": {{ request.query.q }}}"#, serde_json::json!({ "q": q })),
        (
            r#"{"q": "\"{{ request.query.q }} and {{ request.query.n }}"}"#,
            serde_json::json!({ "q": format!("\"{q} and 1") }),
        ),
        (
            r#"{"n": {{ request.query.n | int }}, "t": "{{ request.query.n | int }}"}"#,
            serde_json::json!({ "n": 1, "t": "1" }),
        ),
        (
            r#"{"none": {{ request.query.no }}, "t": "{{ request.query.no }}"}"#,
            serde_json::json!({ "none": null, "t": "" }),
        ),
        (r#"{"list": {{ request.query.q | list | length }}}"#, serde_json::json!({ "list": 5 })),
        (
            r#"{"l": {{ [request.query.q, 1] }}, "t": "{{ [request.query.q] }}"}"#,
            serde_json::json!({ "l": [q, 1], "t": serde_json::to_string(&[q]).unwrap() }),
        ),
        (r#"{{ {"k": request.query.q} }}"#, serde_json::json!({ "k": q })),
        (r#"{% set v = request.query.q %}["{{ v }}"]"#, serde_json::json!([q])),
        (r#"{% set v %}"{{ request.query.q }}"{% endset %}[{{ v }}]"#, serde_json::json!([q])),
        (r#"[{{ request.query.q | tojson }}]"#, serde_json::json!([q])),
        (r#"{% if request.query.q == '\\' %}1{% else %}["{{ request.path }}"]{% endif %}"#, serde_json::json!(["/a"])),
    ] {
        let rendered = render(source, "application/problem+json", &x);
        let read: serde_json::Value =
            serde_json::from_str(&rendered).unwrap_or_else(|e| panic!("{source}: {rendered}: {e}"));
        assert_eq!(read, expected, "{source}");
    }
}

#[test]
fn each_fault_has_its_place() {
    for (source, scope, message, place) in [
        (
            "{{ request.pth }}",
            Scope::Request,
            "unknown name `request.pth`; did you mean `request.path`?",
            "request.pth",
        ),
        ("{{ path }}", Scope::Request, "unknown name `path`; did you mean `request.path`?", "path"),
        ("{{ request }}", Scope::Request, "`request` is a group of names", "request"),
        ("{{ request[x] }}", Scope::Request, "`request` is a group of names", "request"),
        (
            "{{ response.status }}",
            Scope::Request,
            "`response.status` is not known here: there is no answer yet",
            "response.status",
        ),
        ("{{ auth.plan }}", Scope::Match, "`auth.plan` is not known while a route is sought", "auth.plan"),
        ("{{ debug() }}", Scope::Request, "unknown name `debug`", "debug"),
        ("{% include 'x' %}", Scope::Request, "the template: unknown statement include", "include"),
        ("{{ request.path | uper }}", Scope::Request, "the template: filter uper is unknown", "uper"),
        (
            "a\n{{ request.path ",
            Scope::Request,
            "the template: unexpected end of input, expected end of variable block",
            "{{",
        ),
        ("{% if %}", Scope::Request, "the template: unexpected end of block", "%}"),
        ("a {% if now %} b", Scope::Request, "the template: unexpected end of input, expected end of block", ""),
        ("{{ now }} {{ 'a }}", Scope::Request, "the template: unexpected end of string", "{{"),
    ] {
        let (text, sources) = in_a_file(source);
        let problems = Template::compile(&text, "text/plain", scope).unwrap_err();
        let part = pointed_at(&problems[0], &sources);
        assert_eq!((problems[0].message.as_str(), part.as_str()), (message, place), "{source}");
        assert_eq!(problems[0].code, "config.template");
    }
}

/// The place of a fault is in a tag, where the template has the same words elsewhere too.
#[test]
fn a_fault_is_where_it_is_in_the_file() {
    let configuration = |body: &str| {
        format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - name: a
    to:
      respond:
        body: {body}
"#
        )
    };
    let block = |text: &str| {
        let lines = text.lines().map(|line| format!("          {line}\n"));
        format!("|\n{}", lines.collect::<String>())
    };
    for (body, place) in [
        (block("the path\n\n  is {{ path }}"), "11:19"),
        (block("path {# path #} {{ 'path' }} {{ now.path }}{{ path }}"), "9:57"),
        (block("{% raw %}{{ path }}{% endraw %} {{ now }}\n{{ path }}"), "10:14"),
        (block("{{ {'path': {'path': now}} }}{% if now %}{{ path }}{% endif %}"), "9:55"),
        (block("one\ntwo {{ request.path\nthree"), "11:11"),
        (block("one\ntwo {{ request.path"), "10:15"),
        (block("one\n{% if now %}\nthree"), "11:16"),
        (block("one\n{{ now | uper }}"), "10:20"),
        ("'the path is {{ path }}'".to_owned(), "8:31"),
        (r#""the path\nis \"{{ path }}\" ""#.to_owned(), "8:34"),
        (">-\n          the path\n          is {{ path }}".to_owned(), "10:17"),
    ] {
        let problems = try_program(&configuration(&body), &environment()).err().unwrap();
        assert!(problems.contains(&format!("test.yaml:{place}\n")), "{body}: {place}\n{problems}");
        assert!(!problems.contains("of this text"), "{problems}");
    }
}

/// Where the file only refers to the template, its own line and column are told.
#[test]
fn a_fault_in_another_file_tells_line_and_column() {
    let mut options = model::load::Options::sealed();
    options.file = std::sync::Arc::new(|_, _| Ok(b"<h1>\n  {{ path }}\n</h1>".to_vec()));
    let mut loaded = model::load::read_text("test.yaml", "body: ${file:page.html}\n", &options);
    let node = loaded.root.as_ref().unwrap().get("body").unwrap();
    let text = Spanned::new(node.as_str().unwrap().to_owned(), node.span);
    for problem in Template::compile(&text, "text/html", Scope::Request).unwrap_err() {
        loaded.problems.push(problem);
    }
    let shown = model::problem::render(&loaded.problems, &loaded.sources, model::problem::Style::Plain);
    assert!(shown.contains("test.yaml:1:7\n") && shown.contains("line 2, column 6 of this text"), "{shown}");
}

#[test]
fn work_and_output_are_bounded() {
    let x = plain("/a?n=100000", &[]);
    for source in [
        "{% for i in range(request.query.n | int) %}{{ i }}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{{ request.path }}{% endfor %}{% endfor %}",
        "{{ 'ab' * (request.query.n | int) * 100 }}",
        "{% macro m(a) %}{{ m(request.path) }}{% endmacro %}{{ m(1) }}",
    ] {
        let rendered =
            Template::compile(&text(source), "text/plain", Scope::Request).map(|template| template.render(&x));
        assert!(!matches!(rendered, Ok(Ok(_))), "{source}");
    }
    assert!(Template::compile(&text(&"a".repeat(2_000_000)), "text/plain", Scope::Request).is_err());
    let long = format!("{{{{ now }}}}{}", "a".repeat(70_000));
    assert!(Template::compile(&text(&long), "text/plain", Scope::Request).is_err());
    assert_eq!(render(&"a".repeat(200_000), "text/plain", &x).len(), 200_000);
}

#[test]
fn a_template_says_what_it_reads() {
    for (source, headers, identity, response) in [
        ("{{ request.path }}", false, false, false),
        ("{{ request.headers.a }}", true, false, false),
        ("{{ auth.consumer.name }}{{ response.status }}", false, true, true),
    ] {
        let template = Template::compile(&text(source), "text/plain", Scope::Response).unwrap();
        assert_eq!(template.reads_request_headers(), headers, "{source}");
        assert_eq!(template.reads_identity(), identity, "{source}");
        assert_eq!(template.reads_response(), response, "{source}");
        assert_eq!(template.source(), source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever a client sends, the document keeps its shape.
    #[test]
    fn no_value_breaks_out_of_json(value in any::<String>()) {
        let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
        let x = plain(&format!("/a?v={encoded}"), &[]);
        let source = r#"{"a": "<{{ request.query.v }}>", "b": {{ request.query.v }}, "c": ["\\{{ request.query.v }}"]}"#;
        let rendered = render(source, "application/json", &x);
        let read: serde_json::Value = serde_json::from_str(&rendered).unwrap();
        prop_assert_eq!(read, serde_json::json!({ "a": format!("<{value}>"), "b": value, "c": [format!("\\{value}")] }));
    }

    #[test]
    fn no_text_panics(
        source in prop::collection::vec(
            prop::sample::select(vec!["{{", "}}", "{%", "%}", " if ", " for ", "request.path", "(", ")", "|", "'", "x", " endif ", "{#", "\\", "ä", "in", "["]),
            0..40,
        ),
    ) {
        let source = source.concat();
        if let Ok(template) = Template::compile(&text(&source), "application/json", Scope::Request) {
            let _ = template.render(&plain("/a", &[]));
        }
    }

    #[test]
    fn nesting_does_not_end_the_process(open in prop::sample::select(vec!["(", "[", "{'a':", "-", "not ", "1+", "x.", "{% if 1 %}"]), many in 1..20_000usize) {
        let (before, after) = if open.starts_with("{%") { ("", "") } else { ("{{ ", "1 }}") };
        let source = format!("{before}{}{after}", open.repeat(many));
        let _ = Template::compile(&text(&source), "text/plain", Scope::Request);
    }
}
