//! What must hold, in one table, and whether it does.

use crate::sheet::{Metric, Sheet};
use crate::stats::{Estimate, estimate, ratios};

/// One thing that must hold.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) scenario: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) metric: Metric,
    /// Present when the bound is on the ratio to this one, round by round.
    pub(crate) against: Option<&'static str>,
    pub(crate) at_most: f64,
    /// How many values it takes to judge.
    pub(crate) rounds: usize,
}

const fn ratio(scenario: &'static str, subject: &'static str, against: &'static str, at_most: f64) -> Bound {
    Bound { scenario, subject, metric: Metric::Cpu, against: Some(against), at_most, rounds: 15 }
}

const fn figure(scenario: &'static str, subject: &'static str, metric: Metric, at_most: f64, rounds: usize) -> Bound {
    Bound { scenario, subject, metric, against: None, at_most, rounds }
}

/// All of them.
pub(crate) const BOUNDS: [Bound; 33] = [
    ratio("h1-1k", "tollgate", "nginx", 1.05),
    ratio("h1-1k", "tollgate", "haproxy", 1.05),
    ratio("tls-h1", "tollgate", "nginx", 1.10),
    ratio("tls-h2", "tollgate", "nginx", 1.10),
    ratio("tls-new", "tollgate", "nginx", 1.05),
    ratio("full", "tollgate", "nginx", 1.15),
    figure("full", "tollgate", Metric::Rss, 150.0, 3),
    ratio("steps", "tollgate, key_auth", "tollgate, bare", 1.03),
    ratio("steps", "tollgate, rate_limit", "tollgate, bare", 1.04),
    ratio("steps", "tollgate, jwt", "tollgate, bare", 1.05),
    ratio("upstreams", "tollgate, split", "tollgate, bare", 1.03),
    ratio("upstreams", "tollgate, hash", "tollgate, bare", 1.03),
    ratio("upstreams", "tollgate, retries", "tollgate, bare", 1.03),
    ratio("upstreams", "tollgate, breaker", "tollgate, bare", 1.03),
    figure("redis", "tollgate, limits in Redis", Metric::P99Rise, 1.0, 15),
    ratio("routes", "tollgate, 10,000 routes", "tollgate, 10 routes", 1.05),
    figure("reload", "tollgate", Metric::Reload, 200.0, 15),
    figure("reload", "tollgate", Metric::P99Rise, 5.0, 15),
    figure("reload", "tollgate", Metric::Failed, 0.0, 15),
    figure("memory", "tollgate, idle", Metric::Rss, 25.0, 3),
    figure("memory", "tollgate, 5,000 routes", Metric::Rss, 60.0, 3),
    figure("memory", "tollgate, 10,000 idle connections", Metric::Rss, 120.0, 3),
    figure("ai-chat", "tollgate", Metric::Cpu, 35.0, 15),
    figure("ai-chat", "tollgate", Metric::P99Added, 1.0, 15),
    figure("ai-translate", "tollgate", Metric::Cpu, 60.0, 15),
    figure("ai-translate", "tollgate", Metric::P99Added, 1.0, 15),
    figure("ai-ttft", "tollgate", Metric::FirstAdded, 1.0, 15),
    figure("ai-streams", "tollgate", Metric::Failed, 0.0, 3),
    // A token that comes after the next one was due does not keep the pace.
    figure("ai-streams", "tollgate", Metric::Late99, 20.0, 3),
    figure("ai-streams", "tollgate", Metric::Rss, 60.0, 3),
    figure("ai-soak", "tollgate", Metric::Failed, 0.0, 16),
    figure("ai-soak", "tollgate", Metric::Rss, 60.0, 16),
    figure("ai-soak", "tollgate", Metric::Growth, 2.0, 1),
];

/// Whether a bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The interval's upper end is under it.
    Holds,
    /// It is not.
    Fails,
    /// Not enough rounds to say.
    TooFewRounds,
    /// Requests failed, so the figure says nothing.
    FailedRequests,
    /// One of the two was not measured.
    NotMeasured,
}

impl Verdict {
    /// In a word.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "**fails**",
            Self::TooFewRounds => "too few rounds",
            Self::FailedRequests => "**requests failed**",
            Self::NotMeasured => "not measured",
        }
    }
}

impl Bound {
    /// What was measured for it, and the verdict.
    pub(crate) fn judge(&self, sheet: &Sheet) -> (Option<Estimate>, Verdict) {
        let values = match (sheet.values(self.scenario, self.subject, self.metric), self.against) {
            (Some(values), None) => values.to_vec(),
            (Some(values), Some(against)) => match sheet.values(self.scenario, against, self.metric) {
                Some(base) => ratios(values, base),
                None => return (None, Verdict::NotMeasured),
            },
            (None, _) => return (None, Verdict::NotMeasured),
        };
        let Some(estimate) = estimate(&values) else { return (None, Verdict::NotMeasured) };
        let failed = [Some(self.subject), self.against].into_iter().flatten();
        let failed = failed.filter_map(|subject| sheet.values(self.scenario, subject, Metric::Failed)).flatten();
        let verdict = if self.metric != Metric::Failed && failed.sum::<f64>() > 0.0 {
            Verdict::FailedRequests
        } else if values.len() < self.rounds {
            Verdict::TooFewRounds
        } else if self.worst(&values, estimate) <= self.at_most {
            Verdict::Holds
        } else {
            Verdict::Fails
        };
        (Some(estimate), verdict)
    }

    /// A single failed request is one too many; for the rest the interval decides.
    fn worst(&self, values: &[f64], estimate: Estimate) -> f64 {
        if self.metric == Metric::Failed { values.iter().sum() } else { estimate.high }
    }
}

#[cfg(test)]
mod tests;
