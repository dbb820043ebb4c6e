//! What keeps an upstream up while targets fail: how they are watched, what is tried again, what is asked beside.

use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::Pairs;
use crate::load::Spanned;
use crate::value::{Duration, OneOrMany, Percent};

/// How targets are watched.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Asks each address now and then.
    pub active: Option<ActiveHealth>,
    /// Looks at what becomes of requests.
    pub passive: Option<PassiveHealth>,
}

/// Asks each address of each target now and then. An address is taken for well until it proves otherwise.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActiveHealth {
    /// How.
    pub kind: HealthKind,
    /// The path of an `http` check.
    pub path: Spanned<String>,
    /// The `Host` of an `http` check; the target's own when not given.
    pub host: Option<Spanned<String>>,
    /// Header fields of an `http` check.
    pub headers: Pairs<Spanned<String>>,
    /// The service that a `grpc` check asks for; the whole server when not given.
    pub service: Option<String>,
    /// From one check to the next.
    pub interval: Spanned<Duration>,
    /// How far checks are spread about the interval, so that gateways do not ask in step.
    pub jitter: Percent,
    /// How long an answer may take.
    pub timeout: Spanned<Duration>,
    /// So many good answers in a row make it well.
    pub healthy: u16,
    /// So many bad ones make it not well.
    pub unhealthy: u16,
    /// The statuses of a good answer, such as `200`, `2xx` or `200-204`.
    pub expect: OneOrMany<StatusRange>,
    /// What the first 64 KiB of the body must hold.
    pub body: Option<String>,
}

impl Default for ActiveHealth {
    fn default() -> Self {
        Self {
            kind: HealthKind::default(),
            path: Spanned::from("/".to_owned()),
            host: None,
            headers: Pairs::default(),
            service: None,
            interval: Spanned::from(Duration::from_secs(10)),
            jitter: Percent::new(20),
            timeout: Spanned::from(Duration::from_secs(2)),
            healthy: 2,
            unhealthy: 3,
            expect: OneOrMany::from(vec![StatusRange { from: 200, to: 299 }]),
            body: None,
        }
    }
}

/// How a target is asked whether it is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthKind {
    /// A GET, over the connection that requests use.
    #[default]
    Http,
    /// A connection, TLS included, and nothing more.
    Tcp,
    /// `grpc.health.v1.Health/Check`.
    Grpc,
}

/// Ejects an address for a while for what became of its requests: those that could not be sent or broke off, and those that
/// were answered with 500, 502, 503 or 504.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PassiveHealth {
    /// So many failures in a row; 0 is never.
    pub consecutive_errors: u32,
    /// A share of failures within `window`, of at least `requests`; not looked at when not given.
    pub error_rate: Option<Percent>,
    /// An address whose usual time to a response head is above so many times the median of all, at least 20 ms above it, and
    /// had `requests` in the window; not looked at when not given.
    pub slow: Option<f64>,
    /// The window of rates.
    pub window: Spanned<Duration>,
    /// The fewest requests in a window that say something.
    pub requests: u32,
    /// How long the first time. Each time in a row it is so much longer.
    pub ejected_for: Duration,
    /// The longest.
    pub ejected_at_most: Duration,
    /// The largest share of addresses that may be ejected at a time. One always may.
    pub max_ejected: Percent,
}

impl Default for PassiveHealth {
    fn default() -> Self {
        Self {
            consecutive_errors: 5,
            error_rate: None,
            slow: None,
            window: Spanned::from(Duration::from_secs(10)),
            requests: 20,
            ejected_for: Duration::from_secs(30),
            ejected_at_most: Duration::from_secs(300),
            max_ejected: Percent::new(50),
        }
    }
}

/// What is tried again at another target. A request that may have been executed is sent again only if its method says that it
/// may (RFC 9110 section 9.2.2) or it has an `Idempotency-Key`; none is once a byte of the response went out, and none whose
/// body is over `body`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// How often a request is tried again.
    pub attempts: Spanned<u32>,
    /// What is tried again.
    pub when: OneOrMany<Spanned<RetryWhen>>,
    /// Methods that may be executed twice beside those that say so, such as `POST`.
    pub methods: OneOrMany<Spanned<String>>,
    /// How long one try may take to the response head; `0s` leaves it at the upstream's `first_byte`.
    pub per_try: Duration,
    /// The pause before the first retry; each further one is twice as long, all at random between nothing and that.
    pub backoff: Duration,
    /// The longest pause, and the longest `Retry-After` that is waited for.
    pub backoff_at_most: Duration,
    /// The share of requests that may be tried again, with ten more each second. It keeps retries from becoming a load of
    /// their own.
    pub budget: Percent,
    /// Request bodies up to this are kept for another try.
    #[schemars(extend("default" = "64KiB"))]
    pub body: crate::value::ByteSize,
}

impl Default for Retry {
    fn default() -> Self {
        let when = [RetryWhen::Connect, RetryWhen::Reset, RetryWhen::RefusedStream];
        Self {
            attempts: Spanned::from(2),
            when: OneOrMany::from(when.map(Spanned::from).to_vec()),
            methods: OneOrMany::default(),
            per_try: Duration::from_secs(0),
            backoff: Duration::from_millis(25),
            backoff_at_most: Duration::from_secs(1),
            budget: Percent::new(20),
            body: crate::value::ByteSize::kib(64),
        }
    }
}

/// What is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryWhen {
    /// The target could not be reached: nothing was sent.
    Connect,
    /// The connection broke before a response.
    Reset,
    /// The target refused the stream unseen.
    RefusedStream,
    /// No response head in time.
    Timeout,
    /// The response has a status in this range.
    Status(StatusRange),
    /// A response of gRPC's has this status and nothing else.
    Grpc(u8),
}

