//! The tables.

use std::fmt::Write;

use super::{Report, bound_text, cpu_ratio, number, thousands, throughput, with_interval};
use crate::cli::Suite;
use crate::scenario::bounds::{BOUNDS, Verdict};
use crate::scenario::{Scenario, Work};
use crate::sheet::{Metric, Row};
use crate::stats::estimate;

/// A column of a scenario's table.
#[derive(Clone, Copy)]
enum Column {
    /// Median and interval.
    Interval(Metric),
    /// Median.
    Median(Metric),
    /// Sum.
    Sum(Metric),
    /// CPU cost as a multiple of the base's.
    Ratio,
    /// Throughput, where the proxy was at its limit.
    Throughput,
}

/// Every column, in order; those without a value in a table are left out of it.
const COLUMNS: [Column; 20] = [
    Column::Interval(Metric::Cpu),
    Column::Ratio,
    Column::Throughput,
    Column::Interval(Metric::Reload),
    Column::Median(Metric::P50),
    Column::Median(Metric::P99),
    Column::Interval(Metric::P99Rise),
    Column::Interval(Metric::P99Added),
    Column::Median(Metric::First50),
    Column::Median(Metric::First99),
    Column::Interval(Metric::FirstAdded),
    Column::Median(Metric::Tokens),
    Column::Median(Metric::Core),
    Column::Median(Metric::TokenCpu),
    Column::Median(Metric::Late50),
    Column::Interval(Metric::Late99),
    Column::Interval(Metric::Growth),
    Column::Median(Metric::Rss),
    Column::Sum(Metric::Failed),
    Column::Median(Metric::Instructions),
];

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Interval(metric) | Self::Median(metric) | Self::Sum(metric) => metric.title(),
            Self::Ratio => "× base",
            Self::Throughput => Metric::Rate.title(),
        }
    }

    fn cell(self, report: &Report<'_>, row: &Row) -> Option<String> {
        match self {
            Self::Interval(metric) => estimate(row.values(metric)?).map(with_interval),
            Self::Median(metric) => estimate(row.values(metric)?).map(|value| number(value.median)),
            Self::Sum(metric) => Some(thousands(row.values(metric)?.iter().sum())),
            Self::Ratio => cpu_ratio(report.sheet, row).map(with_interval),
            Self::Throughput => throughput(row),
        }
    }
}

/// The whole report.
pub(crate) fn write(report: &Report<'_>) -> String {
    let mut text = String::from("# Benchmark results\n\n");
    circumstances(report, &mut text);
    bounds(report, &mut text);
    text.push_str("![CPU microseconds a request, by scenario and proxy](results.svg)\n\n");
    for scenario in report.scenarios {
        table(report, scenario, &mut text);
    }
    let up = if report.args.suite == Suite::Ai { "../.." } else { ".." };
    let _ = writeln!(text, "How it is measured, and what each column means: [bench/README.md]({up}/README.md).");
    text
}

fn circumstances(report: &Report<'_>, text: &mut String) {
    let (machine, args) = (&report.machine, report.args);
    let commit = machine.commit.as_ref().map(|commit| format!(", commit {commit}")).unwrap_or_default();
    let _ = writeln!(text, "{}{commit}. {}, {} cores, {}.", machine.date, machine.cpu, machine.cores, machine.kernel);
    let _ = writeln!(
        text,
        "{} rounds of {} s (closed loop) and {} s (open loop), order reversed each round; proxy on core {}, load and \
         upstream on core {}{}.\n",
        args.rounds,
        number(args.seconds),
        number(args.seconds / 2.0),
        args.proxy_core,
        args.load_core,
        if args.nice == 0 { String::new() } else { format!(", at nice {}", args.nice) },
    );
    for peer in report.peers {
        let _ = writeln!(text, "- {} {}", peer.label, peer.version);
    }
    let suite = if args.suite == Suite::Ai { " --suite ai" } else { "" };
    let scenarios: Vec<String> = args.scenarios.iter().map(|name| format!(" --scenario {name}")).collect();
    let peers = if args.peers.is_empty() { String::new() } else { format!(" --peers {}", args.peers.join(",")) };
    let rate = args.rate.map(|rate| format!(" --rate {rate}")).unwrap_or_default();
    let nice = if args.nice == 0 { String::new() } else { format!(" --nice {}", args.nice) };
    let callgrind = if args.callgrind { " --callgrind" } else { "" };
    let _ = writeln!(
        text,
        "\nRepeat with `cargo build --profile dist -p tollgate && cargo run --release -p bench --{suite} --rounds {} --seconds \
         {}{}{peers}{rate}{nice}{callgrind}`.\n",
        args.rounds,
        args.seconds,
        scenarios.concat(),
    );
}

