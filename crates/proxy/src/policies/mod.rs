//! Policies act on an exchange. A policy is a folder here and one line in [`registry`]; schema, reference docs, metric
//! labels and error codes all come from it.

mod frame;
pub mod registry;

pub use frame::{Ended, Level, Merge, Need, Needs, Outcome, Policy, Reply, Scopes, Stage, Step, Verdict};
