//! Peers under the same traffic, in turn: A B C, C B A, A B C, … so that slow drifts of the machine cancel out.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::contest::{Entry, Racer};
use super::instructions;
use super::{Steady, Traffic};
use crate::peer::config::Plan;
use crate::peer::process::truncate;
use crate::run::Bench;
use crate::sheet::{Metric, Row, Sheet};
use crate::wire::load::Pace;

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
    for round in 0..bench.rounds {
        let mut order: Vec<&mut Racer> = racers.iter_mut().filter(|racer| racer.racing).collect();
        if order.is_empty() {
            break;
        }
        if round % 2 == 1 {
            order.reverse();
        }
        for racer in order {
            if let Err(error) = play(bench, racer, traffic) {
                crate::say(&format!("  {}: {error:#}", racer.row.subject));
                racer.row.note(format!("left in round {}: {error:#}", round + 1));
                racer.racing = false;
            }
        }
        progress(bench, round, racers.iter().map(|racer| &racer.row));
    }
    let mut rows: Vec<Row> = racers.into_iter().map(|racer| racer.row).collect();
    rows.append(&mut absent);
    if bench.callgrind && instructions::wanted(scenario) {
        instructions::count(bench, scenario, entries, traffic, &mut rows);
    }
    // As they were entered, also those that did not come up.
    rows.sort_by_key(|row| entries.iter().position(|entry| entry.subject == row.subject));
    sheet.rows.append(&mut rows);
    Ok(())
}

/// One round of one peer: the closed loop for CPU and throughput, then the open loop for latency.
fn play(bench: &Bench, racer: &mut Racer, traffic: &Traffic) -> Result<()> {
    let window = Duration::from_secs_f64(bench.seconds);
    let closed = racer.run(bench, racer.load(Pace::Closed, window))?;
    ensure!(closed.requests > 0, "no good answer in the window: {}", closed.faults_text());
    let (first, last) = closed.readings.context("the gauge was not read")?;
    let micros = last.cpu_since(&first).as_secs_f64() * 1e6;
    racer.row.enter(Metric::Cpu, micros / closed.requests as f64);
    racer.row.enter(Metric::Share, last.share_since(&first));
    racer.row.enter(Metric::Busy, last.busy_since(&first));
    racer.row.enter(Metric::Rate, closed.rate());
    let rate = bench.rate.unwrap_or(traffic.rate);
    let open = racer.run(bench, racer.load(Pace::Open(rate), window / 2))?;
    for (metric, q) in [(Metric::P50, 0.5), (Metric::P99, 0.99)] {
        if let Some(nanos) = open.latency.quantile(q) {
            racer.row.enter(metric, nanos / 1e6);
        }
    }
    if open.unsent > 0 {
        racer.row.note(format!("over its capacity at {rate} requests a second"));
    }
    racer.row.enter(Metric::Failed, (closed.failed() + open.failed()) as f64);
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
