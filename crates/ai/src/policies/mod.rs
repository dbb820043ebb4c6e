//! Policies that act on calls of models, one folder each.

mod ai_cache;
mod budget;
mod caller_key;
mod guardrail;
pub(crate) mod models;
mod system_message;
mod token_limit;
mod tools;
mod whose;

pub(crate) use budget::spent;
pub(crate) use caller_key::CallerKeys;
use proxy::policies::registry::{Registered, entry};

/// Every one.
pub static POLICIES: &[Registered] = &[
    entry::<ai_cache::AiCache>(include_str!("ai_cache/example.yaml")),
    entry::<models::Models>(include_str!("models/example.yaml")),
    entry::<guardrail::Guardrail>(include_str!("guardrail/example.yaml")),
    entry::<system_message::SystemMessage>(include_str!("system_message/example.yaml")),
    entry::<token_limit::TokenLimit>(include_str!("token_limit/example.yaml")),
    entry::<tools::Tools>(include_str!("tools/example.yaml")),
    entry::<budget::Budget>(include_str!("budget/example.yaml")),
];
