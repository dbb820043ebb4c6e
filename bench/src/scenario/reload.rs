//! A new configuration under traffic: how long until it answers, what that does to latency, and whether anything fails.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Traffic;
use super::contest::{Entry, Racer};
use crate::histogram::Histogram;
use crate::peer::Setup;
use crate::peer::config::{Plan, revision};
use crate::run::Bench;
use crate::sheet::{Metric, Sheet};
use crate::wire::load::{Load, Outcome, Pace, Timeline, Until};

/// Undisturbed traffic before each reload.
const BEFORE: Duration = Duration::from_millis(1000);
/// Traffic that still counts as disturbed after the first answer of the new configuration: the old one is put away.
const AFTER: Duration = Duration::from_millis(100);
/// How long a reload may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures every peer that has a configuration with routes.
pub(super) fn measure(
    bench: &Bench,
    scenario: &'static str,
    routes: u32,
    traffic: &Traffic,
    sheet: &mut Sheet,
) -> Result<()> {
    let peers = bench.peers.iter().filter(|peer| peer.spec.files(Setup::Routes).is_some());
    let plan = Plan { setup: Setup::Routes, routes };
    for peer in peers {
        let entry = Entry { peer, subject: peer.label.clone(), plan };
        let (mut racers, mut absent) = Racer::start_all(bench, scenario, std::slice::from_ref(&entry), traffic);
        if let Some(mut racer) = racers.pop() {
            if let Err(error) = rounds(bench, &mut racer, traffic) {
                crate::say(&format!("  {}: {error:#}", racer.row.subject));
                racer.row.note(format!("stopped: {error:#}"));
            }
            sheet.rows.push(racer.row.clone());
        }
        sheet.rows.append(&mut absent);
    }
    Ok(())
}

fn rounds(bench: &Bench, racer: &mut Racer, traffic: &Traffic) -> Result<()> {
    let hidden = hide(&racer.config.main)?;
    for round in 1..=bench.rounds {
        // Ready to be renamed into place, so that writing it does not take time from the load's core.
        let next = hidden.with_extension("next");
        fs::write(&next, racer.config.text(round)?)?;
        let load = Load {
            until: Until::Told,
            timeline: Timeline::Keep,
            marker: Some(format!("x-revision: {}\r\n", revision(round)).into_bytes().into()),
            ..racer.load(Pace::Open(bench.rate.unwrap_or(traffic.rate)), BEFORE)
        };
        let warmup = load.warmup;
        let running = bench.rig.begin(load)?;
        std::thread::sleep(warmup + BEFORE);
        fs::rename(&next, &hidden)?;
        let asked = Instant::now();
        racer.process.reload()?;
        while !running.progress.marked.load(Relaxed) && asked.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(AFTER);
        let outcome = running.stop()?;
        enter(racer, &outcome, asked)?;
        let figure = |metric| racer.row.last(metric).unwrap_or(f64::NAN);
        crate::say(&format!(
            "  {round}/{}: {} new program after {:.1} ms, p99 {:.2} ms, risen by {:.2} ms, {} failed",
            bench.rounds,
            racer.row.subject,
            figure(Metric::Reload),
            figure(Metric::P99),
            figure(Metric::P99Rise),
            figure(Metric::Failed),
        ));
    }
    Ok(())
}

fn enter(racer: &mut Racer, outcome: &Outcome, asked: Instant) -> Result<()> {
    racer.note_failures(outcome);
    let marked = outcome.marked_at.context("no answer came from the new configuration")?;
    let (mut before, mut during) = (Histogram::new(), Histogram::new());
    for sample in &outcome.timeline {
        let histogram = if sample.intended < asked { &mut before } else { &mut during };
        histogram.record(u64::try_from(sample.latency.as_nanos()).unwrap_or(u64::MAX));
    }
    ensure!(before.count() > 0 && during.count() > 0, "too few answers to compare");
    let p99 = |histogram: &Histogram| histogram.quantile(0.99).unwrap_or(0.0) / 1e6;
    let p50 = before.quantile(0.5).unwrap_or(0.0) / 1e6;
    racer.row.enter(Metric::Reload, marked.saturating_duration_since(asked).as_secs_f64() * 1e3);
    racer.row.enter(Metric::P50, p50);
    racer.row.enter(Metric::P99, p99(&before));
    racer.row.enter(Metric::P99Rise, p99(&during) - p99(&before));
    racer.row.enter(Metric::Failed, outcome.failed() as f64);
    racer.enter_rss();
    Ok(())
}

/// Puts the file into a folder of its own with a link in its place: a proxy that watches its configuration does not see
/// the rename there, and loads it at the signal, at once and once.
fn hide(file: &Path) -> Result<PathBuf> {
    let folder = file.with_extension("d");
    fs::create_dir_all(&folder)?;
    let hidden = folder.join(file.file_name().context("a file has a name")?);
    fs::rename(file, &hidden)?;
    symlink(&hidden, file)?;
    Ok(hidden)
}
