//! Proxies that run side by side, and what is asked of each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Tls, Traffic};
use crate::peer::Peer;
use crate::peer::certificate::HOST;
use crate::peer::config::{API_KEY, Config, Plan, route_paths};
use crate::peer::process::{Process, Under};
use crate::run::Bench;
use crate::sheet::{Metric, Row};
use crate::wire::load::{Load, Offer, Outcome, Pace, Request, Shape, Target, Timeline, Until, Wait, client_config};

/// How long a proxy may take until its first answer.
const START: Duration = Duration::from_secs(15);
/// A client's own time between connecting and the window.
const WARMUP: Duration = Duration::from_millis(150);

/// One proxy that runs.
pub(super) struct Racer {
    pub(super) row: Row,
    pub(super) process: Process,
    pub(super) config: Config,
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
        let load = load(bench, traffic, entry.plan, config.port)?;
        let row = Row::new(scenario, entry.subject.clone());
        let mut racer = Self { row, process, config, load, racing: true };
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
            patience: Duration::from_millis(if patience > START { 5000 } else { 500 }),
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

fn load(bench: &Bench, traffic: &Traffic, plan: Plan, port: u16) -> Result<Load> {
    let tls = match traffic.tls {
        Tls::Off => None,
        Tls::On => Some(client_config(traffic.protocol, Offer::One)?),
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let paths: Vec<String> =
        if plan.routes == 0 { vec![format!("/bytes/{}", traffic.bytes)] } else { route_paths(plan.routes).collect() };
    // Every peer gets the same request; only Tollgate's `full` and `steps` look at the key, and `steps` at the token.
    let mut headers = vec![("x-api-key".to_owned(), API_KEY.to_owned())];
    if plan.setup.is_step() {
        headers.push(("authorization".to_owned(), format!("Bearer {}", bench.token.text)));
    }
    let requests = paths.into_iter().map(|path| {
        let shape = Shape { scheme, authority: HOST.to_owned(), path, headers: headers.clone() };
        Request::new(traffic.protocol, &shape)
    });
    let address = format!("127.0.0.1:{port}").parse().context("loopback address")?;
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
        expect: Some(u64::from(traffic.bytes)),
        marker: None::<Arc<[u8]>>,
        timeline: Timeline::Drop,
        gauge: None,
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
