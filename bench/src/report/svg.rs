//! The chart: CPU microseconds a request, a bar a proxy, in groups by scenario, with the 95 % interval as a whisker.

use std::fmt::Write;

use super::{Report, cpu_ratio, number};
use crate::sheet::{Metric, Row};
use crate::stats::{Estimate, estimate};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 130.0;
const BAR: f64 = 18.0;
const GAP: f64 = 6.0;
const GROUP: f64 = 44.0;

/// Follows the reader's light or dark setting; colours keep a contrast of 4.5 to their ground in both.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1c2530}\
.title{font-weight:600;font-size:15px}.group{font-weight:600}.muted{fill:#5c6873}\
.ground{fill:#fff}.line{stroke:#8a96a3;stroke-width:1}.whisker{stroke:#1c2530;stroke-width:1.5}\
.bar{fill:#9aa7b4}.tollgate{fill:#12876f}\
@media (prefers-color-scheme:dark){\
text{fill:#e6ebf0}.muted{fill:#9aa7b4}.ground{fill:#12161b}.line{stroke:#5c6873}.whisker{stroke:#e6ebf0}\
.bar{fill:#66737f}.tollgate{fill:#2fb798}}";

/// The chart of every row that has a CPU cost.
pub(crate) fn write(report: &Report<'_>) -> String {
    let groups = groups(report);
    let mut body = String::new();
    let mut y = 64.0;
    for group in &groups {
        let _ = writeln!(body, "<text class=\"group\" x=\"16\" y=\"{:.0}\">{}</text>", y + 4.0, escape(&group.title));
        y += 16.0;
        // A scale a group: a handshake costs twenty requests, and what is compared stands within a group.
        let highest = group.bars.iter().map(|bar| bar.cpu.high).fold(0.1, f64::max);
        for bar in &group.bars {
            draw(&mut body, bar, y, highest);
            y += BAR + GAP;
        }
        y += GROUP - 16.0;
    }
    let height = y - GROUP + 60.0;
    let machine = &report.machine;
    let foot = format!("{}, {}, {} rounds; median and 95 % interval", machine.cpu, machine.date, report.args.rounds);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" role=\"img\" aria-label=\"CPU microseconds a request, by scenario and proxy\">\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n\
         <text class=\"title\" x=\"16\" y=\"30\">CPU microseconds a request: less is better, a scale for each scenario</text>\n{body}\
         <text class=\"muted\" x=\"16\" y=\"{:.0}\">{}</text>\n</svg>\n",
        height - 16.0,
        escape(&foot),
    )
}

struct Group {
    title: String,
    bars: Vec<Bar>,
}

struct Bar {
    label: String,
    cpu: Estimate,
    ratio: Option<Estimate>,
}

fn groups(report: &Report<'_>) -> Vec<Group> {
    let bar = |row: &Row| {
        let cpu = estimate(row.values(Metric::Cpu)?)?;
        Some(Bar { label: row.subject.clone(), cpu, ratio: cpu_ratio(report.sheet, row) })
    };
    let groups = report.scenarios.iter().map(|scenario| Group {
        title: format!("{}: {}", scenario.name, scenario.title),
        bars: report.sheet.of(scenario.name).filter_map(bar).collect(),
    });
    groups.filter(|group| !group.bars.is_empty()).collect()
}

fn draw(body: &mut String, bar: &Bar, y: f64, highest: f64) {
    let x = |value: f64| LEFT + value / highest * (WIDTH - LEFT - RIGHT);
    let class = if bar.label.starts_with("tollgate") { "bar tollgate" } else { "bar" };
    let middle = y + BAR / 2.0;
    let ratio = bar.ratio.map(|ratio| format!(" · {} ×", number(ratio.median))).unwrap_or_default();
    let _ = writeln!(
        body,
        "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n\
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>\n\
         <line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\">{}{ratio}</text>",
        LEFT - 8.0,
        middle + 4.5,
        escape(&bar.label),
        x(bar.cpu.median) - LEFT,
        x(bar.cpu.low),
        x(bar.cpu.high),
        x(bar.cpu.high) + 8.0,
        middle + 4.5,
        number(bar.cpu.median),
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
