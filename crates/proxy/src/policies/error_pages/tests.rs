use http::{HeaderMap, Method, Request};

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ error_pages: {policy}, request_id: {{ inbound: accept }} }} }}]
apis:
  - name: a
    routes:
      - {{ match: {{ path: /denied }}, policies: {{ ip: {{ deny: [0.0.0.0/0] }} }}, to: {{ respond: {{}} }} }}
      - match: {{ path: "/own/{{what}}" }}
        to: {{ respond: {{ status: 404, headers: {{ etag: '"a"', content-encoding: br, x-kept: "1" }}, body: own }} }}
      - {{ match: {{ path: /own/html }}, to: {{ respond: {{ status: 404, headers: {{ content-type: text/html }}, body: own }} }} }}
      - {{ match: {{ path: /own/json }}, to: {{ respond: {{ status: 404, headers: {{ content-type: application/vnd.own+json }}, body: "1" }} }} }}
      - {{ match: {{ path: /fine, methods: [GET] }}, to: {{ respond: {{ body: fine }} }} }}
      - match: {{ path: /limited }}
        policies: {{ rate_limit: {{ limits: [{{ limit: 1/hour, by: client }}] }} }}
        to: {{ respond: {{ body: fine }} }}
  - {{ name: keyed, path: /keyed, access: identified, policies: {{ key_auth: {{}} }}, to: {{ respond: {{}} }} }}
"#
    )
}

fn ask(policy: &str, method: Method, path: &str, accept: Option<&str>) -> (u16, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).header("x-request-id", "id-1");
    let request = accept.iter().fold(request, |request, accept| request.header("accept", *accept));
    let (head, body) = answer(&program(&configuration(policy)), request.body(Body::Empty).unwrap()).into_parts();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn kind(headers: &HeaderMap) -> &str {
    headers.get("content-type").map_or("-", |value| value.to_str().unwrap())
}

#[test]
fn who_would_rather_have_a_page_gets_one() {
    let problem = "application/problem+json";
    for (accept, expected) in [
        (None, problem),
        (Some("*/*"), problem),
        (Some(BROWSER), "text/html; charset=utf-8"),
        (Some("text/html"), "text/html; charset=utf-8"),
        (Some("text/*"), "text/html; charset=utf-8"),
        (Some("TEXT/HTML;q=0.5, application/json;q=0.4"), "text/html; charset=utf-8"),
        (Some("application/json, text/html"), problem),
        (Some("application/problem+json;q=0.1, text/html;q=0"), problem),
        (Some("image/png"), problem),
    ] {
        let (status, headers, _) = ask("{}", Method::GET, "/none", accept);
        assert_eq!((status, kind(&headers)), (404, expected), "{accept:?}");
        assert_eq!(headers["vary"], "accept", "{accept:?}");
    }
}

#[test]
fn a_page_tells_what_happened_and_escapes_it() {
    let (status, headers, page) = ask("{}", Method::GET, "/denied", Some(BROWSER));
    assert_eq!(status, 403);
    assert_eq!(headers["content-length"], page.len().to_string());
    for part in ["<title>403 Address denied</title>", "Requests from this address are not let in.", "Request id-1"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let policy = "{ pages: [{ body: '{{ error.code }} {{ request.path }} {{ request.query.a }}' }] }";
    let (.., page) = ask(policy, Method::GET, "/none?a=%3Cb%3E%26", Some(BROWSER));
    assert_eq!(page, "route.not_found &#x2f;none &lt;b&gt;&amp;");
}

#[test]
fn pages_are_chosen_by_status_and_type() {
    let policy = "{ pages: [
        { status: 404, content_type: text/plain, body: plain },
        { status: [404, 403], body: html },
        { status: 5xx, body: five },
    ] }";
    for (path, accept, expected) in [
        ("/none", "text/html", "html"),
        ("/none", "text/plain", "plain"),
        ("/none", "text/*", "plain"),
        ("/none", "text/plain;q=0.5, text/html", "html"),
        ("/denied", "text/html", "html"),
    ] {
        assert_eq!(ask(policy, Method::GET, path, Some(accept)).2, expected, "{path} {accept}");
    }
    // No page is for this status and type.
    let (_, headers, _) = ask(policy, Method::GET, "/denied", Some("text/plain"));
    assert_eq!(kind(&headers), "application/problem+json");
}

