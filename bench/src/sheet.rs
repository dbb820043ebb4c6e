//! All that was measured: for each scenario and subject, a value of each metric a round.

use std::collections::BTreeMap;

/// What a value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// CPU microseconds a request (a connection, where each request has its own).
    Cpu,
    /// Good answers a second in the closed loop.
    Rate,
    /// Share of the core's time that the proxy had in the closed loop.
    Share,
    /// Share of the time that the core was busy.
    Busy,
    /// Milliseconds at the open-loop rate.
    P50,
    /// The same.
    P99,
    /// Resident memory, MiB.
    Rss,
    /// Failed requests.
    Failed,
    /// User-space instructions a request.
    Instructions,
    /// Milliseconds from the signal to the first answer of the new configuration.
    Reload,
    /// p99 while the configuration is exchanged, less p99 before, milliseconds.
    P99Rise,
    /// p99 through the proxy, less p99 of the upstream asked directly, milliseconds.
    P99Added,
    /// Milliseconds to the first byte of the body, at the open-loop rate.
    First50,
    /// The same.
    First99,
    /// The same through the proxy, less that of the upstream asked directly.
    FirstAdded,
    /// Milliseconds from when a stream's token was due to its arrival.
    Late50,
    /// The same.
    Late99,
    /// Per cent of the core that the proxy needs.
    Core,
    /// Tokens a second.
    Tokens,
    /// CPU microseconds a token.
    TokenCpu,
    /// Rise of resident memory over the second half, MiB.
    Growth,
}

impl Metric {
    /// Its name in the file of rounds, with the unit.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpu_us",
            Self::Rate => "requests_per_second",
            Self::Share => "proxy_share_of_core",
            Self::Busy => "core_busy",
            Self::P50 => "p50_ms",
            Self::P99 => "p99_ms",
            Self::Rss => "rss_mib",
            Self::Failed => "failed",
            Self::Instructions => "instructions",
            Self::Reload => "reload_ms",
            Self::P99Rise => "p99_rise_ms",
            Self::P99Added => "p99_added_ms",
            Self::First50 => "ttft_p50_ms",
            Self::First99 => "ttft_p99_ms",
            Self::FirstAdded => "ttft_p99_added_ms",
            Self::Late50 => "late_p50_ms",
            Self::Late99 => "late_p99_ms",
            Self::Core => "core_percent",
            Self::Tokens => "tokens_per_second",
            Self::TokenCpu => "cpu_us_token",
            Self::Growth => "growth_mib",
        }
    }

    /// Its name for people, with the unit.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU µs/request",
            Self::Rate => "requests/s",
            Self::Share => "proxy's share of its core",
            Self::Busy => "core busy",
            Self::P50 => "p50 ms",
            Self::P99 => "p99 ms",
            Self::Rss => "RSS MiB",
            Self::Failed => "failed",
            Self::Instructions => "instructions/request",
            Self::Reload => "text to new program ms",
            Self::P99Rise => "p99 rise ms",
            Self::P99Added => "p99 added ms",
            Self::First50 => "first token p50 ms",
            Self::First99 => "first token p99 ms",
            Self::FirstAdded => "first token p99 added ms",
            Self::Late50 => "token late p50 ms",
            Self::Late99 => "token late p99 ms",
            Self::Core => "% of its core",
            Self::Tokens => "tokens/s",
            Self::TokenCpu => "CPU µs/token",
            Self::Growth => "growth MiB",
        }
    }
}

/// One subject of one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) subject: String,
    values: BTreeMap<Metric, Vec<f64>>,
    /// What a reader of the figures must know.
    pub(crate) notes: Vec<String>,
}

impl Row {
    /// Nothing measured yet.
    pub(crate) fn new(scenario: &'static str, subject: impl Into<String>) -> Self {
        Self { scenario, subject: subject.into(), values: BTreeMap::new(), notes: Vec::new() }
    }

    /// Adds the next round's value.
    pub(crate) fn enter(&mut self, metric: Metric, value: f64) {
        self.values.entry(metric).or_default().push(value);
    }

    /// The values, a round each; `None` when it was never measured.
    pub(crate) fn values(&self, metric: Metric) -> Option<&[f64]> {
        self.values.get(&metric).map(Vec::as_slice)
    }

    /// The last round's value.
    pub(crate) fn last(&self, metric: Metric) -> Option<f64> {
        self.values(metric)?.last().copied()
    }

    /// Notes something once.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Every metric with its values.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Metric, &[f64])> {
        self.values.iter().map(|(metric, values)| (*metric, values.as_slice()))
    }
}

/// All rows, in the order they were measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) rows: Vec<Row>,
}

impl Sheet {
    /// The rows of one scenario.
    pub(crate) fn of<'a>(&'a self, scenario: &'a str) -> impl Iterator<Item = &'a Row> + Clone {
        self.rows.iter().filter(move |row| row.scenario == scenario)
    }

    /// The values of one subject.
    pub(crate) fn values(&self, scenario: &str, subject: &str, metric: Metric) -> Option<&[f64]> {
        self.rows.iter().find(|row| row.scenario == scenario && row.subject == subject)?.values(metric)
    }
}
