//! What holds of every policy and terminal: the registry's order, and examples that run.

use std::collections::{BTreeSet, HashSet};

use http::Request;
use serde_json::Value;

use super::registry::POLICIES;
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, program_in};
use crate::policies::{Level, Stage};
use crate::program::Environment;
use crate::terminals::TERMINALS;

#[test]
fn the_registry_is_in_running_order_and_each_place_is_taken_once() {
    let orders: Vec<_> = POLICIES.iter().map(|policy| policy.order).collect();
    assert!(orders.windows(2).all(|pair| pair[0] < pair[1]), "{orders:?}");
    let kinds: HashSet<_> = POLICIES.iter().map(|policy| policy.kind).collect();
    assert_eq!(kinds.len(), POLICIES.len());
}

#[test]
fn nobody_is_known_before_authorize() {
    for policy in POLICIES.iter().filter(|policy| policy.order.0 <= Stage::Identify) {
        assert!(!policy.scopes.has(Level::Plan) && !policy.scopes.has(Level::Consumer), "{}", policy.kind);
    }
}

#[test]
fn error_codes_begin_with_the_kind() {
    let policies = POLICIES.iter().map(|policy| (policy.kind, policy.codes));
    let terminals = TERMINALS.iter().map(|terminal| (terminal.kind, terminal.codes));
    for (kind, codes) in policies.chain(terminals) {
        for code in codes {
            assert_eq!(code.name.split_once('.').map(|(start, _)| start), Some(kind), "{}", code.name);
            assert!((400..600).contains(&code.status), "{}", code.name);
        }
    }
}

#[test]
fn every_example_runs_and_uses_what_it_is_of() {
    let policies = POLICIES.iter().map(|policy| (policy.kind, policy.example));
    let terminals = TERMINALS.iter().map(|terminal| (terminal.kind, terminal.example));
    for (kind, example) in policies.chain(terminals) {
        assert!(example.contains(&format!("{kind}:")), "the example of {kind} does not use it");
        // Files that it names are the reader's.
        let program = program_in(example, &Environment { offline: true, ..environment() });
        assert!(program.routes.len() > 1, "the example of {kind} has no route");
    }
}

/// What only a step writes, a client cannot: also where the step's condition does not hold, nobody is identified, or the
/// name is spelled as another of the same to many an upstream.
#[test]
fn nobody_writes_what_only_a_step_writes() {
    let key = "keys: [{ secret: a-secret-of-at-least-32-characters, algorithm: HS256 }]";
    let token = "headers: { x-user: sub }";
    let post = "when: 'request.method == \"POST\"'";
    for policy in [
        format!("jwt: {{ issuers: [{{ issuer: 'https://id.test', {key} }}], {token}, {post} }}"),
        format!("oauth2_introspection: {{ url: 'https://id.test', client: {{ id: a, secret: b }}, {token}, {post} }}"),
        format!("ext_auth: {{ url: 'https://id.test', upstream: x-user, {post} }}"),
        format!("ext_auth: {{ url: 'https://id.test', upstream: x-us*, {post} }}"),
        format!("ext_auth: {{ url: 'https://id.test', upstream: [x-user, authorization], {post} }}"),
        "identity_headers: { headers: { x-user: consumer } }".to_owned(),
    ] {
        let program = program(&format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, identify: {{ mode: optional }}, policies: {{ {policy} }}, to: {{ echo: {{}} }} }}]
"#
        ));
        let lies = ["x-user", "X-User", "x_user"];
        let request = lies.iter().fold(Request::get("/"), |request, name| request.header(*name, "root"));
        let request = request.header("x-other", "kept").header("x_other", "kept").header("content-length", "0");
        let body = answer(&program, request.body(Body::Empty).unwrap()).into_body();
        let mut told: Value = serde_json::from_slice(&body).unwrap();
        let headers = told["headers"].take();
        let names: BTreeSet<&str> = headers.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["content-length", "host", "x-other", "x_other"]), "{policy}");
    }
}

/// Every field says what it is for: the schema is what reference docs are made of.
#[test]
fn every_field_is_described() {
    let policies = POLICIES.iter().map(|policy| (policy.kind, policy.schema));
    let terminals = TERMINALS.iter().map(|terminal| (terminal.kind, terminal.schema));
    for (kind, schema) in policies.chain(terminals) {
        let mut generator = schemars::SchemaGenerator::default();
        let root = schema(&mut generator).to_value();
        assert!(root.get("description").is_some(), "{kind} has no description");
        undescribed(kind, &root);
        for (name, definition) in generator.definitions() {
            undescribed(&format!("{kind}: {name}"), definition);
        }
    }
}

fn undescribed(path: &str, schema: &serde_json::Value) {
    for (name, field) in schema.get("properties").and_then(|fields| fields.as_object()).into_iter().flatten() {
        assert!(field.get("description").is_some(), "{path}.{name} has no description");
        undescribed(&format!("{path}.{name}"), field);
    }
}
