//! The upstream asked directly: what of a latency is not the proxy's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Traffic;
use super::contest::{Racer, enter_latency};
use crate::run::Bench;
use crate::sheet::{Metric, Row};
use crate::wire::load::{Load, Outcome, Pace, Request, Shape, Target, Until};

/// What is compared, and what the difference is called.
const ADDED: [(Metric, Metric); 2] = [(Metric::P99, Metric::P99Added), (Metric::First99, Metric::FirstAdded)];

/// The upstream, in the place of a proxy.
pub(super) struct Direct {
    pub(super) row: Row,
    load: Load,
}

impl Direct {
    /// Where models are called: only there is what is added a figure. With the same requests as the racers get.
    pub(super) fn of(bench: &Bench, scenario: &'static str, racers: &[Racer], traffic: &Traffic) -> Option<Self> {
        let racer = racers.first()?;
        let path = format!("{}{}", racer.setup.provider_path()?, traffic.ask.path());
        let authority = bench.rig.upstream().to_string();
        let shape = Shape { scheme: "http", authority, path, headers: Vec::new(), body: traffic.ask.body().to_owned() };
        let load = Load {
            target: Target { address: bench.rig.upstream(), ..racer.load.target.clone() },
            requests: Arc::new([Request::new(traffic.protocol, &shape)]),
            connections: traffic.connections,
            ..racer.load.clone()
        };
        Some(Self { row: Row::new(scenario, "upstream directly"), load })
    }

    /// A window at the open-loop rate, and what everyone adds to it.
    pub(super) fn compare(&mut self, bench: &Bench, racers: &mut [&mut Racer], traffic: &Traffic) {
        let window = Duration::from_secs_f64(bench.seconds) / 2;
        let rate = bench.rate.unwrap_or(traffic.rate);
        let load = Load { pace: Pace::Open(rate), until: Until::Elapsed(window), ..self.load.clone() };
        match self.run(bench, load) {
            Ok(outcome) => enter_latency(&mut self.row, traffic.ask, &outcome),
            Err(error) => {
                crate::say(&format!("  upstream directly: {error:#}"));
                self.row.note(format!("{error:#}"));
                return;
            }
        }
        for racer in racers.iter_mut().filter(|racer| racer.racing) {
            for (of, added) in ADDED {
                if let (Some(through), Some(direct)) = (racer.row.last(of), self.row.last(of)) {
                    racer.row.enter(added, through - direct);
                }
            }
        }
    }

    /// The load that the upstream gets, with what a racer's has been changed in.
    pub(super) fn load(&self) -> Load {
        self.load.clone()
    }

    /// Runs a load to its end; what fails here voids the comparison.
    pub(super) fn run(&mut self, bench: &Bench, load: Load) -> Result<Outcome> {
        let outcome = bench.rig.run(load)?;
        ensure!(outcome.failed() == 0 && outcome.unsent == 0, "failed requests: {}", outcome.faults_text());
        Ok(outcome)
    }
}
