//! Keys for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::table::{Side, table};

/// One, a line each fact.
pub(super) fn one(key: &Value) -> String {
    let mut text = String::new();
    let facts = [
        "key",
        "id",
        "consumer",
        "name",
        "begins",
        "enabled",
        "expires",
        "created",
        "rotated",
        "replaced_until",
        "last_used",
    ];
    for fact in facts {
        if let Some(value) = key.get(fact).map(plain).filter(|value| value != "-") {
            line(&mut text, fact, &value);
        }
    }
    for (fact, of) in [("allow", "allow"), ("deny", "deny")] {
        line_of(&mut text, fact, key.pointer(&format!("/models/{of}")));
    }
    line(&mut text, "budgets", &budgets(key));
    let tokens = key.get("tokens").and_then(Value::as_array).into_iter().flatten();
    let tokens = tokens.map(|one| format!("{} {}", field(one, "limit"), field(one, "count")));
    line(&mut text, "tokens", &tokens.collect::<Vec<_>>().join(", "));
    line_of(&mut text, "tags", key.get("tags"));
    text
}

/// Several, a line each.
pub(super) fn list(keys: &[Value]) -> String {
    if keys.is_empty() {
        return "no keys\n".to_owned();
    }
    let names = ["consumer", "name", "begins", "enabled", "expires", "last used", "budgets", "id"];
    let head: Vec<(&str, Side)> = names.iter().map(|name| (*name, Side::Left)).collect();
    let lines: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let fields = ["consumer", "name", "begins", "enabled", "expires", "last_used"].map(|name| field(key, name));
            let budgets = Some(budgets(key)).filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
            fields.into_iter().chain([budgets, field(key, "id")]).collect()
        })
        .collect();
    table(&head, &lines)
}

/// Each budget, and what of it is spent.
fn budgets(key: &Value) -> String {
    let spent = |budget: &Value| {
        let all = key.get("spent").and_then(Value::as_array)?;
        all.iter().find(|one| one.get("budget") == Some(budget)).map(|one| field(one, "usd"))
    };
    let budgets = key.get("budgets").and_then(Value::as_array).into_iter().flatten();
    let told = budgets.map(|budget| match spent(budget) {
        Some(spent) => format!("{spent} of {}", plain(budget)),
        None => plain(budget),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn line_of(text: &mut String, fact: &str, list: Option<&Value>) {
    let words = list.and_then(Value::as_array).into_iter().flatten().map(plain);
    line(text, fact, &words.collect::<Vec<_>>().join(", "));
}

fn line(text: &mut String, fact: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(text, "{:<15} {value}", fact.replace('_', " "));
    }
}

fn field(value: &Value, name: &str) -> String {
    value.get(name).map_or_else(|| "-".to_owned(), plain)
}

/// Without quotes, and without what would move a terminal's cursor.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => return "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
