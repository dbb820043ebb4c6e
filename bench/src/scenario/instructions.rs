//! User-space instructions a request under callgrind: free of noise, blind to the kernel.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Traffic;
use super::bounds::BOUNDS;
use super::contest::{Entry, Racer};
use crate::peer::process::Under;
use crate::run::Bench;
use crate::sheet::{Metric, Row};
use crate::wire::load::{Load, Pace, Until, Wait};

/// A ratio bound this tight gets instructions beside it.
const TIGHT: f64 = 1.05;
/// Requests of the two runs, whose difference leaves start and end out.
const FEW: u64 = 500;
const MANY: u64 = 3_500;
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether the scenario has a bound so tight, or one on the CPU cost itself.
pub(super) fn wanted(scenario: &str) -> bool {
    BOUNDS.iter().any(|bound| {
        let tight = bound.against.is_some() && bound.at_most <= TIGHT;
        bound.scenario == scenario && bound.metric == Metric::Cpu && (tight || bound.against.is_none())
    })
}

/// Counts for each entry and enters it into its row.
pub(super) fn count(bench: &Bench, scenario: &'static str, entries: &[Entry<'_>], traffic: &Traffic, rows: &mut [Row]) {
    // What answers slowly by itself would take an hour so.
    for entry in entries.iter().filter(|entry| entry.peer.spec.connections == usize::MAX) {
        let Some(row) = rows.iter_mut().find(|row| row.subject == entry.subject) else { continue };
        match per_request(bench, scenario, entry, traffic) {
            Ok(instructions) => {
                crate::say(&format!("  {}: {instructions:.0} instructions a request", entry.subject));
                row.enter(Metric::Instructions, instructions);
            }
            Err(error) => {
                crate::say(&format!("  {} under callgrind: {error:#}", entry.subject));
                row.note("instructions could not be counted");
            }
        }
    }
}

fn per_request(bench: &Bench, scenario: &'static str, entry: &Entry<'_>, traffic: &Traffic) -> Result<f64> {
    let (few, answered_few) = one_run(bench, scenario, entry, traffic, FEW)?;
    let (many, answered_many) = one_run(bench, scenario, entry, traffic, MANY)?;
    ensure!(answered_many > answered_few && many > few, "no difference between the two runs");
    Ok((many - few) as f64 / (answered_many - answered_few) as f64)
}

/// All instructions of one run, and how many requests were answered in it.
fn one_run(
    bench: &Bench,
    scenario: &'static str,
    entry: &Entry<'_>,
    traffic: &Traffic,
    requests: u64,
) -> Result<(u64, u64)> {
    let mut racer = Racer::start(bench, scenario, entry, traffic, Under::Callgrind)?;
    let load = Load {
        pace: Pace::Closed,
        connections: racer.load.connections.min(8),
        warmup: Duration::ZERO,
        until: Until::Answered(requests),
        wait: Wait::Sleep,
        patience: PATIENCE,
        ..racer.load.clone()
    };
    let outcome = racer.run(bench, load)?;
    racer.process.stop(PATIENCE)?;
    let total = total(&racer.config.dir)?;
    std::fs::remove_dir_all(&racer.config.dir)?;
    Ok((total, outcome.total))
}

/// The sum over the files that callgrind has written, one a process.
fn total(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("callgrind.")) {
            let text = std::fs::read_to_string(&path)?;
            let line = text.lines().find_map(|line| line.strip_prefix("summary:").or(line.strip_prefix("totals:")));
            let count =
                line.and_then(|line| line.split_whitespace().next()).and_then(|count| count.parse::<u64>().ok());
            sum += count.with_context(|| format!("{} has no total", path.display()))?;
        }
    }
    ensure!(sum > 0, "callgrind wrote nothing");
    Ok(sum)
}
