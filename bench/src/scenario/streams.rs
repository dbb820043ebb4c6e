//! Many streams at once, each at the pace of a model: whether their tokens come in time, and what that takes.

use std::time::Duration;

use anyhow::Result;

use super::Traffic;
use super::contest::{Entry, Racer, enter_latency};
use super::direct::Direct;
use crate::peer::Setup;
use crate::peer::config::Plan;
use crate::peer::process::truncate;
use crate::run::Bench;
use crate::sheet::{Metric, Row, Sheet};
use crate::wire::load::{Load, Outcome, Pace, Until};

/// How long a stream takes (250 tokens, one each 20 ms), and a little: from then on as many end as begin.
pub(super) const STREAM: Duration = Duration::from_millis(5_300);
/// The most rounds: a window holds as many tokens as others do requests.
const ROUNDS: u32 = 5;

/// Measures every peer that has the setup.
pub(super) fn measure(
    bench: &Bench,
    scenario: &'static str,
    setup: Setup,
    traffic: &Traffic,
    sheet: &mut Sheet,
) -> Result<()> {
    let peers = bench.peers.iter().filter(|peer| peer.spec.files(setup).is_some());
    let plan = Plan { setup, routes: 0 };
    let entries: Vec<_> = peers.map(|peer| Entry { peer, subject: peer.label.clone(), plan }).collect();
    let (mut racers, absent) = Racer::start_all(bench, scenario, &entries, traffic);
    let mut direct = Direct::of(bench, scenario, &racers, traffic);
    for round in 0..bench.rounds.min(ROUNDS) {
        for racer in racers.iter_mut().filter(|racer| racer.racing) {
            if let Err(error) = once(bench, racer, traffic) {
                crate::say(&format!("  {}: {error:#}", racer.row.subject));
                racer.row.note(format!("left in round {}: {error:#}", round + 1));
                racer.racing = false;
            }
            progress(bench, round, &racer.row);
        }
        if let Some(direct) = &mut direct {
            let outcome = direct.run(bench, steady(bench, direct.load(), traffic))?;
            enter(&mut direct.row, traffic, &outcome);
            progress(bench, round, &direct.row);
        }
    }
    sheet.rows.extend(racers.into_iter().map(|racer| racer.row));
    sheet.rows.extend(absent);
    sheet.rows.extend(direct.map(|direct| direct.row));
    Ok(())
}

/// A load whose window opens when as many streams end as begin.
pub(super) fn steady(bench: &Bench, load: Load, traffic: &Traffic) -> Load {
    Load {
        pace: Pace::Open(bench.rate.unwrap_or(traffic.rate)),
        warmup: STREAM,
        until: Until::Elapsed(Duration::from_secs_f64(bench.seconds)),
        patience: 2 * STREAM,
        ..load
    }
}

fn once(bench: &Bench, racer: &mut Racer, traffic: &Traffic) -> Result<()> {
    let window = Duration::from_secs_f64(bench.seconds);
    let load = steady(bench, racer.load(Pace::Closed, window), traffic);
    let running = bench.rig.begin(load)?;
    // Memory is read while the streams are there.
    std::thread::sleep(STREAM + window.mul_f64(0.9));
    racer.enter_rss();
    let outcome = running.wait()?;
    racer.note_failures(&outcome);
    enter(&mut racer.row, traffic, &outcome);
    racer.row.enter(Metric::Failed, (outcome.failed() + outcome.unsent) as f64);
    racer.row.enter(Metric::Core, outcome.used.share() * 100.0);
    racer.row.enter(Metric::TokenCpu, outcome.used.cpu.as_secs_f64() * 1e6 / outcome.late.count().max(1) as f64);
    truncate(&racer.config.log);
    Ok(())
}

fn enter(row: &mut Row, traffic: &Traffic, outcome: &Outcome) {
    enter_latency(row, traffic.ask, outcome);
    row.enter(Metric::Tokens, outcome.late.count() as f64 / outcome.elapsed.as_secs_f64().max(1e-9));
}

fn progress(bench: &Bench, round: u32, row: &Row) {
    let figure = |metric| row.last(metric).unwrap_or(f64::NAN);
    crate::say(&format!(
        "  {}/{}: {} {:.1}k tokens/s, late p50 {:.3} ms p99 {:.3} ms, {:.0} % of its core, {:.1} MiB",
        round + 1,
        bench.rounds.min(ROUNDS),
        row.subject,
        figure(Metric::Tokens) / 1e3,
        figure(Metric::Late50),
        figure(Metric::Late99),
        figure(Metric::Core),
        figure(Metric::Rss),
    ));
}
