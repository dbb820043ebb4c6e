//! Peers under the same traffic, in turn: A B C, C B A, A B C, … so that slow drifts of the machine cancel out.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::contest::{Entry, Racer, enter_latency};
use super::direct::Direct;
use super::instructions;
use super::{Steady, Traffic};
use crate::measure::Used;
use crate::peer::config::Plan;
use crate::peer::process::truncate;
use crate::run::Bench;
use crate::sheet::{Metric, Row, Sheet};
use crate::wire::load::Pace;

/// A round's closed loop is taken in this many slices, so that the peers share what comes and goes within seconds.
const SLICES: u32 = 4;

/// Measures every peer that has the setup.
pub(super) fn measure(bench: &Bench, scenario: &'static str, steady: &Steady, sheet: &mut Sheet) -> Result<()> {
    let setup = |peer: &crate::peer::Peer| if peer.spec.name == "tollgate" { steady.tollgate } else { steady.setup };
    let entries: Vec<Entry<'_>> = bench
        .peers
        .iter()
        .filter(|peer| peer.spec.files(setup(peer)).is_some())
        .map(|peer| Entry { peer, subject: peer.label.clone(), plan: Plan { setup: setup(peer), routes: 0 } })
        .collect();
    race(bench, scenario, &entries, &steady.traffic, sheet)
}

/// Runs all rounds of one contest and enters them.
pub(super) fn race(
    bench: &Bench,
    scenario: &'static str,
    entries: &[Entry<'_>],
    traffic: &Traffic,
    sheet: &mut Sheet,
) -> Result<()> {
    let (mut racers, mut absent) = Racer::start_all(bench, scenario, entries, traffic);
    let mut direct = Direct::of(bench, scenario, &racers, traffic);
    for round in 0..bench.rounds {
        let mut order: Vec<&mut Racer> = racers.iter_mut().filter(|racer| racer.racing).collect();
        if order.is_empty() {
            break;
        }
        if round % 2 == 1 {
            order.reverse();
        }
        play(bench, &mut order, traffic, round);
        if let Some(direct) = &mut direct {
            direct.compare(bench, &mut order, traffic);
        }
        progress(bench, round, racers.iter().map(|racer| &racer.row));
    }
    let mut rows: Vec<Row> = racers.into_iter().map(|racer| racer.row).collect();
    let direct = direct.map(|direct| direct.row);
    rows.append(&mut absent);
    if bench.callgrind && instructions::wanted(scenario) {
        instructions::count(bench, scenario, entries, traffic, &mut rows);
    }
    // As they were entered, also those that did not come up.
    rows.sort_by_key(|row| entries.iter().position(|entry| entry.subject == row.subject));
    sheet.rows.append(&mut rows);
    sheet.rows.extend(direct);
    Ok(())
}

/// One round: the closed loop for CPU and throughput, in slices that go back and forth, then the open loop for latency.
fn play(bench: &Bench, order: &mut [&mut Racer], traffic: &Traffic, round: u32) {
    let mut turns: Vec<Turn> = order.iter().map(|_| Turn::default()).collect();
    for slice in 0..SLICES {
        let mut pairs: Vec<_> = order.iter_mut().zip(&mut turns).filter(|(racer, _)| racer.racing).collect();
        if slice % 2 == 1 {
            pairs.reverse();
        }
        for (racer, turn) in pairs {
            let result = turn.slice(bench, racer);
            judge(racer, round, result);
        }
    }
    for (racer, turn) in order.iter_mut().zip(&turns).filter(|(racer, _)| racer.racing) {
        let result = turn.enter(racer).and_then(|()| open_loop(bench, racer, traffic, turn.failed));
        judge(racer, round, result);
    }
}

/// Who fails leaves the contest, with a note.
fn judge(racer: &mut Racer, round: u32, result: Result<()>) {
    if let Err(error) = result {
        crate::say(&format!("  {}: {error:#}", racer.row.subject));
        racer.row.note(format!("left in round {}: {error:#}", round + 1));
        racer.racing = false;
    }
}

/// A round's closed loop of one peer, summed over its slices.
#[derive(Default)]
struct Turn {
    requests: u64,
    elapsed: Duration,
    failed: u64,
    used: Used,
}

impl Turn {
    fn slice(&mut self, bench: &Bench, racer: &mut Racer) -> Result<()> {
        let window = Duration::from_secs_f64(bench.seconds) / SLICES;
        let outcome = racer.run(bench, racer.load(Pace::Closed, window))?;
        ensure!(outcome.requests > 0 || outcome.failed() == 0, "no good answer: {}", outcome.faults_text());
        self.requests += outcome.requests;
        self.elapsed += outcome.elapsed;
        self.failed += outcome.failed();
        self.used += outcome.used;
        Ok(())
    }

    fn enter(&self, racer: &mut Racer) -> Result<()> {
        ensure!(self.requests > 0, "no answer within {:.1} s", self.elapsed.as_secs_f64());
        let requests = self.requests as f64;
        racer.row.enter(Metric::Cpu, self.used.cpu.as_secs_f64() * 1e6 / requests);
        racer.row.enter(Metric::Share, self.used.share());
        racer.row.enter(Metric::Busy, self.used.busy());
        racer.row.enter(Metric::Rate, requests / self.elapsed.as_secs_f64());
        Ok(())
    }
}

fn open_loop(bench: &Bench, racer: &mut Racer, traffic: &Traffic, failed_before: u64) -> Result<()> {
    let rate = bench.rate.unwrap_or(traffic.rate);
    let window = Duration::from_secs_f64(bench.seconds) / 2;
    let outcome = racer.run(bench, racer.load(Pace::Open(rate), window))?;
    enter_latency(&mut racer.row, traffic.ask, &outcome);
    if outcome.unsent > 0 {
        racer.row.note(format!("over its capacity at {rate} requests a second"));
    }
    racer.row.enter(Metric::Failed, (failed_before + outcome.failed()) as f64);
    racer.enter_rss();
    truncate(&racer.config.log);
    Ok(())
}

/// Says how the round went.
fn progress<'a>(bench: &Bench, round: u32, rows: impl Iterator<Item = &'a Row>) {
    let parts: Vec<String> = rows
        .filter_map(|row| {
            let (cpu, rate) = (row.last(Metric::Cpu)?, row.last(Metric::Rate)?);
            let (share, p99) = (row.last(Metric::Share)?, row.last(Metric::P99)?);
            let subject = &row.subject;
            Some(format!("{subject} {cpu:.2} µs {:.1}k/s ({:.0} %) p99 {p99:.2} ms", rate / 1e3, share * 100.0))
        })
        .collect();
    crate::say(&format!("  {}/{}: {}", round + 1, bench.rounds, parts.join(" · ")));
}