fn bounds(report: &Report<'_>, text: &mut String) {
    text.push_str("## Bounds\n\nA bound holds when the upper end of the 95 % interval is under it.\n\n");
    text.push_str("| scenario | bound | measured | |\n|---|---|---|---|\n");
    let measured = |name: &str| report.scenarios.iter().any(|scenario| scenario.name == name);
    for bound in BOUNDS.iter().filter(|bound| measured(bound.scenario)) {
        let (estimate, verdict) = bound.judge(report.sheet);
        let estimate = match estimate {
            // A count of failures has no median worth the name.
            Some(_) if bound.metric == Metric::Failed => {
                let values = report.sheet.values(bound.scenario, bound.subject, bound.metric).unwrap_or_default();
                thousands(values.iter().sum())
            }
            Some(estimate) => with_interval(estimate),
            None => "–".to_owned(),
        };
        let verdict = match verdict {
            Verdict::TooFewRounds => format!("{} (of {})", verdict.text(), bound.rounds),
            _ => verdict.text().to_owned(),
        };
        let _ = writeln!(text, "| {} | {} | {estimate} | {verdict} |", bound.scenario, bound_text(bound));
    }
    text.push('\n');
}

fn table(report: &Report<'_>, scenario: &Scenario, text: &mut String) {
    let rows: Vec<&Row> = report.sheet.of(scenario.name).collect();
    let _ = writeln!(text, "## {}: {}\n", scenario.name, scenario.title);
    if let Some(rate) = open_rate(report, scenario) {
        let _ = writeln!(text, "p50 and p99 at {} requests a second, from the intended time.\n", thousands(rate));
    }
    let cells = |column: Column| rows.iter().map(|row| column.cell(report, row)).collect::<Vec<_>>();
    let columns: Vec<(Column, Vec<Option<String>>)> = COLUMNS
        .into_iter()
        .map(|column| (column, cells(column)))
        .filter(|(_, cells)| cells.iter().any(Option::is_some))
        .collect();
    let titles: Vec<&str> = columns.iter().map(|(column, _)| column.title()).collect();
    let _ = writeln!(text, "| | {} |\n|---{}|", titles.join(" | "), "|---:".repeat(titles.len()));
    for (at, row) in rows.iter().enumerate() {
        let cells = columns.iter().map(|(_, cells)| cells.get(at).cloned().flatten().unwrap_or("–".to_owned()));
        let _ = writeln!(text, "| {} | {} |", row.subject, cells.collect::<Vec<_>>().join(" | "));
    }
    text.push('\n');
    for row in &rows {
        for note in &row.notes {
            let _ = writeln!(text, "- {}: {}", row.subject, note.replace('\n', " "));
        }
    }
    if rows.iter().any(|row| !row.notes.is_empty()) {
        text.push('\n');
    }
}

fn open_rate(report: &Report<'_>, scenario: &Scenario) -> Option<f64> {
    let traffic = match &scenario.work {
        Work::Steady(steady) => &steady.traffic,
        Work::Routes { traffic, .. }
        | Work::Steps { traffic, .. }
        | Work::Redis { traffic }
        | Work::Streams { traffic, .. }
        | Work::Reload { traffic, .. } => traffic,
        Work::Memory { .. } | Work::Soak { .. } => return None,
    };
    Some(report.args.rate.unwrap_or(traffic.rate))
}
