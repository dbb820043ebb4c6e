//! Proxies that run side by side, and what is asked of each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::streams::STREAM;
use super::{Ask, Tls, Traffic};
use crate::histogram::Histogram;
use crate::peer::certificate::HOST;
use crate::peer::config::{API_KEY, CALLER_KEY, Config, Plan, route_paths};
use crate::peer::process::{Process, Under};
use crate::peer::{Peer, Setup};
use crate::run::Bench;
use crate::sheet::{Metric, Row};
use crate::wire::load::{Load, Offer, Outcome, Pace, Request, Shape, Target, Timeline, Until, Wait, client_config};

/// How long a proxy may take until its first answer.
const START: Duration = Duration::from_secs(60);
/// A client's own time between connecting and the window.
const WARMUP: Duration = Duration::from_millis(150);

/// One proxy that runs.
pub(super) struct Racer {
    pub(super) row: Row,
    pub(super) process: Process,
    pub(super) config: Config,
    pub(super) setup: Setup,
    /// What is asked of it, closed loop.
    pub(super) load: Load,
    /// Whether it still takes part.
    pub(super) racing: bool,
}

/// Who is to run.
pub(super) struct Entry<'a> {
    pub(super) peer: &'a Peer,
    pub(super) subject: String,
    pub(super) plan: Plan,
}

impl Racer {
    /// Starts it and waits for its first answer.
    pub(super) fn start(
        bench: &Bench,
        scenario: &'static str,
        entry: &Entry<'_>,
        traffic: &Traffic,
        under: Under,
    ) -> Result<Self> {
        let folder = format!("{scenario}-{}-{under:?}", entry.subject).replace([' ', ',', '#'], "_");
        let config = Config::write(entry.peer.spec, entry.plan, bench.site(), &bench.dir.join(folder))?;
        let process = Process::start(entry.peer, &config, bench.place, under)?;
        let mut load = load(bench, traffic, entry.plan, &config)?;
        load.connections = load.connections.min(entry.peer.spec.connections);
        let row = Row::new(scenario, entry.subject.clone());
        let mut racer = Self { row, process, config, setup: entry.plan.setup, load, racing: true };
        racer.wait_ready(bench, if under == Under::Callgrind { 8 * START } else { START })?;
        Ok(racer)
    }

