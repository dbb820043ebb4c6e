//! Every pair of formats, from files: `goldens/<what>/<case>.<from>.in.*` is translated into each other format and must be
//! what stands in `<case>.<from>.to.<to>.*`. `TOLLGATE_BLESS=1` writes them anew, for a person to read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::translate::{Ask, Event, Format, Losses, Quirks, Refused, Reply, Told};
use crate::wire::frames;

fn folder(what: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/translate/goldens").join(what)
}

pub(super) fn inputs(what: &str) -> Vec<(String, Format, Vec<u8>)> {
    let mut list: Vec<PathBuf> = fs::read_dir(folder(what)).unwrap().map(|entry| entry.unwrap().path()).collect();
    list.sort();
    let inputs: Vec<_> = list
        .iter()
        .filter_map(|path| {
            let parts: Vec<&str> = path.file_name()?.to_str()?.split('.').collect();
            let [case, from, "in", _] = parts.as_slice() else { return None };
            let format = Format::named(from).unwrap_or_else(|| panic!("{} names no format", path.display()));
            Some(((*case).to_owned(), format, fs::read(path).unwrap()))
        })
        .collect();
    assert!(!inputs.is_empty(), "no goldens of {what}");
    inputs
}

fn compare(what: &str, name: &str, found: &str, wrong: &mut Vec<String>) {
    let path = folder(what).join(name);
    if std::env::var_os("TOLLGATE_BLESS").is_some() {
        fs::write(path, found).unwrap();
        return;
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    if wanted != found {
        wrong.push(format!("{what}/{name} is not what came:\n{found}"));
    }
}

fn told(result: Result<Value, Refused>) -> String {
    let value = result.unwrap_or_else(|refused| json!({"refused": refused.field, "why": refused.why}));
    format!("{value:#}\n")
}

fn others(from: Format) -> impl Iterator<Item = Format> {
    Format::ALL.iter().copied().filter(move |to| *to != from)
}

#[test]
fn requests() {
    let mut wrong = Vec::new();
    for (case, from, body) in inputs("requests") {
        let request = from.read_request(&body, &Told { model: Some("told"), stream: None });
        for to in others(from) {
            let ask = Ask { model: "the-model", max_tokens: 8192, losses: Losses::ByRule, quirks: Quirks::default() };
            let written = request.clone().and_then(|request| to.write_request(&request, &ask)).map(|written| {
                let notes: Vec<String> =
                    written.notes.iter().map(|note| format!("{}: {:?}", note.slot.name(), note.fate)).collect();
                json!({"body": serde_json::from_slice::<Value>(&written.bytes).unwrap(), "notes": notes})
            });
            let name = format!("{case}.{}.to.{}.json", from.name(), to.name());
            compare("requests", &name, &told(written), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(super) fn reply() -> Reply<'static> {
    Reply { model: "smart", id: "id-0", now: 1_700_000_000, include_usage: true, ..Reply::default() }
}

#[test]
fn answers() {
    let mut wrong = Vec::new();
    for (case, from, body) in inputs("answers") {
        let answer = from.read_answer(&body);
        for to in others(from) {
            let written = answer.clone().and_then(|answer| to.write_answer(&answer, &reply()));
            let written = written.map(|bytes| serde_json::from_slice(&bytes).unwrap());
            let name = format!("{case}.{}.to.{}.json", from.name(), to.name());
            compare("answers", &name, &told(written), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The bytes of a stream that a file tells in text.
pub(super) fn wire(format: Format, text: &[u8]) -> Vec<u8> {
    if format.name() == "bedrock_converse" {
        frames::of_lines(std::str::from_utf8(text).unwrap())
    } else {
        text.to_vec()
    }
}

pub(super) fn decoded(format: Format, bytes: &[u8]) -> Vec<Event> {
    let mut decoder = format.decoder();
    let mut events = Vec::new();
    decoder.push(bytes, &mut events);
    decoder.finish(&mut events);
    events
}

#[test]
fn streams() {
    let mut wrong = Vec::new();
    for (case, from, text) in inputs("streams") {
        let events = decoded(from, &wire(from, &text));
        for to in others(from) {
            let mut encoder = to.encoder(&reply());
            let mut bytes = Vec::new();
            events.iter().for_each(|event| encoder.push(event, &mut bytes));
            let found = if to.name() == "bedrock_converse" {
                frames::to_lines(&bytes)
            } else {
                String::from_utf8(bytes).unwrap()
            };
            let name = format!("{case}.{}.to.{}.txt", from.name(), to.name());
            compare("streams", &name, &found, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
