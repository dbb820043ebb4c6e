//! What is measured, as data: the scenarios here, how each kind is carried out in the files beside.

pub(crate) mod ai;
pub(crate) mod bounds;
mod contest;
mod direct;
mod instructions;
mod memory;
mod redis;
mod reload;
mod routes;
mod soak;
mod steady;
mod steps;
mod streams;

use anyhow::Result;

use crate::cli::Suite;
use crate::peer::Setup;
use crate::run::Bench;
use crate::sheet::Sheet;
use crate::wire::load::{Lifetime, Protocol};

/// One row of the table of scenarios.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) work: Work,
}

/// How a scenario is carried out.
#[derive(Debug)]
pub(crate) enum Work {
    /// Every peer under the same traffic, in turn.
    Steady(Steady),
    /// Each peer against itself, with few routes and with many.
    Routes { few: u32, many: u32, traffic: Traffic },
    /// Each peer against itself, with one policy and without.
    Steps { steps: &'static [(&'static str, Setup)], traffic: Traffic },
    /// Each peer against itself, with limits in memory and in Redis, at the open-loop rate.
    Redis { traffic: Traffic },
    /// A new configuration of this many routes, under traffic at the open-loop rate.
    Reload { routes: u32, traffic: Traffic },
    /// Resident memory: idle, with this many routes, with this many idle connections.
    Memory { routes: u32, connections: usize, traffic: Traffic },
    /// Streams of tokens at the open-loop rate: whether they come in time, and what that takes.
    Streams { setup: Setup, traffic: Traffic },
    /// Streams and calls by turns for minutes: whether memory grows.
    Soak { setup: Setup, streams: Traffic, calls: Traffic },
}

/// Traffic for every peer.
#[derive(Debug)]
pub(crate) struct Steady {
    pub(crate) traffic: Traffic,
    /// What every peer is configured to do.
    pub(crate) setup: Setup,
    /// What Tollgate is.
    pub(crate) tollgate: Setup,
}

/// What the load asks, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) protocol: Protocol,
    pub(crate) tls: Tls,
    pub(crate) ask: Ask,
    pub(crate) connections: usize,
    /// Requests at once on an HTTP/2 connection.
    pub(crate) streams: usize,
    pub(crate) lifetime: Lifetime,
    /// Requests a second of the open loop.
    pub(crate) rate: f64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// So many bytes.
    Bytes(u32),
    /// A model's whole answer.
    Reply,
    /// A model's answer as a stream.
    Stream,
}

/// Whether the client speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Off,
    On,
}

/// 64 kept-alive HTTP/1.1 connections and 1 KiB answers, from which the scenarios differ in one thing each.
const PLAIN: Traffic = Traffic {
    protocol: Protocol::H1,
    tls: Tls::Off,
    ask: Ask::Bytes(1024),
    connections: 64,
    streams: 1,
    lifetime: Lifetime::Keep,
    rate: 10_000.0,
};

const fn plain(traffic: Traffic) -> Work {
    Work::Steady(Steady { traffic, setup: Setup::Plain, tollgate: Setup::Plain })
}

const fn tls(traffic: Traffic) -> Work {
    Work::Steady(Steady { traffic: Traffic { tls: Tls::On, ..traffic }, setup: Setup::Tls, tollgate: Setup::Tls })
}

