//! What the fuzzer runs: each parser of ours against any bytes, with what must hold of its answer. A target is a
//! function of bytes, so that a plain test can replay the committed seeds (`tests/seeds.rs`).
//!
//! Inputs of several parts are text, the parts divided by lines of `----`, so that seeds can be read and written.

mod accept;
mod access_log;
mod ai_guard;
mod ai_request;
mod ai_stream;
mod certificate;
mod configuration;
mod connection;
mod cookies;
mod explain;
mod expression;
mod forwarded;
mod host;
mod message;
mod network;
mod origin;
mod path;
mod query;
mod rewrite;
mod signature;
mod table;
mod target;
mod template;
mod trace;
mod values;

mod kit;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by its name, which is its binary's and its seeds' too.
pub const TARGETS: &[(&str, Target)] = &[
    ("accept", accept::run),
    ("access_log", access_log::run),
    ("ai_guard", ai_guard::run),
    ("ai_request", ai_request::run),
    ("ai_stream", ai_stream::run),
    ("certificate", certificate::run),
    ("configuration", configuration::run),
    ("connection", connection::run),
    ("cookies", cookies::run),
    ("explain", explain::run),
    ("expression", expression::run),
    ("forwarded", forwarded::run),
    ("host", host::run),
    ("message", message::run),
    ("network", network::run),
    ("origin", origin::run),
    ("path", path::run),
    ("query", query::run),
    ("rewrite", rewrite::run),
    ("signature", signature::run),
    ("table", table::run),
    ("target", target::run),
    ("template", template::run),
    ("trace", trace::run),
    ("values", values::run),
];

/// Runs the target of this name. Stops where there is none.
pub fn run(name: &str, input: &[u8]) {
    let known = TARGETS.iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("there is no target `{name}`")).1(input);
}
