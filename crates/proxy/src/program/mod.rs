//! A program: a snapshot with everything merged, ordered, parsed and indexed. It is loaded once an exchange and never
//! changes; what outlives it stands in [`keep`].

mod compile;
mod consumers;
mod context;
pub mod explain;
mod issuers;
pub mod keep;
mod merge;
pub mod table;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use model::resource::{Access, IdentifyMode};

pub(crate) use compile::sha256;
pub use compile::{Environment, compile};
pub(crate) use consumers::is_over;
pub use consumers::{
    Consumer, ConsumerStatus, Consumers, Credential, CredentialId, CredentialKind, CredentialStatus, Hashed, KeyHash,
    Password, SigningKey, Subscription, SubscriptionStatus,
};
pub use context::{Compile, Owner};
pub use keep::Keep;

use crate::clock::Clock;
use crate::expr::Expr;
use crate::geo::Geo;
use crate::policies::{FieldNames, Level, Needs, Stage, Step};
use crate::registry::Registry;
use crate::stores::Stores;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::{ListenerMetrics, RouteMetrics, Telemetry};
use crate::terminals::Terminal;
use crate::tokens::issue::OwnIssuer;
use crate::upstream::Upstream;
use table::Table;

/// A route's plan in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteId(pub u32);

/// A listener's place, the same over reloads and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerSlot(pub u32);

/// A consumer's place, the same over reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerSlot(pub u32);

/// An upstream in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamId(pub u32);

/// Compiled configuration.
pub struct Program {
    /// Counts the programs of this process, from 1.
    pub revision: u64,
    /// A hash of the configuration's content, hexadecimal.
    pub hash: String,
    /// Where time comes from.
    pub clock: Clock,
    /// Listeners by slot.
    pub listeners: Box<[Option<ListenerPlan>]>,
    /// Route plans by id; the first one answers where a listener is gone.
    pub routes: Box<[RoutePlan]>,
    /// Upstreams by id.
    pub upstreams: Box<[Arc<Upstream>]>,
    /// Who may call.
    pub consumers: Arc<Consumers>,
    /// Proxies in front whose forwarding headers are believed.
    pub trusted_proxies: Box<[ipnet::IpNet]>,
    /// Whether answers carry `Server-Timing`.
    pub server_timing: bool,
    /// What the gateway can do.
    pub registry: &'static Registry,
    /// Where records go.
    pub telemetry: Arc<Telemetry>,
    /// What counts outside of this process's memory.
    pub stores: Arc<Stores>,
    /// The counters that it shares with other gateways, where there is a `redis`.
    pub shared: Option<Arc<store::shared::Shared>>,
    /// Which country and network addresses belong to.
    pub geo: Option<Arc<Geo>>,
    /// Whether it counts in the data directory, which is then to be open before it runs.
    pub wants_disk: bool,
    /// Issuers whose tokens it signs.
    pub(crate) issuers: Box<[Arc<OwnIssuer>]>,
    /// What is done once it runs, before a request asks for it.
    pub(crate) early: Arc<[Early]>,
    /// What is logged of each exchange; none where nothing is.
    pub access_log: Option<Arc<AccessLog>>,
    /// The snapshot it was compiled from.
    pub snapshot: Arc<model::snapshot::Snapshot>,
}

/// Something that is done by the connections of a worker before a request asks for it.
pub(crate) type Early = Box<dyn Fn(usize) -> BoxFuture<'static, ()> + Send + Sync>;

/// A program in the hands of one worker, so that counting its users touches no other core's memory.
pub struct Local {
    /// The worker's number, from 0.
    pub worker: usize,
    /// The program.
    pub program: Arc<Program>,
}

/// What a listener needs at run time.
pub struct ListenerPlan {
    /// Its name.
    pub name: Arc<str>,
    /// Which route takes a request. Shared by listeners with the same apis.
    pub table: Arc<Table>,
    /// The plan of exchanges that match nothing.
    pub no_route: RouteId,
    /// What was written, defaults included.
    pub listener: model::resource::Listener,
    /// Its TLS, with certificates loaded.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Its counters.
    pub metrics: Arc<ListenerMetrics>,
}

/// All that happens on a route.
pub struct RoutePlan {
    /// The api's name; empty on a no-route plan.
    pub api: Arc<str>,
    /// The route's name within the api; empty on a no-route plan.
    pub name: Arc<str>,
    /// Its steps, in running order.
    pub steps: Box<[Planned]>,
    /// Header fields that only its steps write.
    pub owned: FieldNames,
    /// Cookies of steps of other routes, which this route's upstream is not to see.
    pub(crate) foreign_cookies: Box<[Box<str>]>,
    /// Whether the fields of the request's head are kept in the exchange when they go to the upstream, as a response
    /// side reads them.
    pub keep_head: bool,
    /// How many of the steps stand in Admit, Protect or Identify: after these, the gate asks whether the caller is known.
    pub identify_end: usize,
    /// How the results of identifying steps combine.
    pub identify: IdentifyMode,
    /// Who may call.
    pub access: Access,
    /// The api's place in the snapshot, for subscriptions.
    pub api_index: Option<u32>,
    /// The places of its api in the snapshot and of itself in that; none of a no-route plan.
    pub place: Option<(u32, u32)>,
    /// What it ends in.
    pub terminal: Terminal,
    /// How many bytes of the path are the api's own, to be taken off towards the upstream; 0 keeps all.
    pub strip: usize,
    /// Timeouts that replace the upstream's.
    pub timeouts: model::resource::RouteTimeouts,
    /// Its counters.
    pub metrics: RouteMetrics,
}

/// A step in its place.
pub struct Planned {
    /// The policy's kind.
    pub kind: &'static str,
    /// The instance's name; empty for the only one.
    pub name: Arc<str>,
    /// Its stage.
    pub stage: Stage,
    /// The level that set it.
    pub level: Level,
    /// The step acts only where this holds.
    pub when: Option<Expr>,
    /// What it needs of the bodies.
    pub needs: Needs,
    /// Whether its response side reads fields of the request's head.
    pub keep_head: bool,
    /// The step.
    pub step: Arc<dyn Step>,
}

impl Program {
    /// The plan of this id; the first one for an id of another program.
    pub fn plan(&self, id: RouteId) -> &RoutePlan {
        let fallback = self.routes.first();
        #[expect(clippy::expect_used, reason = "compile puts the fallback plan at 0")]
        self.routes.get(id.0 as usize).or(fallback).expect("a program has at least one plan")
    }

    /// The listener in this slot, unless it is gone.
    pub fn listener(&self, slot: ListenerSlot) -> Option<&ListenerPlan> {
        self.listeners.get(slot.0 as usize)?.as_ref()
    }

    /// The plan of exchanges by this listener that match nothing.
    pub fn no_route(&self, slot: ListenerSlot) -> RouteId {
        self.listener(slot).map_or(RouteId(0), |listener| listener.no_route)
    }

    /// The upstream of this id.
    pub fn upstream(&self, id: UpstreamId) -> Option<&Arc<Upstream>> {
        self.upstreams.get(id.0 as usize)
    }
}