/// Every scenario, in the order they are run and reported.
pub(crate) const SCENARIOS: [Scenario; 13] = [
    Scenario { name: "h1-1k", title: "HTTP/1.1, 1 KiB, 64 connections", work: plain(PLAIN) },
    Scenario {
        name: "h1-32k",
        title: "HTTP/1.1, 32 KiB, 64 connections",
        work: plain(Traffic { ask: Ask::Bytes(32 << 10), rate: 5_000.0, ..PLAIN }),
    },
    Scenario {
        name: "h1-512",
        title: "HTTP/1.1, 1 KiB, 512 connections",
        work: plain(Traffic { connections: 512, ..PLAIN }),
    },
    Scenario { name: "tls-h1", title: "TLS 1.3, HTTP/1.1, 1 KiB, 64 connections", work: tls(PLAIN) },
    Scenario {
        name: "tls-h2",
        title: "TLS 1.3, HTTP/2, 1 KiB, 16 connections of 4 streams",
        work: tls(Traffic { protocol: Protocol::H2, connections: 16, streams: 4, ..PLAIN }),
    },
    Scenario {
        name: "tls-new",
        title: "a new TLS 1.3 connection for each request, ECDSA P-256, X25519, no resumption, 32 at once",
        work: tls(Traffic { lifetime: Lifetime::Fresh, connections: 32, rate: 500.0, ..PLAIN }),
    },
    Scenario {
        name: "full",
        title: "Tollgate with key_auth of 100,000 consumers, rate_limit, headers, JSON access log and metrics; the others \
                with nothing on",
        work: Work::Steady(Steady { traffic: PLAIN, setup: Setup::Plain, tollgate: Setup::Full }),
    },
    Scenario {
        name: "steps",
        title: "Tollgate with one policy, against itself without: keys, three limits in memory, ES256 tokens",
        work: Work::Steps {
            steps: &[
                ("bare", Setup::Bare),
                ("key_auth", Setup::KeyAuth),
                ("rate_limit", Setup::RateLimit),
                ("jwt", Setup::Jwt),
            ],
            traffic: PLAIN,
        },
    },
    Scenario {
        name: "upstreams",
        title: "Tollgate with one setting of its upstreams, against itself without: a weighted split, a hashed key, retries \
                and a breaker that nothing sets off",
        work: Work::Steps {
            steps: &[
                ("bare", Setup::Bare),
                ("split", Setup::Split),
                ("hash", Setup::HashBalance),
                ("retries", Setup::Retries),
                ("breaker", Setup::Breaker),
            ],
            traffic: PLAIN,
        },
    },
    Scenario {
        name: "redis",
        title: "three limits in Redis against the same in memory, 5,000 requests a second, Redis on the proxy's core",
        work: Work::Redis { traffic: Traffic { rate: 5_000.0, ..PLAIN } },
    },
    Scenario {
        name: "routes",
        title: "10 routes against 10,000, each peer against itself, requests over all routes at random",
        work: Work::Routes { few: 10, many: 10_000, traffic: PLAIN },
    },
    Scenario {
        name: "reload",
        title: "reload of 10,000 routes under 5,000 requests a second",
        work: Work::Reload { routes: 10_000, traffic: Traffic { rate: 5_000.0, ..PLAIN } },
    },
    Scenario {
        name: "memory",
        title: "resident memory",
        work: Work::Memory { routes: 5_000, connections: 10_000, traffic: PLAIN },
    },
];

/// The scenarios of a suite.
pub(crate) fn of(suite: Suite) -> &'static [Scenario] {
    match suite {
        Suite::Proxy => &SCENARIOS,
        Suite::Ai => &ai::SCENARIOS,
    }
}

impl Scenario {
    /// Whether it runs only where it is named: it takes too long for every run.
    pub(crate) fn on_request(&self) -> bool {
        matches!(self.work, Work::Soak { .. })
    }

    /// Carries it out and enters what was measured.
    pub(crate) fn measure(&'static self, bench: &Bench, sheet: &mut Sheet) -> Result<()> {
        match &self.work {
            Work::Steady(steady) => steady::measure(bench, self.name, steady, sheet),
            Work::Routes { few, many, traffic } => routes::measure(bench, self.name, (*few, *many), traffic, sheet),
            Work::Steps { steps, traffic } => steps::measure(bench, self.name, steps, traffic, sheet),
            Work::Redis { traffic } => redis::measure(bench, self.name, traffic, sheet),
            Work::Reload { routes, traffic } => reload::measure(bench, self.name, *routes, traffic, sheet),
            Work::Memory { routes, connections, traffic } => {
                memory::measure(bench, self.name, (*routes, *connections), traffic, sheet)
            }
            Work::Streams { setup, traffic } => streams::measure(bench, self.name, *setup, traffic, sheet),
            Work::Soak { setup, streams, calls } => soak::measure(bench, self.name, *setup, (streams, calls), sheet),
        }
    }
}
