use http::{Request, StatusCode};
use serde_json::Value;

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

/// A key as `tollgate key` makes them.
const MADE: &str = "tg_JAanpjzMehrxcMTxd5w2acQ8bcDyyCiBSPploaLC5Bk2JBZTY";

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - {{ name: users, policies: {{ key_auth: {policy} }}, to: {{ echo: {{}} }} }}
consumers:
  - {{ name: mobile, credentials: [{{ key: "good-key" }}, {{ key: "second-key" }}] }}
  - {{ name: partner, credentials: [{{ key: "other-key" }}] }}
  - {{ name: gone, enabled: false, credentials: [{{ key: "gone-key" }}] }}
  - {{ name: cut, credentials: [{{ key: "cut-key", enabled: false }}] }}
  - {{ name: made, credentials: [{{ key: "{MADE}" }}] }}
  - {{ name: forged, credentials: [{{ key_sha256: "6d14d72461a52cbfeae9c2eb5fac4c353ab3a68550a6bf2dffc9f4d2645f703c" }}] }}
"#
    )
}

fn ask(policy: &str, target: &str, headers: &[(&str, &str)]) -> (StatusCode, Value, http::HeaderMap) {
    let program = program(&configuration(policy));
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = answer(&program, request.body(Body::Empty).unwrap()).into_parts();
    (head.status, serde_json::from_slice(&body).unwrap(), head.headers)
}

#[test]
fn a_key_is_found_wherever_it_may_stand() {
    let all = "{ names: [x-key, authorization, { bearer: x-token }, { query: key }, { cookie: sid }] }";
    for (policy, target, headers) in [
        ("{}", "/", vec![("x-api-key", "good-key")]),
        ("{}", "/", vec![("authorization", "Bearer good-key")]),
        ("{}", "/", vec![("authorization", "bEARER   good-key ")]),
        ("{}", "/", vec![("x-api-key", "good-key"), ("authorization", "Bearer good-key")]),
        ("{}", "/", vec![("x-api-key", "second-key")]),
        // Another scheme is for somebody else.
        ("{}", "/", vec![("x-api-key", "good-key"), ("authorization", "Basic eDp5")]),
        (all, "/", vec![("x-key", "good-key")]),
        (all, "/", vec![("x-token", "Bearer good-key")]),
        (all, "/?a=1&key=good-key", vec![]),
        (all, "/?k%65y=good%2Dkey", vec![]),
        (all, "/", vec![("cookie", "a=1; sid=good-key")]),
        (all, "/", vec![("cookie", "a=1"), ("cookie", "sid=\"good-key\"; b=2")]),
        ("{ names: x-key }", "/", vec![("x-key", "good-key")]),
    ] {
        let (status, echo, _) = ask(policy, target, &headers);
        assert_eq!(status, 200, "{policy} {target} {headers:?}: {echo}");
        assert_eq!(echo["consumer"], "mobile", "{policy} {target} {headers:?}");
    }
}

#[test]
fn what_is_no_good_key_is_refused() {
    for (policy, target, headers, status, code) in [
        ("{}", "/", vec![], 401, "auth.missing"),
        ("{}", "/", vec![("x-api-key", "")], 401, "auth.missing"),
        ("{}", "/", vec![("authorization", "Basic eDp5")], 401, "auth.missing"),
        ("{}", "/", vec![("authorization", "Bearer")], 401, "auth.missing"),
        ("{}", "/?key=good-key", vec![], 401, "auth.missing"),
        ("{ names: [{ query: key }] }", "/", vec![("x-api-key", "good-key")], 401, "auth.missing"),
        ("{ names: [{ cookie: sid }] }", "/", vec![("cookie", "xsid=good-key")], 401, "auth.missing"),
        ("{}", "/", vec![("x-api-key", "Good-key")], 401, "key_auth.invalid"),
        ("{}", "/", vec![("x-api-key", "good-key2")], 401, "key_auth.invalid"),
        ("{}", "/", vec![("x-api-key", "good-key"), ("x-api-key", "bad")], 400, "key_auth.ambiguous"),
        ("{}", "/", vec![("x-api-key", "good-key"), ("authorization", "Bearer other-key")], 400, "key_auth.ambiguous"),
        ("{ names: [{ query: key }] }", "/?key=good-key&key=other-key", vec![], 400, "key_auth.ambiguous"),
        ("{}", "/", vec![("x-api-key", "gone-key")], 403, "auth.consumer_disabled"),
        ("{}", "/", vec![("x-api-key", "cut-key")], 401, "key_auth.invalid"),
    ] {
        let (got, problem, _) = ask(policy, target, &headers);
        assert_eq!((got.as_u16(), &problem["code"]), (status, &code.into()), "{policy} {target} {headers:?}");
    }
}

