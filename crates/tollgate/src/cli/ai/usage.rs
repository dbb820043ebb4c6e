//! `tollgate ai usage`: sums what calls of models took up, for people, for spreadsheets, for programs.

use store::usage::{Line, Question, Report, Took, report};

use super::UsageArgs;
use crate::cli::gateway::directory;
use crate::cli::table::{Side, table};
use crate::cli::usage::Usage;
use crate::cli::{GOOD, PROBLEMS, style};
use crate::desk::{NAMES, csv, document, dollars, figures, question};

pub(super) fn usage(args: &UsageArgs) -> anyhow::Result<u8> {
    let by = args.by.iter().flatten().copied().collect();
    let question = question(by, &args.since, args.until.as_deref(), &args.only).map_err(Usage::error)?;
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
