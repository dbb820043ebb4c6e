use super::*;
use crate::scenario::{SCENARIOS, ai};
use crate::sheet::Row;

const RATIO: Bound = ratio("s", "a", "b", 1.05);
const FAILED: Bound = figure("s", "a", Metric::Failed, 0.0, 15);

fn row(subject: &str, metric: Metric, values: impl IntoIterator<Item = f64>) -> Row {
    let mut row = Row::new("s", subject);
    values.into_iter().for_each(|value| row.enter(metric, value));
    row
}

fn verdict(bound: &Bound, rows: Vec<Row>) -> Verdict {
    bound.judge(&Sheet { rows }).1
}

#[test]
fn every_bound_names_a_scenario() {
    for bound in &BOUNDS {
        let mut all = SCENARIOS.iter().chain(&ai::SCENARIOS);
        assert!(all.any(|scenario| scenario.name == bound.scenario), "{}", bound.scenario);
    }
}

#[test]
fn a_ratio_is_judged_by_the_upper_end_of_its_interval() {
    let base = || row("b", Metric::Cpu, [10.0; 15]);
    let with = |worst: usize| (0..15).map(move |at| if at < worst { 11.0 } else { 10.2 });
    // Up to three of fifteen rounds lie outside the interval.
    for (worst, expected) in [(0, Verdict::Holds), (3, Verdict::Holds), (4, Verdict::Fails), (15, Verdict::Fails)] {
        let rows = vec![row("a", Metric::Cpu, with(worst)), base()];
        assert_eq!(verdict(&RATIO, rows), expected, "{worst} bad rounds");
    }
    assert_eq!(verdict(&RATIO, vec![row("a", Metric::Cpu, [10.0; 14]), base()]), Verdict::TooFewRounds);
    assert_eq!(verdict(&RATIO, vec![row("a", Metric::Cpu, [10.0; 15])]), Verdict::NotMeasured);
    assert_eq!(verdict(&RATIO, vec![base()]), Verdict::NotMeasured);
}

#[test]
fn a_figure_with_failed_requests_is_none() {
    for failing in ["a", "b"] {
        let mut rows = vec![row("a", Metric::Cpu, [10.0; 15]), row("b", Metric::Cpu, [10.0; 15])];
        for row in rows.iter_mut().filter(|row| row.subject == failing) {
            row.enter(Metric::Failed, 1.0);
        }
        assert_eq!(verdict(&RATIO, rows), Verdict::FailedRequests, "{failing}");
    }
}

#[test]
fn one_failed_request_is_one_too_many() {
    let failed = |count: f64| row("a", Metric::Failed, (0..15).map(|at| if at == 7 { count } else { 0.0 }));
    assert_eq!(verdict(&FAILED, vec![failed(0.0)]), Verdict::Holds);
    assert_eq!(verdict(&FAILED, vec![failed(1.0)]), Verdict::Fails);
}
