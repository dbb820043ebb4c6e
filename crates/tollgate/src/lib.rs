//! The wiring of Tollgate: configuration read, compiled and run, and the commands that do it.

pub mod authz;
pub mod cli;
pub mod configuration;
pub mod demo;
mod desk;
pub mod explain;
pub mod operations;
mod paths;
pub mod reload;
pub mod run;
pub mod schema;
mod sealed;
mod stores;
pub mod watch;

use proxy::registry::Registry;

/// What this gateway can do.
pub static REGISTRY: &Registry = &Registry {
    policies: &[proxy::policies::registry::POLICIES, ai::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, ai::TERMINALS],
};
