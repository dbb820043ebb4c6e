use clap::Parser;

use super::*;
use crate::cli::Cli;
use crate::scenario::SCENARIOS;

fn row(subject: &str, cpu: f64, share: f64, busy: f64) -> Row {
    let mut row = Row::new("h1-1k", subject);
    for round in 0..15 {
        row.enter(Metric::Cpu, cpu + f64::from(round) / 100.0);
        row.enter(Metric::Rate, 1e6 / cpu);
        row.enter(Metric::Share, share);
        row.enter(Metric::Busy, busy);
        row.enter(Metric::P50, 0.06);
        row.enter(Metric::P99, 0.3);
        row.enter(Metric::Failed, 0.0);
    }
    row
}

fn sheet() -> Sheet {
    let mut slow = row("caddy", 110.0, 0.99, 1.0);
    slow.note("over its capacity at 10000 requests a second");
    Sheet {
        rows: vec![
            row("tollgate", 16.0, 0.99, 1.0),
            row("nginx", 16.0, 0.6, 0.7),
            row("haproxy", 17.0, 0.6, 1.0),
            slow,
        ],
    }
}

fn report<'a>(sheet: &'a Sheet, args: &'a RunArgs, scenarios: &'a [&'static Scenario]) -> Report<'a> {
    let machine =
        Machine { cpu: "A <CPU>".into(), cores: 2, kernel: "Linux 6".into(), date: "2026-01-02".into(), commit: None };
    Report { sheet, scenarios, peers: &[], machine, args }
}

#[test]
fn the_report_of_known_figures() {
    let sheet = sheet();
    let args = Cli::parse_from(["bench", "--scenario", "h1-1k"]).run;
    let text = markdown::write(&report(&sheet, &args, &[&SCENARIOS[0]]));
    for line in [
        "2026-01-02. A <CPU>, 2 cores, Linux 6.",
        "| h1-1k | tollgate ≤ 1.05 × nginx (CPU µs/request) | 1.00 [1.00, 1.00] | holds |",
        "| tollgate | 16.1 [16.0, 16.1] | 1.00 [1.00, 1.00] | 62,500 | 0.06 | 0.30 | 0 |",
        "| nginx | 16.1 [16.0, 16.1] | – | load-bound | 0.06 | 0.30 | 0 |",
        "| haproxy | 17.1 [17.0, 17.1] | 1.06 [1.06, 1.06] | core shared with others | 0.06 | 0.30 | 0 |",
        "- caddy: over its capacity at 10000 requests a second",
    ] {
        assert!(text.lines().any(|other| other == line), "no line `{line}` in\n{text}");
    }
    assert!(!text.contains("instructions"), "a column without values stays out");
}

#[test]
fn the_chart_has_a_bar_for_each_row_and_escapes_text() {
    let sheet = sheet();
    let args = Cli::parse_from(["bench"]).run;
    let text = svg::write(&report(&sheet, &args, &[&SCENARIOS[0]]));
    assert_eq!(text.matches("<rect class=\"bar").count(), 4);
    assert_eq!(text.matches("bar tollgate").count(), 1);
    assert!(text.contains("A &lt;CPU&gt;") && text.contains("prefers-color-scheme:dark"));
}

#[test]
fn the_rounds_are_all_there() {
    let text = rounds(&sheet());
    assert_eq!(text.lines().count(), 1 + 4 * 7 * 15);
    assert!(text.contains("h1-1k,\"tollgate\",cpu_us,1,16.0000\n"));
}

#[test]
fn whom_a_row_is_compared_with() {
    let rows = ["tollgate", "nginx", "nginx #2", "a, few", "b, few", "b, many"].map(|subject| Row::new("s", subject));
    let sheet = Sheet { rows: rows.to_vec() };
    for (at, expected) in ["nginx", "nginx", "nginx", "a, few", "b, few", "b, few"].into_iter().enumerate() {
        assert_eq!(base(&sheet, &sheet.rows[at]).unwrap().subject, expected);
    }
}

#[test]
fn numbers() {
    for (value, expected) in [
        (0.0, "0.00"),
        (1.049, "1.05"),
        (9.99, "9.99"),
        (17.26, "17.3"),
        (370.4, "370"),
        (12345.6, "12,346"),
        (-1234567.0, "-1,234,567"),
    ] {
        assert_eq!(number(value), expected);
    }
    for (value, expected) in [(0.0, "0"), (999.0, "999"), (1000.0, "1,000"), (-100.0, "-100")] {
        assert_eq!(thousands(value), expected);
    }
}
