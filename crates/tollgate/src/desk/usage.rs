//! What calls of models took and cost: what is asked, and how it is told to programs and spreadsheets.

use std::time::{SystemTime, UNIX_EPOCH};

use ai::catalog::Money;
use http::{Method, StatusCode};
use model::value::{Duration, Timestamp};
use serde_json::json;
use store::usage::{By, Line, Question as Asked, Report, Took, report};

use super::{Answered, Content, Desk, Question, Refusal, Told, no_method, pairs};

const CODE: &str = "operations.usage";

impl Desk {
    /// `?by=consumer,model&since=7d&until=…&only=team=blue&format=json|csv`, as of `tollgate ai usage`.
    pub(super) fn usage(&self, asked: &Question) -> Answered {
        if !matches!(asked.method, Method::GET | Method::HEAD) {
            return Err(no_method("GET"));
        }
        let (mut by, mut since, mut until, mut only) = ("consumer,model".to_owned(), "7d".to_owned(), None, Vec::new());
        let mut as_csv = false;
        for (name, value) in pairs(&asked.query) {
            match (name.as_str(), value.as_str()) {
                ("by", _) => by = value,
                ("since", _) => since = value,
                ("until", _) => until = Some(value),
                ("only", _) => only.push(value),
                ("format", "csv") => as_csv = true,
                ("format", "json") => as_csv = false,
                ("format", _) => return Err(Refusal::wrong(CODE, "`format` is json or csv.")),
                _ => {
                    let detail = "There are `by`, `since`, `until`, `only` and `format`.";
                    return Err(Refusal::wrong(CODE, detail));
                }
            }
        }
        let mut groups = Vec::new();
        for name in by.split(',').filter(|name| !matches!(*name, "" | "all")) {
            let names = || By::ALL.map(By::as_str).join(", ");
            let known = By::named(name);
            groups.push(known.ok_or_else(|| {
                Refusal::wrong(CODE, format!("`{name}` is nothing to sum by; there are {} and all.", names()))
            })?);
        }
        let question = question(groups, &since, until.as_deref(), &only);
        let question = question.map_err(|why| Refusal::wrong(CODE, format!("{why}.")))?;
        let Some(disk) = self.env.stores.disk() else {
            let detail = "Usage is kept in a data directory, and there is none; add `store: { directory: data }`.";
            return Err(Refusal { status: StatusCode::CONFLICT, code: CODE, detail: detail.to_owned() });
        };
        let report = report(disk.path(), &question).map_err(|error| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Refusal { status, code: CODE, detail: error.to_string() }
        })?;
        Ok(Told {
            status: StatusCode::OK,
            content: match as_csv {
                true => Content::Csv(csv(&question, &report)),
                false => Content::Json(document(&question, &report)),
            },
        })
    }
}

/// What is asked, of texts as people write them; a sentence where one of them is wrong.
pub(crate) fn question(by: Vec<By>, since: &str, until: Option<&str>, only: &[String]) -> Result<Asked, String> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let since = moment(since, now)?;
    let until = until.map_or(Ok(now.saturating_add(1)), |until| moment(until, now))?;
    if until <= since {
        return Err("`until` is not after `since`".to_owned());
    }
    let mut groups: Vec<By> = Vec::new();
    for one in by {
        if !groups.contains(&one) {
            groups.push(one);
        }
    }
    let only = only.iter().map(|text| {
        let pair = text.split_once('=').and_then(|(name, value)| Some((By::named(name)?, value.to_owned())));
        pair.ok_or_else(|| {
            let names = By::ALL.map(By::as_str).join(", ");
            format!("`only {text}` is not WHAT=VALUE; WHAT is one of {names}")
        })
    });
    Ok(Asked { since, until, by: groups, only: only.collect::<Result<_, String>>()? })
}

/// A time ago, a day by UTC or a moment, in seconds since 1970.
fn moment(text: &str, now: i64) -> Result<i64, String> {
    if let Ok(ago) = text.parse::<Duration>() {
        return Ok(now.saturating_sub(i64::try_from(ago.get().as_secs()).unwrap_or(i64::MAX)));
    }
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    let moment = whole.parse::<Timestamp>().map_err(|_| {
        format!("`{text}` is no time; write `7d` or `12h` for so long ago, `2026-11-01`, or `2026-11-01T08:00:00Z`")
    })?;
    Ok(i64::try_from(moment.since_epoch().as_secs()).unwrap_or(i64::MAX))
}

/// Exactly, in dollars.
pub(crate) fn dollars(took: &Took) -> Money {
    Money::from_picos(i128::from(took.cost) * 1000)
}

/// In the order of [`NAMES`].
pub(crate) fn figures(took: &Took) -> [u64; 7] {
    [took.calls, took.errors, took.input, took.cached, took.output, took.reasoning, took.unpriced]
}

/// What figures are called.
pub(crate) const NAMES: [&str; 7] = ["calls", "errors", "input", "cached", "output", "reasoning", "unpriced"];

/// By RFC 4180.
pub(crate) fn csv(question: &Asked, report: &Report) -> String {
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

/// As JSON.
pub(crate) fn document(question: &Asked, report: &Report) -> serde_json::Value {
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
