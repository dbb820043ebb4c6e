//! `tollgate ai usage`: sums what calls of models took up, for people, for spreadsheets, for programs.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ai::catalog::Money;
use model::value::{Duration, Timestamp};
use serde_json::json;
use store::usage::{By, Line, Question, Report, Took, report};

use super::UsageArgs;
use super::table::{Side, table};
use crate::cli::usage::Usage;
use crate::cli::{GOOD, PROBLEMS, found, show_problems, style};
use crate::configuration::{Outside, read};
use crate::paths;

pub(super) fn usage(args: &UsageArgs) -> anyhow::Result<u8> {
    let question = question(args)?;
    let directory = match &args.data {
        Some(directory) => directory.clone(),
        None => match directory(&args.config.config)? {
            Some(directory) => directory,
            None => return Ok(PROBLEMS),
        },
    };
    let report = report(&directory, &question)?;
    let text = if args.json {
        format!("{:#}", document(&question, &report))
    } else if args.csv {
        csv(&question, &report)
    } else {
        lines(&question, &report)
    };
    style::print(&text)?;
    if report.cut {
        style::say("there are more lines than are shown; sum by less, or ask for a shorter time");
    }
    Ok(GOOD)
}

/// The data directory of a configuration; none where that has problems, which are shown.
fn directory(path: &std::path::Path) -> anyhow::Result<Option<PathBuf>> {
    let configuration = read(path, Outside::Offline);
    found(&configuration)?;
    let Some(snapshot) = &configuration.snapshot else {
        show_problems(&configuration);
        return Ok(None);
    };
    Ok(Some(paths::directory(snapshot, path)))
}

fn question(args: &UsageArgs) -> anyhow::Result<Question> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let since = moment(&args.since, now)?;
    let until = args.until.as_ref().map_or(Ok(now.saturating_add(1)), |until| moment(until, now))?;
    if until <= since {
        return Err(Usage::error("`--until` is not after `--since`"));
    }
    let mut by: Vec<By> = Vec::new();
    for one in args.by.iter().flatten() {
        if !by.contains(one) {
            by.push(*one);
        }
    }
    let only = args.only.iter().map(|text| {
        let pair = text.split_once('=').and_then(|(name, value)| Some((By::named(name)?, value.to_owned())));
        pair.ok_or_else(|| {
            let names = By::ALL.map(By::as_str).join(", ");
            Usage::error(format_args!("`--only {text}` is not WHAT=VALUE; WHAT is one of {names}"))
        })
    });
    Ok(Question { since, until, by, only: only.collect::<anyhow::Result<_>>()? })
}

/// A time ago, a day by UTC or a moment, in seconds since 1970.
fn moment(text: &str, now: i64) -> anyhow::Result<i64> {
    if let Ok(ago) = text.parse::<Duration>() {
        return Ok(now.saturating_sub(i64::try_from(ago.get().as_secs()).unwrap_or(i64::MAX)));
    }
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    let moment = whole.parse::<Timestamp>().map_err(|_| {
        let message = format!(
            "`{text}` is no time; write `7d` or `12h` for so long ago, `2026-11-01`, or `2026-11-01T08:00:00Z`"
        );
        Usage::error(message)
    })?;
    Ok(i64::try_from(moment.since_epoch().as_secs()).unwrap_or(i64::MAX))
}

/// Exactly, in dollars.
fn dollars(took: &Took) -> Money {
    Money::from_picos(i128::from(took.cost) * 1000)
}

fn figures(took: &Took) -> [u64; 7] {
    [took.calls, took.errors, took.input, took.cached, took.output, took.reasoning, took.unpriced]
}

const NAMES: [&str; 7] = ["calls", "errors", "input", "cached", "output", "reasoning", "unpriced"];

/// A table for people, with the sum below.
fn lines(question: &Question, report: &Report) -> String {
    if report.lines.is_empty() {
        return "no calls of models in this time\n".to_owned();
    }
    let mut head: Vec<(&str, Side)> = question.by.iter().map(|by| (by.as_str(), Side::Left)).collect();
    head.extend(NAMES.iter().map(|name| (*name, Side::Right)));
    head.push(("cost in USD", Side::Right));
    let line = |group: &[String], took: &Took| -> Vec<String> {
        let mut cells: Vec<String> =
            group.iter().map(|cell| if cell.is_empty() { "-".into() } else { clean(cell) }).collect();
        cells.extend(figures(took).map(|figure| figure.to_string()));
        cells.push(format!("{:.6}", dollars(took)));
        cells
    };
    let mut lines: Vec<Vec<String>> = report.lines.iter().map(|Line { group, took }| line(group, took)).collect();
    if !question.by.is_empty() {
        let mut group = vec![" ".to_owned(); question.by.len()];
        if let Some(first) = group.first_mut() {
            *first = "total".to_owned();
        }
        lines.push(line(&group, &report.total));
    }
    table(&head, &lines)
}

/// Without what would move a terminal's cursor: tags are the callers' to choose.
fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// By RFC 4180.
fn csv(question: &Question, report: &Report) -> String {
    let mut text = String::new();
    let names = question.by.iter().map(|by| by.as_str()).chain(NAMES).chain(["cost_usd"]);
    text.push_str(&names.collect::<Vec<_>>().join(","));
    text.push_str("\r\n");
    for Line { group, took } in &report.lines {
        let figures = figures(took).map(|figure| figure.to_string());
        let cells = group.iter().map(|cell| field(cell)).chain(figures).chain([dollars(took).to_string()]);
        text.push_str(&cells.collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    text
}

/// A field, quoted where it must be. What a spreadsheet would take for a formula is made text.
fn field(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn document(question: &Question, report: &Report) -> serde_json::Value {
    let one = |took: &Took| {
        let mut object = serde_json::Map::new();
        for (name, figure) in NAMES.into_iter().zip(figures(took)) {
            object.insert(name.to_owned(), figure.into());
        }
        object.insert("cost_usd".to_owned(), dollars(took).to_string().into());
        object
    };
    let lines = report.lines.iter().map(|Line { group, took }| {
        let mut line = serde_json::Map::new();
        for (by, value) in question.by.iter().zip(group) {
            line.insert(by.as_str().to_owned(), value.clone().into());
        }
        line.append(&mut one(took));
        serde_json::Value::Object(line)
    });
    let at = |seconds: i64| seconds.max(0);
    json!({
        "since": at(question.since.div_euclid(store::usage::HOUR) * store::usage::HOUR),
        "until": at(question.until),
        "by": question.by.iter().map(|by| by.as_str()).collect::<Vec<_>>(),
        "usage": lines.collect::<Vec<_>>(),
        "total": one(&report.total),
        "cut": report.cut,
    })
}
