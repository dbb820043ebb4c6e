//! A route whose terminal is a model: any of the formats that callers speak, to any of the dialects that providers speak.
//!
//! ```text
//! bytes ─▶ wire: a format's own types and stream ─▶ translate: canonical form ─▶ wire: the provider's format ─▶ bytes
//!                same format in and out: the bytes as they are, but for what policy changes
//! ```
//!
//! `wire` and `translate` are pure: bytes and values in, bytes and values out. [`terminal`] is what a route ends in.

pub mod call;
pub mod catalog;
mod fleet;
pub mod guard;
pub mod meter;
pub mod policies;
mod prompts;
pub mod providers;
pub mod terminal;
pub mod translate;
pub mod vectors;
pub mod wire;

use proxy::terminals::{Registered, entry};

pub use policies::{PAYLOADS, POLICIES, payload_files};

/// What of the budget of a caller's key (by its id) is spent and held at this moment, in billionths of a US dollar. None
/// where it cannot be known.
pub fn key_spent(
    env: &proxy::program::Environment,
    id: &str,
    budget: model::value::Spending,
    now: std::time::Duration,
) -> Option<u64> {
    policies::spent(env, id, budget, now)
}

/// The terminals of this crate.
pub static TERMINALS: &[Registered] = &[
    entry::<terminal::Ai>(include_str!("terminal/example.yaml")),
    entry::<terminal::Prompt>(include_str!("prompts/example.yaml")),
];