/// Names of gRPC's statuses, from 0.
const GRPC: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

impl<'de> Deserialize<'de> for RetryWhen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = RetryWhen;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`connect`, `reset`, `refused_stream`, `timeout`, a status such as `503` or `5xx`, or `grpc_unavailable` and its like")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RetryWhen, E> {
                Ok(match text {
                    "connect" => RetryWhen::Connect,
                    "reset" => RetryWhen::Reset,
                    "refused_stream" => RetryWhen::RefusedStream,
                    "timeout" => RetryWhen::Timeout,
                    other => match other.strip_prefix("grpc_") {
                        Some(name) => {
                            let code = GRPC.iter().position(|known| *known == name);
                            let code = code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code > 0);
                            RetryWhen::Grpc(code.ok_or_else(|| E::custom(format!("gRPC has no status `{name}`")))?)
                        }
                        None => RetryWhen::Status(StatusRange::read(other)?),
                    },
                })
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<RetryWhen, E> {
                StatusRange::number(number).map(RetryWhen::Status)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<RetryWhen, E> {
                StatusRange::number(u64::try_from(number).unwrap_or(0)).map(RetryWhen::Status)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RetryWhen {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RetryWhen".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "`connect`, `reset`, `refused_stream`, `timeout`, a status such as `503`, `5xx` or `502-504`, or a status of gRPC's such as `grpc_unavailable`.",
            "type": ["string", "integer"],
            "examples": ["connect", "5xx", 503, "grpc_unavailable"]
        })
    }
}

/// Statuses from one to another: `503`, `5xx`, `502-504`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl StatusRange {
    /// Whether it has this one.
    #[must_use]
    pub const fn has(self, status: u16) -> bool {
        self.from <= status && status <= self.to
    }

    fn number<E: de::Error>(number: u64) -> Result<Self, E> {
        match u16::try_from(number) {
            Ok(status @ 100..=599) => Ok(Self { from: status, to: status }),
            _ => Err(E::custom(format!("`{number}` is no status from 100 to 599"))),
        }
    }

    fn read<E: de::Error>(text: &str) -> Result<Self, E> {
        let wrong = || E::custom(format!("`{text}` is no status; write one such as `503`, `5xx` or `502-504`"));
        if let Some(class) = text.strip_suffix("xx") {
            let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class)).ok_or_else(wrong)?;
            return Ok(Self { from: class * 100, to: class * 100 + 99 });
        }
        let one = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong()).and_then(Self::number);
        match text.split_once('-') {
            Some((from, to)) => {
                let (from, to) = (one(from)?.from, one(to)?.to);
                if from <= to { Ok(Self { from, to }) } else { Err(wrong()) }
            }
            None => one(text),
        }
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = StatusRange;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a status such as `503`, `5xx` or `502-504`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusRange, E> {
                StatusRange::read(text)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<StatusRange, E> {
                StatusRange::number(number)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<StatusRange, E> {
                StatusRange::number(u64::try_from(number).unwrap_or(0))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for StatusRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusRange".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A status, such as `503`, or several: `5xx`, `502-504`.",
            "type": ["string", "integer"],
            "examples": [503, "5xx", "502-504"]
        })
    }
}

/// A second try while the first has not answered yet: who answers first is heard, the other is cancelled. Only for requests
/// that may be executed twice.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hedge {
    /// How long the first is waited for; nothing waits for as long as 95 in a hundred of the upstream's requests took of late.
    pub after: Option<Spanned<Duration>>,
    /// The share of requests that may be sent twice, with ten more each second.
    pub budget: Percent,
}

impl Default for Hedge {
    fn default() -> Self {
        Self { after: None, budget: Percent::new(5) }
    }
}

/// What an upstream takes at most, and when it is left alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Requests in flight, over all targets; above it 503. No bound when not given.
    pub requests: Option<u32>,
    /// Requests that wait for a connection; above it 503. No bound when not given.
    pub pending: Option<u32>,
    /// Retries in flight; above it what failed stands. No bound when not given.
    pub retries: Option<u32>,
    /// Opens at this share of failures within `window`: what is not sent, breaks off, or is answered with 5xx.
    pub error_rate: Option<Percent>,
    /// Opens at this share of requests whose response head took longer than `slow_after`.
    pub slow_rate: Option<Percent>,
    /// What a slow request is.
    pub slow_after: Duration,
    /// The window of rates.
    pub window: Spanned<Duration>,
    /// The fewest requests in a window that say something.
    pub min_requests: u32,
    /// How long it stays open. Then it lets `probes` through, and closes if all go well.
    pub open_for: Duration,
    /// How many at a time try whether the upstream is well again.
    pub probes: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            requests: None,
            pending: None,
            retries: None,
            error_rate: None,
            slow_rate: None,
            slow_after: Duration::from_secs(1),
            window: Spanned::from(Duration::from_secs(10)),
            min_requests: 20,
            open_for: Duration::from_secs(5),
            probes: 3,
        }
    }
}

/// What takes a request that an upstream cannot.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UpstreamFallback")]
pub enum Fallback {
    /// Another upstream. Of several, one behind the other, two are tried at most.
    Upstream(Spanned<String>),
    /// An answer that is always the same.
    Respond(FallbackAnswer),
}

/// An answer that is always the same.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FallbackAnswer {
    /// Its status.
    pub status: Spanned<u16>,
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its body.
    pub body: String,
}

impl Default for FallbackAnswer {
    fn default() -> Self {
        Self { status: Spanned::from(503), content_type: "text/plain".to_owned(), body: String::new() }
    }
}
