//! What holds of every policy and terminal: the registry's order, and examples that run.

use std::collections::HashSet;

use super::registry::POLICIES;
use crate::exchange::testing::{environment, program_in};
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
