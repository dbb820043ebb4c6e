//! The whole document: what one file, one folder or one revision says.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    AccessLog, Ai, Api, Consumer, Drain, Geo, Listener, Log, Operations, Plan, Redis, Store, Subscription, Switch,
    Upstream, Workers,
};
use crate::load::Spanned;

/// A Tollgate configuration. Top-level keys that begin with `x-` are ignored, so that anchors have a place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    // Optional only so that its absence is told together with all other problems.
    /// The version of this format; `1` is the only one.
    #[schemars(range(min = 1, max = 1), required)]
    pub version: Option<Spanned<u32>>,
    /// How many worker threads carry traffic, each with its own event loop: a number from 1 to 1024, or `auto` for one
    /// a core.
    #[serde(default)]
    pub workers: Workers,
    /// Where the gateway accepts connections.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// Where requests are sent.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// What is published.
    #[serde(default)]
    pub apis: Vec<Api>,
    /// What consumers may use: limits, quotas and prices by name.
    #[serde(default)]
    pub plans: Vec<Plan>,
    /// Who calls: applications with their credentials.
    #[serde(default)]
    pub consumers: Vec<Consumer>,
    /// A file of more consumers, for many of them: a line each, `name,plan,sha256` with the name of the consumer, that of its
    /// plan (or nothing), and the SHA-256 of its key; then, if any, the apis that it is subscribed to (names with spaces
    /// between, or `*`). Several lines of one name, one behind the other, are several keys. Lines that begin with `#` are
    /// left out. It is read anew when it changes.
    pub consumers_file: Option<Spanned<String>>,
    /// Which consumer may call which api, under which plan.
    #[serde(default)]
    pub subscriptions: Vec<Subscription>,
    /// Models for callers, and who serves them.
    #[serde(default)]
    pub ai: Ai,
    /// Addresses (CIDR) of proxies in front of the gateway whose `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded`
    /// headers are believed. Empty: nobody's are, and the client's address is the peer's.
    #[serde(default)]
    pub trusted_proxies: Vec<Spanned<String>>,
    /// Where this gateway is: targets of the same `zone` are asked before others.
    pub zone: Option<String>,
    /// The operations port: health, readiness, metrics, state.
    #[serde(default)]
    pub operations: Operations,
    /// The record of every request: `off`, or where and how it is written.
    #[serde(default)]
    pub access_log: AccessLog,
    /// The gateway's own log.
    #[serde(default)]
    pub log: Log,
    /// How the gateway leaves when it is told to stop.
    #[serde(default)]
    pub drain: Drain,
    /// The data directory of what must not be lost, such as quotas. Without it that is `data` in the configuration's
    /// folder, made once something needs it.
    pub store: Option<Store>,
    /// The Redis that limits are shared on, for several gateways.
    pub redis: Option<Redis>,
    /// Which country and network addresses belong to.
    pub geo: Option<Geo>,
    /// Whether answers carry `Server-Timing` with the gateway's own overhead and the upstream's time.
    #[serde(default)]
    pub server_timing: Switch,
}
