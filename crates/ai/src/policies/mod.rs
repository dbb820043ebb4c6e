//! Policies that act on calls of models, one folder each.

mod ai_cache;
mod budget;
mod caller_key;
mod guardrail;
mod models;
mod payload_log;
mod system_message;
mod token_limit;
mod tools;
mod whose;

use proxy::policies::registry::{Registered, entry};

pub(crate) use self::ai_cache::AiCache;
pub(crate) use self::budget::{Budget, spent};
pub(crate) use self::caller_key::CallerKeys;
pub(crate) use self::models::Models;
pub use self::payload_log::{FOLDER as PAYLOADS, files as payload_files};
pub(crate) use self::token_limit::TokenLimit;

/// Every one.
pub static POLICIES: &[Registered] = &[
    entry::<AiCache>(include_str!("ai_cache/example.yaml")),
    entry::<payload_log::PayloadLog>(include_str!("payload_log/example.yaml")),
    entry::<Models>(include_str!("models/example.yaml")),
    entry::<guardrail::Guardrail>(include_str!("guardrail/example.yaml")),
    entry::<system_message::SystemMessage>(include_str!("system_message/example.yaml")),
    entry::<TokenLimit>(include_str!("token_limit/example.yaml")),
    entry::<tools::Tools>(include_str!("tools/example.yaml")),
    entry::<Budget>(include_str!("budget/example.yaml")),
];
