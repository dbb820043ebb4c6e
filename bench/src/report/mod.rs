//! What was measured, written down: a table and a chart for people, the rounds for whoever wants to count again.

pub(crate) mod markdown;
mod svg;

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::RunArgs;
use crate::machine::Machine;
use crate::peer::Peer;
use crate::scenario::Scenario;
use crate::scenario::bounds::Bound;
use crate::sheet::{Metric, Row, Sheet};
use crate::stats::{Estimate, estimate, ratios};

/// From this share of its core on a proxy is at its limit.
const SATURATED: f64 = 0.98;

/// Everything that a report speaks of.
pub(crate) struct Report<'a> {
    pub(crate) sheet: &'a Sheet,
    pub(crate) scenarios: &'a [&'static Scenario],
    pub(crate) peers: &'a [Peer],
    pub(crate) machine: Machine,
    pub(crate) args: &'a RunArgs,
}

/// Writes results.md, results.svg and rounds.csv into `folder`.
pub(crate) fn write_all(report: &Report<'_>, markdown: &str, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for (name, text) in
        [("results.md", markdown.to_owned()), ("results.svg", svg::write(report)), ("rounds.csv", rounds(report.sheet))]
    {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// A bound in words.
pub(crate) fn bound_text(bound: &Bound) -> String {
    let (metric, limit) = (bound.metric.title(), number(bound.at_most));
    match bound.against {
        Some(against) => format!("{} ≤ {limit} × {against} ({metric})", bound.subject),
        None => format!("{} ≤ {limit} ({metric})", bound.subject),
    }
}

/// `12,345`.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With as many decimals as a figure of its size deserves.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => thousands(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `median [low, high]`.
fn with_interval(estimate: Estimate) -> String {
    format!("{} [{}, {}]", number(estimate.median), number(estimate.low), number(estimate.high))
}

/// Whom a row is compared with: the same peer's first row where a scenario has several of a peer, else nginx, else the
/// first.
fn base<'a>(sheet: &'a Sheet, row: &'a Row) -> Option<&'a Row> {
    let rows = sheet.of(row.scenario);
    match row.subject.split_once(", ") {
        Some((peer, _)) => {
            rows.clone().find(|other| other.subject.split_once(", ").is_some_and(|(one, _)| one == peer))
        }
        None => rows.clone().find(|other| other.subject == "nginx").or_else(|| rows.clone().next()),
    }
}

/// The row's CPU cost as a multiple of its base's.
fn cpu_ratio(sheet: &Sheet, row: &Row) -> Option<Estimate> {
    let base = base(sheet, row)?;
    if base.subject == row.subject {
        return None;
    }
    estimate(&ratios(row.values(Metric::Cpu)?, base.values(Metric::Cpu)?))
}

/// Throughput where the proxy was at its limit, or why there is none.
fn throughput(row: &Row) -> Option<String> {
    let (rates, shares) = (row.values(Metric::Rate)?, row.values(Metric::Share)?);
    let full: Vec<f64> =
        rates.iter().zip(shares).filter(|(_, share)| **share >= SATURATED).map(|(rate, _)| *rate).collect();
    if full.len() * 2 >= rates.len() {
        return estimate(&full).map(|rate| thousands(rate.median));
    }
    let busy = estimate(row.values(Metric::Busy)?)?;
    Some(if busy.median >= SATURATED { "core shared with others".to_owned() } else { "load-bound".to_owned() })
}

fn rounds(sheet: &Sheet) -> String {
    let mut text = String::from("scenario,subject,metric,round,value\n");
    for row in &sheet.rows {
        for (metric, values) in row.all() {
            for (at, value) in values.iter().enumerate() {
                let _ = writeln!(text, "{},\"{}\",{},{},{value:.4}", row.scenario, row.subject, metric.key(), at + 1);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