    /// Starts everyone; who does not come up gets a row that says why.
    pub(super) fn start_all(
        bench: &Bench,
        scenario: &'static str,
        entries: &[Entry<'_>],
        traffic: &Traffic,
    ) -> (Vec<Self>, Vec<Row>) {
        let (mut racers, mut absent) = (Vec::new(), Vec::new());
        for entry in entries {
            match Self::start(bench, scenario, entry, traffic, Under::Bare) {
                Ok(racer) => racers.push(racer),
                Err(error) => {
                    crate::say(&format!("  {}: {error:#}", entry.subject));
                    let mut row = Row::new(scenario, entry.subject.clone());
                    row.note(format!("not measured: {}", first_line(&format!("{error:#}"))));
                    absent.push(row);
                }
            }
        }
        (racers, absent)
    }

    /// The load at this pace and with this window.
    pub(super) fn load(&self, pace: Pace, window: Duration) -> Load {
        Load { pace, until: Until::Elapsed(window), gauge: Some(self.process.gauge()), ..self.load.clone() }
    }

    /// Runs a load, enters its failures and answers what came of it.
    pub(super) fn run(&mut self, bench: &Bench, load: Load) -> Result<Outcome> {
        let outcome = bench.rig.run(load)?;
        self.note_failures(&outcome);
        if let Some(status) = self.process.ended() {
            bail!("it ended with {status}: {}", self.process.last_words());
        }
        Ok(outcome)
    }

    /// What is asked of it in other traffic.
    pub(super) fn request(&self, bench: &Bench, traffic: &Traffic) -> Request {
        request(bench, traffic, self.setup, &self.config, traffic.ask.path())
    }

    /// Says in the row what failed.
    pub(super) fn note_failures(&mut self, outcome: &Outcome) {
        if outcome.failed() > 0 {
            self.row.note(format!("failed requests: {}", outcome.faults_text()));
        }
    }

    /// Enters resident memory.
    pub(super) fn enter_rss(&mut self) {
        let bytes = self.process.gauge().rss();
        self.row.enter(Metric::Rss, bytes as f64 / f64::from(1 << 20));
    }

    fn wait_ready(&mut self, bench: &Bench, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let probe = Load {
            connections: 1,
            until: Until::Answered(1),
            warmup: Duration::ZERO,
            patience: match self.setup {
                _ if patience > START => Duration::from_secs(5),
                // A stream takes its time.
                setup if setup.is_ai() => 2 * STREAM,
                _ => Duration::from_millis(500),
            },
            ..self.load.clone()
        };
        loop {
            if let Some(status) = self.process.ended() {
                bail!("it ended with {status} before its first answer\n{}", self.process.last_words());
            }
            let last = match bench.rig.run(probe.clone()) {
                Ok(outcome) if outcome.total > 0 => return Ok(()),
                Ok(outcome) => outcome.faults_text(),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("no good answer within {} s: {last}\n{}", patience.as_secs(), self.process.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn load(bench: &Bench, traffic: &Traffic, plan: Plan, config: &Config) -> Result<Load> {
    let tls = match traffic.tls {
        Tls::Off => None,
        Tls::On => Some(client_config(traffic.protocol, Offer::One)?),
    };
    let paths: Vec<String> =
        if plan.routes == 0 { vec![traffic.ask.path()] } else { route_paths(plan.routes).collect() };
    let requests = paths.into_iter().map(|path| request(bench, traffic, plan.setup, config, path));
    let address = format!("127.0.0.1:{}", config.port).parse().context("loopback address")?;
    Ok(Load {
        target: Target { address, tls, protocol: traffic.protocol, host: HOST.to_owned() },
        requests: requests.collect(),
        connections: traffic.connections,
        streams: traffic.streams,
        pace: Pace::Closed,
        lifetime: traffic.lifetime,
        warmup: WARMUP,
        until: Until::Elapsed(Duration::from_secs_f64(bench.seconds)),
        wait: Wait::Spin,
        patience: Duration::from_secs(5),
        expect: traffic.ask.length(),
        says: traffic.ask.says(),
        marker: None::<Arc<[u8]>>,
        timeline: Timeline::Drop,
        gauge: None,
    })
}

/// One request. Every peer gets the same; only Tollgate's `full` and `steps` look at the key, and `steps` at the token.
fn request(bench: &Bench, traffic: &Traffic, setup: Setup, config: &Config, path: String) -> Request {
    let mut headers = config.headers.clone();
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    if setup.is_ai() {
        add("authorization", format!("Bearer {CALLER_KEY}"));
    } else {
        add("x-api-key", API_KEY.to_owned());
    }
    if setup.is_step() {
        add("authorization", format!("Bearer {}", bench.token.text));
    }
    let scheme = if traffic.tls == Tls::On { "https" } else { "http" };
    let shape = Shape { scheme, authority: HOST.to_owned(), path, headers, body: traffic.ask.body().to_owned() };
    Request::new(traffic.protocol, &shape)
}

/// Enters the latencies that a window of the open loop has shown.
pub(super) fn enter_latency(row: &mut Row, ask: Ask, outcome: &Outcome) {
    let mut enter = |metric, histogram: &Histogram, q| {
        if let Some(nanos) = histogram.quantile(q) {
            row.enter(metric, nanos / 1e6);
        }
    };
    enter(Metric::P50, &outcome.latency, 0.5);
    enter(Metric::P99, &outcome.latency, 0.99);
    if ask == Ask::Stream {
        enter(Metric::First50, &outcome.first, 0.5);
        enter(Metric::First99, &outcome.first, 0.99);
        enter(Metric::Late50, &outcome.late, 0.5);
        enter(Metric::Late99, &outcome.late, 0.99);
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
