use std::collections::HashSet;
use std::time::Duration;

use http::Request;
use serde_json::Value;

use super::{Format, make};
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(policy: &str, trusted: &str) -> String {
    format!(
        r#"
version: 1
trusted_proxies: [{trusted}]
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ request_id: {policy} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

/// The id that the terminal saw, and the one of the answer, for a request with these ids.
fn ids(yaml: &str, header: &str, inbound: &[&str]) -> (Value, Option<String>) {
    let request = inbound.iter().fold(Request::get("/"), |request, id| request.header(header, *id));
    let answer = answer(&program(yaml), request.body(Body::Empty).unwrap());
    let seen: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(seen["request_id"], seen["headers"][header]);
    (seen["request_id"].clone(), answer.headers().get(header).map(|id| id.to_str().unwrap().to_owned()))
}

#[test]
fn an_id_is_taken_over_or_made() {
    let long = "a".repeat(129);
    for (policy, trusted, header, inbound, taken) in [
        ("{}", "", "x-request-id", vec![], false),
        ("{}", "", "x-request-id", vec!["abc"], false),
        ("{}", "192.0.2.0/24", "x-request-id", vec!["abc"], true),
        ("{}", "192.0.3.0/24", "x-request-id", vec!["abc"], false),
        ("{ inbound: accept }", "", "x-request-id", vec!["Ab1-_.:+/=@"], true),
        ("{ inbound: accept }", "", "x-request-id", vec![""], false),
        ("{ inbound: accept }", "", "x-request-id", vec!["a b"], false),
        ("{ inbound: accept }", "", "x-request-id", vec!["a\"b"], false),
        ("{ inbound: accept }", "", "x-request-id", vec![&long], false),
        ("{ inbound: accept }", "", "x-request-id", vec!["a", "b"], false),
        ("{ inbound: replace }", "192.0.2.0/24", "x-request-id", vec!["abc"], false),
        ("{ inbound: accept, header: X-Job }", "", "x-job", vec!["abc"], true),
    ] {
        let (seen, answered) = ids(&configuration(policy, trusted), header, &inbound);
        assert_eq!(inbound.first().is_some_and(|id| seen == **id), taken, "{policy} {inbound:?}");
        assert_eq!(answered.as_deref(), seen.as_str(), "{policy} {inbound:?}");
        assert!(!seen.as_str().unwrap().is_empty());
    }
}

#[test]
fn the_answer_may_leave_it_out() {
    let (seen, answered) = ids(&configuration("{ answer: omit, format: hex }", ""), "x-request-id", &[]);
    assert_eq!((seen.as_str().unwrap().len(), answered), (32, None));
}

#[test]
fn refusals_name_their_request() {
    let yaml = configuration("{}", "").replace("request_id: {}", "request_id: {}, ip: { deny: [0.0.0.0/0] }");
    let answer = answer(&program(&yaml), Request::get("/").body(Body::Empty).unwrap());
    let problem: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(
        (answer.status().as_u16(), &problem["request_id"]),
        (403, &answer.headers()["x-request-id"].to_str().unwrap().into())
    );
}

#[test]
fn new_ids_are_well_formed_and_differ() {
    let wall = Duration::from_millis(0x0198_c0de_1234);
    let mut seen = HashSet::new();
    for _ in 0..1_000 {
        let uuid = make(Format::Uuid, wall);
        let text = uuid.to_str().unwrap();
        assert!(text.starts_with("0198c0de-1234-7"), "{text}");
        let dashes: Vec<_> = text.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((text.len(), dashes), (36, vec![8, 13, 18, 23]), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        assert!(
            text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)),
            "{text}"
        );
        let hex = make(Format::Hex, wall);
        assert!(seen.insert(uuid.clone()) && seen.insert(hex.clone()));
        assert_eq!(hex.len(), 32);
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ header: 'a b' }", "not a header name"),
        ("{ header: content-length }", "set by the gateway itself"),
        ("{ inbound: maybe }", "maybe"),
        ("{ format: uuid4 }", "uuid4"),
    ] {
        let problems = try_program(&configuration(policy, ""), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