#[test]
fn a_refusal_says_how_to_be_known() {
    let challenges = |policy: &str, headers: &[(&str, &str)]| {
        let (.., headers) = ask(policy, "/", headers);
        let values = headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap().to_owned());
        values.collect::<Vec<_>>()
    };
    assert_eq!(challenges("{}", &[]), ["Bearer realm=\"users\"", "ApiKey realm=\"users\""]);
    assert_eq!(challenges("{ names: x-key, realm: 'a \"b\"' }", &[]), [r#"ApiKey realm="a \"b\"""#]);
    let invalid = challenges("{ names: authorization }", &[("authorization", "Bearer x")]);
    assert_eq!(invalid, ["Bearer realm=\"users\", error=\"invalid_token\""]);
}

#[test]
fn the_upstream_does_not_see_the_key() {
    let all = |upstream: &str| {
        format!("{{ names: [x-key, authorization, {{ query: key }}, {{ cookie: sid }}], upstream: {upstream} }}")
    };
    let headers = [("x-key", "good-key"), ("authorization", "Bearer good-key"), ("cookie", "a=1; sid=good-key; b=2")];
    let (_, hidden, _) = ask(&all("hide"), "/?a=1&key=good-key&b=%20", &headers);
    assert_eq!(hidden["query"], serde_json::json!({ "a": "1", "b": " " }));
    assert_eq!(hidden["headers"], serde_json::json!({ "host": "gate.test", "cookie": "***" }));
    let (_, kept, _) = ask(&all("keep"), "/?a=1&key=good-key", &headers);
    assert_eq!(kept["query"]["key"], "***");
    assert_eq!(kept["headers"].as_object().unwrap().len(), 4);
    // Only a bearer token is the key; other credentials are the upstream's.
    let (_, basic, _) = ask("{}", "/", &[("x-api-key", "good-key"), ("authorization", "Basic eDp5")]);
    assert_eq!(basic["headers"], serde_json::json!({ "authorization": "***", "host": "gate.test" }));
}

#[test]
fn a_key_in_the_query_is_not_remembered() {
    for upstream in ["hide", "keep"] {
        let program = program(&configuration(&format!("{{ names: [{{ query: key }}], upstream: {upstream} }}")));
        let request = Request::get("/x?key=good-key&a=1").body(Body::Empty).unwrap();
        let mut x = crate::exchange::testing::exchange_of(&program, request);
        let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
        let crate::policies::Verdict::Done(crate::policies::Outcome::Next) = plan.steps[0].step.request(&mut x) else {
            panic!("refused");
        };
        assert_eq!(x.record.target, "/x?a=1", "{upstream}");
    }
}

#[test]
fn where_no_credential_is_needed_a_wrong_one_is_still_refused() {
    let yaml = configuration("{}").replace("name: users,", "name: users, identify: { mode: optional },");
    let program = program(&yaml);
    for (key, status) in [(None, 200), (Some("good-key"), 200), (Some("bad"), 401)] {
        let request = key.iter().fold(Request::get("/"), |request, key| request.header("x-api-key", *key));
        assert_eq!(answer(&program, request.body(Body::Empty).unwrap()).status(), status, "{key:?}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ names: [] }", "not from 1 to 16"),
        ("{ names: ['x key'] }", "not a header name"),
        ("{ names: [cookie] }", "a key is one cookie"),
        ("{ names: [{ body: x }] }", "body"),
        ("{ names: [{ query: '' }] }", "from 1 to 256"),
        ("{ names: [{ query: a, cookie: b }] }", "a place is one thing"),
        ("{ name_s: x }", "name_s"),
        ("{ upstream: maybe }", "maybe"),
        ("{ realm: \"a\\nb\" }", "control characters"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}

#[test]
fn a_key_of_the_gateways_own_form_has_its_checksum() {
    let (status, echo, _) = ask("{}", "/", &[("x-api-key", MADE)]);
    assert_eq!((status.as_u16(), &echo["consumer"]), (200, &"made".into()));
    let mistyped = MADE.replace("JAan", "JAbn");
    // The last one is a key of the configuration, and is refused without asking that.
    for key in [&mistyped, MADE.trim_end_matches('Y'), "tg_", "tg_forged"] {
        let (status, problem, _) = ask("{}", "/", &[("x-api-key", key)]);
        assert_eq!((status.as_u16(), &problem["code"]), (401, &"key_auth.invalid".into()), "{key}");
    }
}
