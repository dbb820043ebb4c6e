//! Where several gateways share their limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Spanned;
use crate::value::{Duration, OneOrMany, Secret};

/// The Redis or Valkey (7 or later) that several gateways share their limits on. Policies use it where they say
/// `store: redis`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// `redis://host:port/database`, `rediss://…` for TLS, `redis+unix:///path` for a socket. Of `sentinel` and `cluster`
    /// one or several addresses to begin with.
    pub url: OneOrMany<Spanned<Secret<String>>>,
    /// What answers there.
    #[serde(default)]
    pub mode: RedisMode,
    /// The name that Sentinel knows the master by; for `mode: sentinel`.
    pub master: Option<Spanned<String>>,
    /// The user (ACL). Replaces one in the URL.
    pub username: Option<Spanned<String>>,
    /// The user's password. Replaces one in the URL.
    pub password: Option<Secret<String>>,
    /// Of `rediss://`: whom to believe, and who this gateway is.
    #[serde(default)]
    pub tls: RedisTls,
    /// How long a call may take, from `1ms` to `10s`; what takes longer is decided as `on_error` says.
    #[serde(default = "timeout")]
    #[schemars(extend("default" = "10ms"))]
    pub timeout: Spanned<Duration>,
    /// Connections of this gateway, from 1 to 64. Each carries many calls at a time.
    #[serde(default = "connections")]
    #[schemars(range(min = 1, max = 64), extend("default" = 2))]
    pub connections: Spanned<u32>,
    /// What the names of its keys begin with. Gateways with the same one share their limits.
    #[serde(default = "prefix")]
    #[schemars(extend("default" = "tollgate"))]
    pub prefix: Spanned<String>,
    /// What applies while it does not answer.
    #[serde(default)]
    pub on_error: RedisOnError,
    /// How many keys are remembered here in case it goes, from 1000 to 10000000, some 200 bytes each.
    #[serde(default = "keys")]
    #[schemars(range(min = 1000, max = 10_000_000), extend("default" = 100_000))]
    pub keys: Spanned<u32>,
}

fn timeout() -> Spanned<Duration> {
    Spanned::from(Duration::from_millis(10))
}

fn connections() -> Spanned<u32> {
    Spanned::from(2)
}

fn prefix() -> Spanned<String> {
    Spanned::from("tollgate".to_owned())
}

fn keys() -> Spanned<u32> {
    Spanned::from(100_000)
}

/// What answers at the URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedisMode {
    /// One server.
    #[default]
    Standalone,
    /// Sentinels, which tell where the master is.
    Sentinel,
    /// Nodes of a cluster.
    Cluster,
}

/// Certificates of a connection by TLS, each a file in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisTls {
    /// Authorities that the server's certificate may come from; the system's when not given.
    pub ca: Option<Spanned<String>>,
    /// This gateway's certificate.
    pub certificate: Option<Spanned<String>>,
    /// Its key.
    pub key: Option<Spanned<String>>,
}

/// What applies while Redis does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedisOnError {
    /// Each gateway admits its share: the limit by the number of gateways last seen. What was admitted is told when
    /// Redis is back, so that no limit is refilled.
    #[default]
    Local,
    /// Nothing is admitted.
    Closed,
    /// Everything is admitted and nothing counted: limits are unbounded meanwhile.
    Open,
}
