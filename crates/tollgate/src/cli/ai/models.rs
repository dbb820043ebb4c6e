//! `tollgate ai models`: what the catalog knows.

use std::path::Path;

use ai::catalog::{Catalog, Entry, Per, Row, Schedule, source};
use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::ModelsArgs;
use crate::cli::table::{Side, table};
use crate::cli::usage::Usage;
use crate::cli::{GOOD, PROBLEMS, style};

pub(super) fn models(args: &ModelsArgs) -> anyhow::Result<u8> {
    let catalog = match &args.catalog {
        Some(file) => Catalog::embedded().with_overrides(rows(file)?),
        None => Catalog::embedded(),
    };
    let provider =
        args.provider.as_deref().map(|name| ai::providers::presets::find(name).map_or(name, |preset| preset.id));
    let words: Vec<String> = args.words.iter().map(|word| word.to_lowercase()).collect();
    let wanted = |entry: &Entry| {
        let name = format!("{}/{}", entry.provider, entry.model).to_lowercase();
        provider.is_none_or(|provider| entry.provider == provider) && words.iter().all(|word| name.contains(word))
    };
    let entries: Vec<Entry> = catalog.entries().filter(wanted).collect();
    if args.json {
        style::print(&format!("{:#}", document(&entries)))?;
        return Ok(GOOD);
    }
    if entries.is_empty() {
        style::say("no such model is known; `tollgate ai models` lists all, and a file of one's own may add some");
        return Ok(PROBLEMS);
    }
    style::print(&lines(&entries))?;
    if let Some(source) = source() {
        style::say(&format!(
            "{} models; prices of {} from {} {}",
            entries.len(),
            source.date,
            source.package,
            source.version
        ));
    }
    Ok(GOOD)
}

fn rows(file: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Usage::error(format_args!("`{}` cannot be read: {error}", file.display())))?;
    Row::list(&text).with_context(|| format!("`{}` is no list of models", file.display()))
}

fn lines(entries: &[Entry]) -> String {
    let head = [
        ("provider", Side::Left),
        ("model", Side::Left),
        ("does", Side::Left),
        ("context", Side::Right),
        ("output", Side::Right),
        ("in", Side::Right),
        ("cached", Side::Right),
        ("out", Side::Right),
        ("until", Side::Left),
    ];
    let number = |number: Option<u64>| number.map_or_else(dash, |number| number.to_string());
    let lines = entries.iter().map(|entry| {
        let price =
            |per: Per| entry.price.base.get(per).map_or_else(dash, |price| price.shown_per_million().to_string());
        vec![
            entry.provider.clone(),
            entry.model.clone(),
            entry.mode.as_str().to_owned(),
            number(entry.max_input),
            number(entry.max_output),
            price(Per::In),
            price(Per::Read),
            price(Per::Out),
            entry.until.clone().unwrap_or_default(),
        ]
    });
    table(&head, &lines.collect::<Vec<_>>())
}

fn dash() -> String {
    "-".to_owned()
}

fn document(entries: &[Entry]) -> Value {
    let entries = entries.iter().map(|entry| {
        let can: Vec<&str> = entry.can.iter().map(|ability| ability.as_str()).collect();
        let mut one = json!({
            "provider": entry.provider, "model": entry.model, "mode": entry.mode.as_str(),
            "context": entry.max_input, "output": entry.max_output, "can": can, "until": entry.until,
        });
        let services =
            [("price", &entry.price), ("batch", &entry.batch), ("flex", &entry.flex), ("priority", &entry.priority)];
        for (name, schedule) in services {
            if let (Some(one), false) = (one.as_object_mut(), schedule.is_empty()) {
                one.insert(name.to_owned(), prices(schedule));
            }
        }
        one
    });
    json!({ "models": entries.collect::<Vec<_>>() })
}

/// As the catalog's files have them: of tokens for a million, of the rest for one.
fn prices(schedule: &Schedule) -> Value {
    let rates = |rates: &ai::catalog::Rates| {
        let one = |(per, price): (Per, ai::catalog::Price)| {
            let shown = if per.is_token() { price.shown_per_million() } else { price.of(1) };
            (per.as_str().to_owned(), Value::from(shown.to_string()))
        };
        rates.iter().map(one).collect::<Map<_, _>>()
    };
    let mut all = rates(&schedule.base);
    if !schedule.over.is_empty() {
        let over: Map<_, _> =
            schedule.over.iter().map(|(over, prices)| (over.to_string(), Value::from(rates(prices)))).collect();
        all.insert("over".to_owned(), over.into());
    }
    all.into()
}
