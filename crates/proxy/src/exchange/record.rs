//! Facts and times of an exchange, for the access record and the metrics. Typed fields, no bag.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::time::Duration;

use http::{Method, Uri, Version, request};

use super::Attempts;
use super::guarded::Guarded;
use crate::clock::Time;
use crate::program::UpstreamId;
use crate::telemetry::access_log::Kept;

/// What is remembered of an exchange. Cheap to make: method and target are shared bytes.
#[derive(Debug)]
pub struct Record {
    /// When the head was read.
    pub started: Time,
    /// When all was over; set as the exchange settles.
    pub ended: Time,
    /// The method as it came.
    pub method: Method,
    /// The target as it came.
    pub target: Uri,
    /// The HTTP version the client spoke.
    pub version: Version,
    /// The status that went out; 0 when none did (the client left first).
    pub status: u16,
    /// Bytes of the request body that were read.
    pub bytes_in: u64,
    /// Bytes of the response body that were given to the client's connection.
    pub bytes_out: u64,
    /// When the request was handed to the terminal.
    pub forwarded: Option<Time>,
    /// When the response head came back.
    pub answered: Option<Time>,
    /// When the response head was handed to the client's connection.
    pub responded: Option<Time>,
    /// The last try at an upstream.
    pub attempt: Option<Attempt>,
    /// How many tries there were.
    pub attempts: u16,
    /// How it ended.
    pub finish: Finish,
    /// Headers that the access log wants.
    pub kept: Kept,
    /// The call of a model, where it was one.
    pub model_call: Option<Arc<ModelCall>>,
    /// What guards of models found; one for each policy that found something.
    pub guarded: Vec<Arc<Guarded>>,
    /// Who was asked for a model, and how that went.
    pub model_attempts: Option<Arc<Attempts>>,
    /// The rule of `authz` that decided.
    pub rule: Option<Arc<str>>,
    /// The bot that `bot` told by its user agent.
    pub bot: Option<Arc<str>>,
    /// Why a policy in `mode: shadow` would have denied it.
    pub shadow_denied: Option<Box<str>>,
}

/// A call of a model. What it took is known only as its answer ends, which may be after the exchange has let go of it.
#[derive(Debug)]
pub struct ModelCall {
    /// The model, by the name that callers use.
    pub model: Arc<str>,
    /// Who served it.
    pub provider: Arc<str>,
    /// What the provider calls it.
    pub target: Arc<str>,
    /// Tokens that were read.
    input: AtomicU64,
    /// Tokens that were written.
    output: AtomicU64,
    /// What it cost, in billionths of a US dollar, rounded up.
    cost: AtomicU64,
    /// Whether tokens are known, and what they cost.
    known: AtomicU8,
    /// What was taken beside: by attempts that lost, or broke off in the middle.
    beside: [AtomicU64; 3],
}

impl ModelCall {
    /// A call that has just been answered.
    pub fn new(model: Arc<str>, provider: Arc<str>, target: Arc<str>) -> Self {
        let none = AtomicU64::default;
        Self {
            model,
            provider,
            target,
            input: none(),
            output: none(),
            cost: none(),
            known: AtomicU8::new(0),
            beside: [none(), none(), none()],
        }
    }

    /// What it took up to now, and what that costs in billionths of a US dollar where there is a price.
    pub fn took(&self, input: u64, output: u64, cost: Option<u64>) {
        self.input.store(input, Relaxed);
        self.output.store(output, Relaxed);
        self.cost.store(cost.unwrap_or_default(), Relaxed);
        self.known.store(1 + u8::from(cost.is_some()), Release);
    }

    /// An attempt that is not the last took this too. It counts once the last one's is known.
    pub fn took_beside(&self, input: u64, output: u64, cost: u64) {
        for (sum, more) in self.beside.iter().zip([input, output, cost]) {
            sum.fetch_add(more, Relaxed);
        }
    }

    /// Tokens read and written, where they are known.
    pub fn tokens(&self) -> Option<(u64, u64)> {
        let [input, output, _] = &self.beside;
        let sum = |of: &AtomicU64, beside: &AtomicU64| of.load(Relaxed).saturating_add(beside.load(Relaxed));
        (self.known.load(Acquire) > 0).then(|| (sum(&self.input, input), sum(&self.output, output)))
    }

    /// What it cost in billionths of a US dollar, where that is known.
    pub fn cost(&self) -> Option<u64> {
        let [_, _, beside] = &self.beside;
        let cost = || self.cost.load(Relaxed).saturating_add(beside.load(Relaxed));
        (self.known.load(Acquire) > 1).then(cost)
    }
}

/// A try at a target.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// The upstream, in the exchange's program.
    pub upstream: UpstreamId,
    /// The target's address.
    pub address: SocketAddr,
    /// Whether the connection had been used before.
    pub reused: bool,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// Not yet, or the client left before it was over.
    #[default]
    Aborted,
    /// The whole response was handed over.
    Complete,
    /// The response was cut short by the upstream or a bound.
    Truncated,
    /// A step or terminal panicked.
    Panicked,
    /// There was no request: somebody asked what would become of one.
    Probed,
}

impl Record {
    /// Begins the record of a request.
    pub fn begin(request: &request::Parts, now: Time) -> Self {
        Self {
            started: now,
            ended: now,
            method: request.method.clone(),
            target: request.uri.clone(),
            version: request.version,
            status: 0,
            bytes_in: 0,
            bytes_out: 0,
            forwarded: None,
            answered: None,
            responded: None,
            attempt: None,
            attempts: 0,
            finish: Finish::Aborted,
            kept: None,
            model_call: None,
            guarded: Vec::new(),
            model_attempts: None,
            rule: None,
            bot: None,
            shadow_denied: None,
        }
    }

    /// How long the upstream had the request: until its response head, or until the gateway gave it up. None where none
    /// had it.
    pub fn upstream_time(&self) -> Option<Duration> {
        Some(self.answered.or(self.responded)?.since(self.forwarded?))
    }

    /// The gateway's own part of the time to the response head. None where there was no response. What comes after the
    /// head is the pace of client and upstream, so it does not count.
    pub fn overhead(&self) -> Option<Duration> {
        let total = self.responded?.since(self.started);
        Some(total.saturating_sub(self.upstream_time().unwrap_or_default()))
    }

    /// `Server-Timing`: the gateway's own time and the upstream's, in milliseconds. Known once the response head is.
    pub fn server_timing(&self) -> Option<String> {
        let gateway = self.overhead()?.as_secs_f64() * 1e3;
        Some(match self.upstream_time() {
            Some(upstream) => format!("gateway;dur={gateway:.3}, upstream;dur={:.3}", upstream.as_secs_f64() * 1e3),
            None => format!("gateway;dur={gateway:.3}"),
        })
    }
}
