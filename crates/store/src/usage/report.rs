//! Reading the sums back.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{HOUR, Took};
use crate::Result;
use crate::directory::DATABASE;
use crate::error::{Error, Kind};
use crate::sqlite::{check, open_to_read};

/// Lines that one report may have.
pub const MOST_LINES: usize = 100_000;
/// The schema that knows of usage.
const SCHEMA: usize = 4;

/// What usage can be summed by, and looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The hour, as `2026-11-23T16:00Z`.
    Hour,
    /// The day by UTC, as `2026-11-23`.
    Day,
    /// The month by UTC, as `2026-11`.
    Month,
    /// The consumer.
    Consumer,
    /// Its team.
    Team,
    /// The name of its credential.
    Credential,
    /// The api.
    Api,
    /// The model, as callers know it.
    Model,
    /// Who served it.
    Provider,
    /// What the provider calls it.
    Target,
    /// The prompt.
    Prompt,
    /// What the caller had it counted under.
    Tag,
}

impl By {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::Hour,
        Self::Day,
        Self::Month,
        Self::Consumer,
        Self::Team,
        Self::Credential,
        Self::Api,
        Self::Model,
        Self::Provider,
        Self::Target,
        Self::Prompt,
        Self::Tag,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Consumer => "consumer",
            Self::Team => "team",
            Self::Credential => "credential",
            Self::Api => "api",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Target => "target",
            Self::Prompt => "prompt",
            Self::Tag => "tag",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }

    /// What says it in a query.
    const fn expression(self) -> &'static str {
        match self {
            Self::Hour => "strftime('%Y-%m-%dT%H:%MZ', hour, 'unixepoch')",
            Self::Day => "strftime('%Y-%m-%d', hour, 'unixepoch')",
            Self::Month => "strftime('%Y-%m', hour, 'unixepoch')",
            Self::Consumer => "consumer",
            Self::Team => "team",
            Self::Credential => "credential",
            Self::Api => "api",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Target => "target",
            Self::Prompt => "prompt",
            Self::Tag => "tag",
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// From the hour that this second since 1970 lies in.
    pub since: i64,
    /// Up to this second; the hour that it lies in counts, unless it is the hour's first.
    pub until: i64,
    /// What to sum by; all together where there is none.
    pub by: Vec<By>,
    /// Only calls for which these have these values.
    pub only: Vec<(By, String)>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// A line for each group: by time first where it was asked for, then the dearest first.
    pub lines: Vec<Line>,
    /// All of it.
    pub total: Took,
    /// Whether there are more lines than may be.
    pub cut: bool,
}

/// What calls of one group took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What they have in common, in the order of [`Question::by`].
    pub group: Vec<String>,
    /// What they took.
    pub took: Took,
}

/// Sums the usage that a data directory, in use or not, has up.
pub fn report(directory: &Path, question: &Question) -> Result<Report> {
    let database = directory.join(DATABASE);
    if !database.is_file() {
        let message = format!("there is no {DATABASE} in {}; name a gateway's data directory", directory.display());
        return Err(Error::new(Kind::Absent, message));
    }
    let connection = open_to_read(&database)?;
    if check(&connection)? < SCHEMA {
        let message = "the database is of an older Tollgate that kept no usage; start the gateway, which updates it";
        return Err(Error::new(Kind::Absent, message));
    }
    read(&connection, question)
}

fn read(connection: &Connection, question: &Question) -> Result<Report> {
    let (text, values) = query(question);
    let mut statement = connection.prepare(&text)?;
    let groups = question.by.len();
    let mut rows = statement.query(params_from_iter(values))?;
    let mut report = Report::default();
    while let Some(row) = rows.next()? {
        let group = (0..groups).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<String>>>()?;
        let mut took = Took::default();
        for (at, figure) in took.figures_mut().into_iter().enumerate() {
            let sum: i64 = row.get(groups + at)?;
            *figure = u64::try_from(sum).unwrap_or(0);
        }
        if took.calls == 0 {
            continue;
        }
        report.total.add(&took);
        report.cut |= report.lines.len() >= MOST_LINES;
        if !report.cut {
            report.lines.push(Line { group, took });
        }
    }
    Ok(report)
}

/// The statement with its values. Nothing that a user said is in its text.
fn query(question: &Question) -> (String, Vec<Value>) {
    let mut text = String::from("SELECT ");
    for by in &question.by {
        let _ = write!(text, "{}, ", by.expression());
    }
    text.push_str(
        "coalesce(sum(calls), 0), coalesce(sum(errors), 0), coalesce(sum(unpriced), 0), coalesce(sum(input), 0),
         coalesce(sum(cached), 0), coalesce(sum(output), 0), coalesce(sum(reasoning), 0), coalesce(sum(cost), 0)
         FROM usage JOIN usage_of ON usage_of.id = usage.whose WHERE hour >= ? AND hour < ?",
    );
    let since = question.since.div_euclid(HOUR).saturating_mul(HOUR);
    let mut values = vec![Value::Integer(since), Value::Integer(question.until)];
    for (by, value) in &question.only {
        let _ = write!(text, " AND {} = ?", by.expression());
        values.push(Value::Text(value.clone()));
    }
    if !question.by.is_empty() {
        let all: Vec<&str> = question.by.iter().map(|by| by.expression()).collect();
        let time = |by: &&By| matches!(by, By::Hour | By::Day | By::Month);
        let times = question.by.iter().filter(time).map(|by| by.expression());
        let order: Vec<&str> = times.chain(["sum(cost) DESC", "sum(calls) DESC"]).chain(all.iter().copied()).collect();
        let _ = write!(text, " GROUP BY {} ORDER BY {}", all.join(", "), order.join(", "));
    }
    (text, values)
}

/// Takes a chunk of what is older than this, or beyond this many rows, away. How many rows went.
pub(crate) fn sweep(connection: &Connection, oldest: i64, most: u64, chunk: i64) -> Result<usize> {
    let oldest = oldest.saturating_sub(HOUR);
    let delete = "DELETE FROM usage WHERE (hour, whose) IN
                    (SELECT hour, whose FROM usage WHERE hour < ?1 ORDER BY hour LIMIT ?2)";
    let aged = connection.execute(delete, [oldest, chunk])?;
    let rows: i64 = connection.query_row("SELECT count(*) FROM usage", [], |row| row.get(0))?;
    let over = rows.saturating_sub(i64::try_from(most).unwrap_or(i64::MAX));
    let crowded = if over > 0 { connection.execute(delete, [i64::MAX, over.min(chunk)])? } else { 0 };
    let unused = connection.execute(
        "DELETE FROM usage_of WHERE id IN (SELECT id FROM usage_of
           WHERE NOT EXISTS (SELECT 1 FROM usage WHERE usage.whose = usage_of.id) LIMIT ?1)",
        [chunk],
    )?;
    Ok(aged + crowded + unused)
}
