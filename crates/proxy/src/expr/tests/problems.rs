//! What is wrong, where, and how to mend it.

use model::load::{Span, Spanned};
use proptest::prelude::*;

use super::super::{Expr, Scope};
use super::{faults, text};
use crate::exchange::testing::{environment, try_program};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_fault_has_its_place() {
    use Scope::{Match, Request, Response};
    let mut wrong = Vec::new();
    for (source, scope, message, place) in [
        ("request.pth == 'a'", Request, "unknown name `request.pth`; did you mean `request.path`?", "pth"),
        ("reqest.path == 'a'", Request, "unknown name `reqest`; did you mean `request`?", "reqest"),
        ("method == 'GET'", Request, "unknown name `method`; did you mean `request.method`?", "method"),
        (
            "request.header.a == 'b'",
            Request,
            "unknown name `request.header`; did you mean `request.headers`?",
            "header",
        ),
        (
            "connection.tls.client.subjct == ''",
            Match,
            "unknown name `connection.tls.client.subjct`; did you mean `connection.tls.client.subject`?",
            "subjct",
        ),
        ("nonsense", Request, "unknown name `nonsense`", "nonsense"),
        ("request == 'a'", Request, "`request` is a group of names", "request"),
        ("connection.tls == 'a'", Request, "`connection.tls` is a group of names", "tls"),
        ("request.path.x == 'a'", Request, "text has no fields", "x"),
        ("request.headers.a.b == 'a'", Request, "text has no fields", "b"),
        ("request.headers['a'].b == 'a'", Request, "text has no fields", "b"),
        ("request.headers['a b'] == 'a'", Request, "`a b` is not a header name", "'a b'"),
        ("response.status == 200", Request, "`response.status` is not known here: there is no answer yet", "status"),
        ("auth.plan == 'gold'", Match, "`auth.plan` is not known while a route is sought", "plan"),
        ("params.id == 'a'", Match, "`params` is not known while a route is sought", "params"),
        ("request.path == 1", Request, "text and a whole number cannot be compared", "=="),
        ("request.headers == request.headers", Request, "a map of text and a map of text cannot be compared", "=="),
        ("request.path < 1", Request, "text and a whole number have no order", "<"),
        ("true < false", Request, "a boolean and a boolean have no order", "<"),
        ("request.path && true", Request, "this is text, and a condition is asked for", "path"),
        ("!request.path", Request, "this is text, and a condition is asked for", "path"),
        ("request.path ? 1 : 2", Request, "this is text, and a condition is asked for", "path"),
        ("true ? 1 : 'a'", Request, "the two outcomes are a whole number and text", "?"),
        ("'a' in request.path", Request, "`in` looks into a list or a map, and this is text", "path"),
        ("1 in ['a']", Request, "the list does not hold a whole number", "in"),
        ("['a', 1]", Request, "this is a whole number, and the items before are not", "1"),
        ("'a' + 1", Request, "a whole number cannot be added to text", "1"),
        ("[1] + [2]", Request, "a list cannot be added", "+"),
        ("1 + 1.5", Request, "a number cannot be added to a whole number", "1.5"),
        ("1 * 1.5", Request, "no such arithmetic between a whole number and a number", "*"),
        ("-'a'", Request, "text has no negative", "-"),
        ("request.path[0]", Request, "text has no entries", "["),
        ("auth.consumer.groups['a']", Request, "the items of a list are counted, from 0", "'a'"),
        ("request.headers[1]", Request, "the keys of this map are texts", "1"),
        ("{'a': 1}", Request, "a map can only be looked up in", "{"),
        ("{1: 1}['a']", Request, "keys are literal texts", "1"),
        ("{'a': 1, 'a': 2}['a']", Request, "the key `a` is there twice", "'a'"),
        ("{'a': 1, 'b': 'c'}['a']", Request, "this is text, and the values before are not", "'c'"),
        ("b'a' == 'a'", Request, "there are no bytes here", "b'a'"),
        ("Foo{a: 1}", Request, "there are no message types here", "{"),
        (
            "request.path.startWith('a')",
            Request,
            "unknown function `startWith`; did you mean `startsWith`?",
            "startWith",
        ),
        ("lower(request.path)", Request, "unknown function `lower`", "lower"),
        ("request.path.startsWith()", Request, "`startsWith` is not called like this", "startsWith"),
        ("request.path.startsWith(1)", Request, "this is a whole number, and text is asked for", "1"),
        ("request.path.matches(request.host)", Request, "the pattern of `matches` is a literal text", "host"),
        ("request.path.matches('a(')", Request, "not a regular expression: unclosed group", "'a('"),
        (
            "inNetwork(client.address, '10.0.0.0/33')",
            Request,
            "`10.0.0.0/33` is not an address or a network",
            "'10.0.0.0/33'",
        ),
        ("inNetwork(client.address, request.host)", Request, "the networks are literal texts", "host"),
        ("size(1)", Request, "a whole number has no size", "1"),
        ("int(true)", Request, "a boolean cannot become a whole number", "int"),
        ("request.path.orValue(1)", Request, "the value is text, and its substitute a whole number", "orValue"),
        ("request.path.exists(c, true)", Request, "`exists` goes through a list, and this is text", "exists"),
        ("['a'].exists('b', true)", Request, "a name for the item is asked for", "'b'"),
        ("['a'].exists(request, true)", Request, "`request` has a meaning already", "request"),
        ("['a'].exists(a, ['b'].exists(b, b == a))", Request, "comprehensions cannot be nested", "exists"),
        ("['a'].map(a, ['b'])", Request, "a list holds texts, numbers or booleans", "map"),
        ("auth.consumer.groups", Request, "the expression gives a list of text", "groups"),
        ("null", Request, "the expression gives null", "null"),
        ("response.headers", Response, "the expression gives a map of text", "headers"),
        ("a.b().c", Request, "unknown function `b`", "b"),
    ] {
        let found = faults(source, scope);
        let expected = [(message.to_owned(), place.to_owned())];
        if found != expected {
            wrong.push((source, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn faults_of_syntax_are_in_plain_words() {
    let mut wrong = Vec::new();
    for (source, message, place) in [
        ("request.path ==", "the expression ends too early", ""),
        ("request.path == 'a' b", "unexpected `b`", "b"),
        ("request.path == 'a' and true", "unexpected `and`", "and"),
        ("true && (false", "a `)` is missing", ""),
        ("request.path = 'a'", "unexpected `=`", "="),
        ("'abc", "a text is not closed, or has an unknown escape", "'"),
        ("1 +* 2", "unexpected `*`", "*"),
        ("true ? 1", "the expression ends too early", ""),
        ("$", "unexpected `$`", "$"),
        ("99999999999999999999 > 1", "the number does not fit 64 bits", "99999999999999999999"),
        ("request.path ==\n  == 'a'", "unexpected `==`", "="),
        ("'ä' == 'ö' ö", "unexpected `ö`", "ö"),
        ("", "the expression is empty", ""),
        ("  ", "the expression is empty", ""),
    ] {
        let found = faults(source, Scope::Request);
        if found.first() != Some(&(message.to_owned(), place.to_owned())) {
            wrong.push((source, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let deep = format!("{}1{} == 1", "(".repeat(60), ")".repeat(60));
    assert!(
        faults(&deep, Scope::Request)[0].0.starts_with("brackets are nested"),
        "{:?}",
        faults(&deep, Scope::Request)
    );
}

#[test]
fn every_fault_is_found_at_once() {
    let found = faults("request.pth == 'a' && auth.pln == 'b' || request.method.foo()", Scope::Request);
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn conditions_are_booleans() {
    for (source, right) in [
        ("request.path == 'a'", true),
        ("has(auth)", true),
        ("true", true),
        ("request.path", false),
        ("1", false),
        ("request.path.split('/')", false),
    ] {
        let compiled = Expr::condition(&text(source), Scope::Request);
        assert_eq!(compiled.is_ok(), right, "{source}");
    }
}

/// However the file writes the text, the place is that of the part.
#[test]
fn places_in_the_file() {
    let configuration = |when: &str| {
        format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - name: a
    routes:
      - match:
          when: {when}
        to: {{ echo: {{}} }}
"#
        )
    };
    for (when, place) in [
        ("request.pth == 'a'", "8:25"),
        ("'request.pth == \"a\"'", "8:26"),
        ("\"request.pth == 'ä'\"", "8:26"),
        ("'request.host == ''a'' || request.pth == ''b'' '", "8:51"),
        (r#""request.host == \"a\" || request.pth == \"b\" ""#, "8:51"),
        ("|\n            true\n            || request.pth == 'a'", "10:24"),
        (">-\n            true\n            || request.pth == 'a'", "10:24"),
        ("true\n            || request.pth == 'a'", "9:24"),
        // Something that is not followed: the whole.
        (r#""\u0072equest.pth == 'a'""#, "8:17"),
    ] {
        let problems = try_program(&configuration(when), &environment()).err().unwrap();
        assert!(problems.contains("unknown name `request.pth`"), "{problems}");
        assert!(problems.contains(&format!("test.yaml:{place}\n")), "{when}: {place}\n{problems}");
        assert_eq!(problems.contains("of this text"), when.contains("\\u"), "{problems}");
    }
    let problems = Expr::compile(&text("request.pth == 1"), Scope::Request).unwrap_err();
    assert_eq!((problems[0].at, problems[0].code), (None, "config.expression"));
}

#[test]
fn size_and_depth_are_bounded() {
    for (name, source) in [
        ("bytes", format!("'{}' == 'a'", "a".repeat(5_000))),
        ("brackets", format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000))),
        ("calls", format!("{}'a'{} == ''", "string(".repeat(500), ")".repeat(500))),
        ("members", format!("request{} == ''", ".a".repeat(2_000))),
        ("methods", format!("request.path{} == ''", ".trim()".repeat(500))),
        ("indexes", format!("request.path{} == ''", "[0]".repeat(1_000))),
        ("sums", format!("1{} == 1", "+1".repeat(1_000))),
        ("differences", format!("1{} == 1", "-1".repeat(1_000))),
        ("equalities", format!("true{}", "==true".repeat(600))),
        ("choices", format!("{}true", "true?true:".repeat(390))),
        ("lists", format!("{}{} == ''", "[".repeat(1_500), "]".repeat(1_500))),
    ] {
        assert!(Expr::compile(&text(&source), Scope::Request).is_err(), "{name}");
    }
    for (name, source) in [
        ("and", format!("true{}", " && true".repeat(500))),
        ("text", format!("'a'{}", " + 'a'".repeat(500))),
        ("set", format!("request.path in [{}'a']", "'a', ".repeat(800))),
        ("not", format!("{}true", "!".repeat(1_000))),
        ("brackets", format!("{}true{}", "(".repeat(20), ")".repeat(20))),
    ] {
        assert!(Expr::compile(&text(&source), Scope::Request).is_ok(), "{name}");
    }
}

/// Pieces that make texts which nearly are expressions.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "request",
        ".",
        "path",
        "headers",
        "[",
        "]",
        "'a'",
        "\"",
        "'",
        "(",
        ")",
        "&&",
        "||",
        "!",
        "==",
        "!=",
        "<",
        "in",
        "?",
        ":",
        ",",
        "1",
        "-",
        "+",
        "*",
        "1.5",
        "null",
        "true",
        "has",
        "size",
        "exists",
        "x",
        "{",
        "}",
        " ",
        "\n",
        "matches",
        "'('",
        "ä",
        "\u{1f600}",
        "\\",
        "//",
        "r'",
        "b'",
        "'''",
        "0x",
        "1e999",
        "9223372036854775807",
        "%",
        "auth.consumer.groups",
        "request.headers",
        "`",
        "#",
        "\0",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(source in prop_oneof![pieces(), any::<String>()], scope in 0..3u8) {
        let scope = [Scope::Match, Scope::Request, Scope::Response][usize::from(scope)];
        let span = Span::new(0, 5, 5 + u32::try_from(source.len()).unwrap());
        if let Err(problems) = Expr::compile(&Spanned::new(source, span), scope) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                let at = problem.at.unwrap();
                prop_assert!(at.start >= span.start && at.end <= span.end, "{problem:?}");
                prop_assert!(problem.message != "it cannot be read", "a panic of the parser");
            }
        }
    }
}
