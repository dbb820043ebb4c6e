//! Policies act on an exchange. A policy is a folder here and one line in [`registry`]; schema, reference docs, metric
//! labels and error codes all come from it.

mod frame;
mod headers;
mod key_auth;
pub(crate) mod query;
mod rate_limit;
pub mod registry;
pub(crate) mod template;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use frame::{Ended, Level, Merge, Need, Needs, Outcome, Policy, Reply, Scopes, Stage, Step, Verdict};
