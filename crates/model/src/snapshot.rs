//! A snapshot: validated configuration. Names are indices here; what must exist does.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::load::Spanned;
use crate::resource::{
    AccessLog, Api, Consumer, Drain, Geo, Listener, Log, Model, Operations, Plan, Prompt, Provider, Redis, Route,
    Store, Switch, Upstream, Workers,
};
use crate::value::Timestamp;

/// Validated configuration. Indices point into its own lists.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// How many workers.
    pub workers: Workers,
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// The upstreams.
    pub upstreams: Vec<Upstream>,
    /// The apis with their routes.
    pub apis: Vec<PublishedApi>,
    /// The plans.
    pub plans: Vec<Plan>,
    /// The consumers.
    pub consumers: Vec<KnownConsumer>,
    /// The file of more consumers.
    pub consumers_file: Option<Spanned<String>>,
    /// The subscriptions.
    pub subscriptions: Vec<KnownSubscription>,
    /// Who serves models.
    pub providers: Vec<Provider>,
    /// The models.
    pub models: Vec<KnownModel>,
    /// Prompts that routes publish, also those that are not enabled.
    pub prompts: Vec<Prompt>,
    /// A file of models with their sizes and prices.
    pub catalog: Option<Spanned<String>>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Where this gateway is.
    pub zone: Option<String>,
    /// The operations port.
    pub operations: Operations,
    /// The access log.
    pub access_log: AccessLog,
    /// The gateway's own log.
    pub log: Log,
    /// How it leaves.
    pub drain: Drain,
    /// The data directory.
    pub store: Option<Store>,
    /// Where limits are shared.
    pub redis: Option<Redis>,
    /// Which country and network addresses belong to.
    pub geo: Option<Geo>,
    /// What relative paths of files that policies name start from; the process's own folder where it is empty.
    pub folder: PathBuf,
    /// Whether answers carry `Server-Timing`.
    pub server_timing: Switch,
    /// Upstreams by name.
    pub upstream_names: HashMap<String, usize>,
}

/// An api whose names are resolved.
#[derive(Debug)]
pub struct PublishedApi {
    /// What was written, less its routes.
    pub api: Api,
    /// The listeners it is reached by.
    pub listeners: Vec<usize>,
    /// Its routes, each with the name that was given or its place.
    pub routes: Vec<(String, Route)>,
}

/// A consumer whose names are resolved.
#[derive(Debug)]
pub struct KnownConsumer {
    /// What was written.
    pub consumer: Consumer,
    /// Its default plan.
    pub plan: Option<usize>,
}

/// A model whose names are resolved.
#[derive(Debug)]
pub struct KnownModel {
    /// What was written.
    pub model: Model,
    /// The provider of each target.
    pub providers: Vec<usize>,
    /// The models of each entry of `fallbacks`.
    pub fallbacks: Vec<Vec<usize>>,
}

/// A subscription whose names are resolved, be it suspended or not.
#[derive(Debug)]
pub struct KnownSubscription {
    /// The consumer.
    pub consumer: usize,
    /// The api.
    pub api: usize,
    /// The plan that applies.
    pub plan: Option<usize>,
    /// `false`: it is suspended.
    pub enabled: bool,
    /// When it ends.
    pub expires: Option<Timestamp>,
}
