//! Minutes of streams and calls by turns: whether memory grows.
//!
//! Memory is read in each turn at the same moment, with all streams under way. The first half is for pools and caches to
//! fill. Growth is the median of the last quarter less that of the third: a byte kept for each of the hundred thousands of
//! answers in between is seen, a page that comes and goes is not.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Traffic;
use super::contest::{Entry, Racer};
use super::streams::{STREAM, steady};
use crate::peer::Setup;
use crate::peer::config::Plan;
use crate::peer::process::{Under, truncate};
use crate::run::Bench;
use crate::sheet::{Metric, Sheet};
use crate::stats::estimate;
use crate::wire::load::Pace;

/// How long it goes on. Fewer rounds than it takes to judge are so many turns, to try it out.
const SOAK: Duration = Duration::from_secs(600);
const ENOUGH: u32 = 15;
/// How long the streams of a turn are watched once all are there, and how long calls go.
const WATCHED: Duration = Duration::from_secs(10);
const CALLS: Duration = Duration::from_secs(5);

/// Measures every peer that has the setup.
pub(super) fn measure(
    bench: &Bench,
    scenario: &'static str,
    setup: Setup,
    traffic: (&Traffic, &Traffic),
    sheet: &mut Sheet,
) -> Result<()> {
    for peer in bench.peers.iter().filter(|peer| peer.spec.files(setup).is_some()) {
        let entry = Entry { peer, subject: peer.label.clone(), plan: Plan { setup, routes: 0 } };
        let mut racer = Racer::start(bench, scenario, &entry, traffic.0, Under::Bare)?;
        let soaked = soak(bench, &mut racer, traffic);
        let growth = racer.row.values(Metric::Rss).and_then(growth);
        match (soaked, growth) {
            (Err(error), _) => {
                crate::say(&format!("  {}: {error:#}", racer.row.subject));
                racer.row.note(format!("stopped: {error:#}"));
            }
            (Ok(()), Some(growth)) if bench.rounds >= ENOUGH => {
                crate::say(&format!("  {}: grown by {growth:.2} MiB", racer.row.subject));
                racer.row.enter(Metric::Growth, growth);
            }
            (Ok(()), _) => racer.row.note("too short to judge growth"),
        }
        sheet.rows.push(racer.row);
    }
    Ok(())
}

fn soak(bench: &Bench, racer: &mut Racer, (streams, calls): (&Traffic, &Traffic)) -> Result<()> {
    let begun = Instant::now();
    let mut turns = 0..if bench.rounds < ENOUGH { bench.rounds } else { u32::MAX };
    while begun.elapsed() < SOAK && turns.next().is_some() {
        let watched = racer.load(Pace::Closed, WATCHED);
        let mut load = steady(bench, watched.clone(), streams);
        load.until = watched.until;
        let running = bench.rig.begin(load)?;
        std::thread::sleep(STREAM + WATCHED.mul_f64(0.9));
        racer.enter_rss();
        let outcome = running.wait()?;
        let mut failed = outcome.failed() + outcome.unsent;
        racer.note_failures(&outcome);

        let mut load = racer.load(Pace::Open(calls.rate), CALLS);
        load.requests = [racer.request(bench, calls)].into();
        load.says = calls.ask.says();
        load.connections = calls.connections;
        let outcome = racer.run(bench, load)?;
        failed += outcome.failed() + outcome.unsent;
        racer.row.enter(Metric::Failed, failed as f64);
        truncate(&racer.config.log);
        let rss = racer.row.last(Metric::Rss).unwrap_or(f64::NAN);
        crate::say(&format!("  {} s: {rss:.2} MiB, {failed} failed", begun.elapsed().as_secs()));
    }
    Ok(())
}

/// How much more the last quarter has than the one before, by their medians.
fn growth(values: &[f64]) -> Option<f64> {
    let (_, second) = values.split_at(values.len() / 2);
    let (third, last) = second.split_at(second.len() / 2);
    Some(estimate(last)?.median - estimate(third)?.median)
}

#[cfg(test)]
mod tests;
