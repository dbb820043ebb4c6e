//! An upstream receives requests; a target is one address of it.

use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Balance, Breaker, Fallback, Health, Hedge, Retry, Spill};
use crate::load::Spanned;
use crate::value::{ByteSize, Duration, Name};

/// Receives requests, at one or more targets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its name, unique among upstreams.
    pub name: Spanned<Name>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Its addresses, at least one.
    #[schemars(length(min = 1))]
    pub targets: Vec<Target>,
    /// How a target is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// What becomes of requests while targets are not well.
    #[serde(default)]
    pub spill: Spill,
    /// How targets are watched.
    #[serde(default)]
    pub health: Health,
    /// What is tried again.
    pub retry: Option<Retry>,
    /// A second try while the first has not answered yet.
    pub hedge: Option<Hedge>,
    /// When it is left alone, and what it takes at most.
    pub breaker: Option<Breaker>,
    /// What takes a request that this upstream cannot: none of its targets can be asked, or the last try failed without an
    /// answer and the request may be sent again.
    pub fallback: Option<Fallback>,
    /// The HTTP version spoken to targets.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// The `Host` (`:authority`) that targets see.
    #[serde(default)]
    pub host: HostPolicy,
    /// How long things may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Connections kept open.
    #[serde(default)]
    pub pool: Pool,
    /// TLS towards `https` targets.
    #[serde(default)]
    pub tls: UpstreamTls,
}

/// One address of an upstream.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http://`, `https://` or `h2c://` with a host and an optional port. A DNS name is resolved again as its TTL
    /// ends, and all its addresses are used.
    pub url: Spanned<String>,
    /// Its share of requests beside its siblings, from 0 (none) to 65535.
    #[serde(default = "one")]
    pub weight: Spanned<u16>,
    /// Its tier, from 0: targets of a higher number take requests only as `spill` says, or where those before are full.
    #[serde(default)]
    pub priority: u8,
    /// Where it is. Those of the gateway's own `zone` are asked before others of the same priority.
    #[serde(default)]
    pub zone: Option<String>,
    /// The most requests in flight at each of its addresses; what exceeds them goes to the next tier, and gets 503 where there
    /// is none.
    #[serde(default)]
    pub max_concurrent: Option<u32>,
}

impl Target {
    /// A target that is nothing special.
    #[must_use]
    pub const fn at(url: Spanned<String>, weight: Spanned<u16>) -> Self {
        Self { url, weight, priority: 0, zone: None, max_concurrent: None }
    }
}

fn one() -> Spanned<u16> {
    Spanned::from(1)
}

/// The HTTP version spoken to targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// HTTP/2 where TLS negotiates it (ALPN) or the URL says `h2c`, else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    H1,
    /// HTTP/2 only.
    H2,
}

/// The `Host` that targets see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostPolicy {
    /// The target's own host and port.
    #[default]
    Target,
    /// What the client sent.
    Preserve,
    /// This one.
    Literal(String),
}

impl<'de> Deserialize<'de> for HostPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = HostPolicy;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`target`, `preserve` or a host name")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HostPolicy, E> {
                Ok(match text {
                    "target" => HostPolicy::Target,
                    "preserve" => HostPolicy::Preserve,
                    "" => return Err(E::custom("the host must not be empty")),
                    host => HostPolicy::Literal(host.to_owned()),
                })
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl Serialize for HostPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            HostPolicy::Target => "target",
            HostPolicy::Preserve => "preserve",
            HostPolicy::Literal(host) => host,
        })
    }
}

impl JsonSchema for HostPolicy {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostPolicy".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "`target` (the target's own host), `preserve` (what the client sent) or a host name.",
            "type": "string", "default": "target", "examples": ["target", "preserve", "users.internal"]
        })
    }
}

/// How long an exchange with a target may take.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// TCP connect and TLS handshake together; over it 504.
    pub connect: Duration,
    /// From the request's last byte to the response head; over it 504.
    pub first_byte: Duration,
    /// The longest pause between two parts of a body; over it the exchange is cut.
    pub idle: Duration,
    /// The whole exchange, body included; `0s` sets no bound, as streams need it.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(0),
        }
    }
}

/// Connections kept open to each target.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Connections to one target, over all workers; requests above it wait for `queue_timeout`, then get 503.
    pub connections: u32,
    /// Idle connections kept for one target by each worker.
    pub idle: u32,
    /// How long an idle connection is kept. Keep it under the target's own keep-alive time.
    pub idle_timeout: Duration,
    /// How old a connection may become; `0s` sets no bound.
    pub max_age: Duration,
    /// Requests of one connection before it is closed; 0 sets no bound.
    pub max_requests: u32,
    /// Concurrent streams of one HTTP/2 connection.
    pub streams: u32,
    /// How long a request waits for a connection when all are in use.
    pub queue_timeout: Duration,
    /// TCP keepalive probes after this much silence; `0s` turns them off.
    pub tcp_keepalive: Duration,
    /// Bytes of a response head; over it 502.
    pub header_bytes: ByteSize,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            connections: 10_000,
            idle: 256,
            idle_timeout: Duration::from_secs(55),
            max_age: Duration::from_secs(0),
            max_requests: 0,
            streams: 128,
            queue_timeout: Duration::from_secs(1),
            tcp_keepalive: Duration::from_secs(60),
            header_bytes: ByteSize::bytes(64 << 10),
        }
    }
}

/// TLS towards targets.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// File of certificate authorities, PEM; none means the system's.
    pub ca: Option<Spanned<String>>,
    /// File of the certificate shown to targets (mTLS), PEM.
    pub certificate: Option<Spanned<String>>,
    /// File of its private key, PEM.
    pub key: Option<Spanned<String>>,
    /// The name sent as SNI and verified; none means the target's host.
    pub server_name: Option<Spanned<String>>,
    /// Whether the target's certificate is verified. `off` is for tests only.
    pub verify: VerifyServer,
}

/// Whether a target's certificate is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyServer {
    /// Chain, name and dates.
    #[default]
    On,
    /// Not at all: anyone on the path can read and change the traffic.
    Off,
}
