//! Resident memory: idle, with many routes, with many idle connections.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Traffic;
use super::contest::{Entry, Racer};
use crate::peer::Setup;
use crate::peer::config::Plan;
use crate::peer::process::Under;
use crate::report::thousands;
use crate::run::Bench;
use crate::sheet::{Metric, Row, Sheet};
use crate::wire::load::{Load, Pace, Until, Wait};

/// How often each figure is taken, from a new start each.
const STARTS: u32 = 3;
/// After the first answer, until start-up is over.
const SETTLE: Duration = Duration::from_secs(2);
/// After the last request of the idle connections.
const IDLE: Duration = Duration::from_secs(10);
/// How long it may take to open them.
const OPEN: Duration = Duration::from_secs(60);

/// Measures every peer, as far as it has the setups.
pub(super) fn measure(
    bench: &Bench,
    scenario: &'static str,
    (routes, connections): (u32, usize),
    traffic: &Traffic,
    sheet: &mut Sheet,
) -> Result<()> {
    for peer in &bench.peers {
        let few = Plan { setup: Setup::Plain, routes: 0 };
        let many = Plan { setup: Setup::Routes, routes };
        for (what, plan, connections) in [
            ("idle".to_owned(), few, 0),
            (format!("{} routes", thousands(f64::from(routes))), many, 0),
            (format!("{} idle connections", thousands(connections as f64)), few, connections),
        ] {
            if peer.spec.files(plan.setup).is_some() {
                let entry = Entry { peer, subject: format!("{}, {what}", peer.label), plan };
                sheet.rows.push(take(bench, scenario, &entry, traffic, connections));
            }
        }
    }
    Ok(())
}

fn take(bench: &Bench, scenario: &'static str, entry: &Entry<'_>, traffic: &Traffic, connections: usize) -> Row {
    let mut row = Row::new(scenario, entry.subject.clone());
    for _ in 0..STARTS.min(bench.rounds) {
        match once(bench, scenario, entry, traffic, connections) {
            Ok(mib) => row.enter(Metric::Rss, mib),
            Err(error) => {
                crate::say(&format!("  {}: {error:#}", entry.subject));
                row.note(format!("not measured: {error:#}"));
                break;
            }
        }
    }
    let values = row.values(Metric::Rss).unwrap_or_default();
    let values: Vec<String> = values.iter().map(|mib| format!("{mib:.1}")).collect();
    crate::say(&format!("  {}: {} MiB", entry.subject, values.join(", ")));
    row
}

fn once(
    bench: &Bench,
    scenario: &'static str,
    entry: &Entry<'_>,
    traffic: &Traffic,
    connections: usize,
) -> Result<f64> {
    ensure!(
        (connections as u64) + 1000 <= bench.open_files,
        "{connections} connections need a higher limit of open files than {}",
        bench.open_files
    );
    let mut racer = Racer::start(bench, scenario, entry, traffic, Under::Bare)?;
    if connections == 0 {
        std::thread::sleep(SETTLE);
        racer.enter_rss();
    } else {
        let load = Load {
            pace: Pace::Once,
            connections,
            warmup: Duration::ZERO,
            until: Until::Told,
            wait: Wait::Sleep,
            ..racer.load.clone()
        };
        let running = bench.rig.begin(load)?;
        let deadline = Instant::now() + OPEN;
        while running.progress.answered.load(Relaxed) < connections as u64 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(IDLE);
        racer.enter_rss();
        let outcome = running.stop()?;
        ensure!(outcome.failed() == 0, "failed requests: {}", outcome.faults_text());
        ensure!(outcome.total == connections as u64, "{} of {connections} connections answered", outcome.total);
    }
    Ok(racer.row.last(Metric::Rss).unwrap_or(0.0))
}