/// A page in JSON takes the place of the problem document for whoever takes JSON, and of nothing else.
#[test]
fn json_takes_the_place_of_json() {
    let policy = r#"{ answers: all, pages: [
        { body: html },
        { content_type: application/json, body: '{"say": "{{ error.title | default(response.reason) }}", "status": {{ response.status }}}' },
    ] }"#;
    let mine = r#"{"say": "No route", "status": 404}"#;
    for (path, accept, expected) in [
        ("/none", None, mine),
        ("/none", Some("*/*"), mine),
        ("/none", Some("application/json"), mine),
        ("/none", Some("application/json, text/html"), mine),
        ("/none", Some("image/png"), mine),
        ("/none", Some(BROWSER), "html"),
        ("/own/x", None, "own"),
        ("/own/x", Some("application/json"), r#"{"say": "Not Found", "status": 404}"#),
        ("/own/html", Some(BROWSER), "html"),
        ("/own/html", None, "html"),
        ("/own/json", None, r#"{"say": "Not Found", "status": 404}"#),
    ] {
        assert_eq!(ask(policy, Method::GET, path, accept).2, expected, "{path} {accept:?}");
    }
    let strict = ask(policy, Method::GET, "/none", Some("application/problem+json"));
    assert_eq!(kind(&strict.1), "application/problem+json");
}

#[test]
fn a_page_keeps_what_the_answer_says() {
    let allowed = ask("{}", Method::PUT, "/fine", Some(BROWSER));
    assert_eq!((allowed.0, kind(&allowed.1)), (405, "text/html; charset=utf-8"));
    assert_eq!(allowed.1["allow"], "GET, HEAD");
    let keyed = ask("{}", Method::GET, "/keyed", Some(BROWSER));
    assert_eq!((keyed.0, kind(&keyed.1)), (401, "text/html; charset=utf-8"));
    assert!(keyed.1.contains_key("www-authenticate"));
    let limited = program(&configuration("{}"));
    for status in [200, 429] {
        let request = Request::get("/limited").header("accept", "text/html").body(Body::Empty).unwrap();
        let answer = answer(&limited, request);
        assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (status, status == 429));
        assert_eq!(kind(answer.headers()).starts_with("text/html"), status == 429);
    }
}

#[test]
fn everyone_may_get_a_page() {
    let policy = "{ choose: always, pages: [{ content_type: text/plain, body: no }] }";
    let (status, headers, page) = ask(policy, Method::GET, "/none", None);
    assert_eq!((status, kind(&headers), page.as_str()), (404, "text/plain", "no"));
    assert!(!headers.contains_key("vary"));
    let (_, headers, body) = ask(policy, Method::HEAD, "/none", None);
    assert_eq!((headers["content-length"].to_str().unwrap(), body.as_str()), ("2", ""));
}

#[test]
fn a_routes_own_errors_are_shown_where_asked() {
    let (_, headers, body) = ask("{}", Method::GET, "/own/x", Some(BROWSER));
    assert_eq!((body.as_str(), headers.contains_key("vary")), ("own", false));
    let policy = "{ answers: all, pages: [{ body: '{{ response.status }} {{ response.reason }} {{ params.what }}{{ error.code }}' }] }";
    let (status, headers, body) = ask(policy, Method::GET, "/own/x", Some(BROWSER));
    assert_eq!((status, body.as_str()), (404, "404 Not Found x"));
    assert_eq!((headers.contains_key("etag"), headers.contains_key("content-encoding")), (false, false));
    assert_eq!(headers["x-kept"], "1");
    assert_eq!(ask(policy, Method::GET, "/fine", Some(BROWSER)).2, "fine");
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ pages: [] }", "not from 1 to 64"),
        ("{ pages: [{ status: 200 }] }", "not an error's status"),
        ("{ pages: [{ status: 4x }] }", "expected a status"),
        ("{ pages: [{ content_type: html, body: x }] }", "not a content type"),
        ("{ pages: [{ content_type: text/plain }] }", "no plain page"),
        ("{ pages: [{ body: '{{ request.pat }}' }] }", "did you mean"),
        ("{ pages: [{ body: '{% if %}' }] }", "template"),
        ("{ choose: never }", "never"),
        ("{ answers: upstream }", "upstream"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
