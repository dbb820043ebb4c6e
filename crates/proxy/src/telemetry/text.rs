//! Metrics as text: Prometheus 0.0.4, or OpenMetrics 1.0 where the scraper asks for it.

use std::fmt::{Display, Write as _};

use super::catalog::{Kind, METRICS, Metric, Unit};
use super::histogram::{Bounds, Sums};
use crate::policies::quality::items;

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a scraper's `Accept` asks for: the better liked of the two, Prometheus where it does not say.
    pub fn negotiate(accept: &str) -> Self {
        let (mut open, mut plain) = (0, 0);
        for (kind, quality) in items(accept) {
            if kind.eq_ignore_ascii_case("application/openmetrics-text") {
                open = quality.max(open);
            } else if ["text/plain", "text/*", "*/*"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
                plain = quality.max(plain);
            }
        }
        if open > 0 && open >= plain { Format::OpenMetrics } else { Format::Prometheus }
    }

    /// The `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Metrics being written.
pub struct Text {
    out: String,
    format: Format,
}

/// One metric being written. Its head appears with its first sample.
pub struct Family<'a> {
    text: &'a mut Text,
    metric: &'static Metric,
    begun: bool,
}

impl Text {
    /// Nothing yet.
    pub fn new(format: Format) -> Self {
        Self { out: String::with_capacity(16 << 10), format }
    }

    /// Begins a metric of the catalog. Each is begun once.
    pub fn family(&mut self, metric: &'static Metric) -> Family<'_> {
        debug_assert!(METRICS.contains(&metric), "{} is not in the catalog", metric.name);
        Family { text: self, metric, begun: false }
    }

    /// A metric without labels.
    pub fn single(&mut self, metric: &'static Metric, value: impl Display) {
        self.family(metric).sample(&[], value);
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }
}

impl Family<'_> {
    /// Adds a sample; labels in the catalog's order.
    pub fn sample(&mut self, labels: &[&str], value: impl Display) {
        self.head();
        self.line("", labels, None, value);
    }

    /// Adds a histogram.
    pub(super) fn histogram<const N: usize, const B: usize>(
        &mut self,
        labels: &[&str],
        bounds: &Bounds<N>,
        sums: &Sums<B>,
    ) {
        self.head();
        let mut running = 0;
        for (text, count) in bounds.texts().zip(&sums.buckets) {
            running += count;
            self.line("_bucket", labels, Some(text), running);
        }
        let count = sums.count();
        self.line("_bucket", labels, Some("+Inf"), count);
        self.line("_sum", labels, None, Seconds(sums.sum));
        self.line("_count", labels, None, count);
    }

    fn head(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let Metric { name, kind, unit, help, .. } = *self.metric;
        let out = &mut self.text.out;
        let help = help.replace('\\', "\\\\");
        let (name, kind) = match (self.text.format, kind) {
            // The sample's suffix is not part of an OpenMetrics family's name.
            (Format::OpenMetrics, Kind::Counter) => (name.trim_end_matches("_total"), "counter"),
            (Format::OpenMetrics, Kind::Info) => (name.trim_end_matches("_info"), "info"),
            (_, Kind::Counter) => (name, "counter"),
            (_, Kind::Gauge | Kind::Info) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
        };
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        if self.text.format == Format::OpenMetrics && unit != Unit::None {
            let _ = writeln!(out, "# UNIT {name} {}", unit.as_str());
        }
    }

    fn line(&mut self, suffix: &str, labels: &[&str], le: Option<&str>, value: impl Display) {
        debug_assert_eq!(labels.len(), self.metric.labels.len(), "labels of {}", self.metric.name);
        let out = &mut self.text.out;
        out.push_str(self.metric.name);
        out.push_str(suffix);
        let named = self.metric.labels.iter().copied().zip(labels.iter().copied());
        let mut before = '{';
        for (name, value) in named.chain(le.map(|bound| ("le", bound))) {
            out.push(before);
            before = ',';
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        if before == ',' {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
    }
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// Nanoseconds, shown as seconds without loss.
pub(super) struct Seconds(pub(super) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}
