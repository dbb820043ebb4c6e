//! A folder of files as one document.
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Entry, Node, Reading, Value};
use crate::problem::Problem;
use crate::value::quote;

/// Reads every file of a folder that is ours, in order of their names, and joins them.
pub(super) fn read(folder: &Path, reading: &mut Reading<'_>) -> Option<Node> {
    // The folder too is watched: a new file changes the configuration.
    reading.files.push(folder.to_owned());
    let shown = quote(&folder.display().to_string());
    let files = match list(folder) {
        Ok(files) => files,
        Err(error) => {
            let message = format!("the folder {shown} cannot be read: {error}");
            reading.problems.push(Problem::error("config.unreadable", None, message));
            return None;
        }
    };
    let most = reading.options.limits.files;
    if files.is_empty() || files.len() > most {
        let message = match files.len() {
            0 => format!("the folder {shown} has no `*.yaml`, `*.yml` or `*.json`"),
            count => format!("the folder {shown} has {count} files, the most is {most}"),
        };
        reading.problems.push(Problem::error("config.unreadable", None, message));
        return None;
    }
    let mut whole = Whole::default();
    for file in &files {
        if let Some(Some(root)) = reading.file(file) {
            whole.add(root, reading);
        }
    }
    let root = whole.root;
    reading.required(root)
}

/// The files that belong to the configuration: not hidden ones, which are editors' and Kubernetes' own.
fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let ours = path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        if ours && !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The document so far.
#[derive(Default)]
struct Whole {
    root: Option<Node>,
    /// Where each key is among the root's entries.
    keys: HashMap<String, usize>,
}

impl Whole {
    fn add(&mut self, part: Node, reading: &mut Reading<'_>) {
        let span = part.span;
        let Value::Map(entries) = part.value else {
            let message = format!("expected a map, found {}", part.kind());
            return reading.problems.push(Problem::error("config.wrong_type", span, message));
        };
        let root = self.root.get_or_insert(Node { span, value: Value::Map(Vec::new()), secret: false });
        let Value::Map(whole) = &mut root.value else { return };
        for entry in entries {
            match self.keys.get(&entry.key).and_then(|at| whole.get_mut(*at)) {
                Some(first) => join(first, entry, reading),
                None => {
                    self.keys.insert(entry.key.clone(), whole.len());
                    whole.push(entry);
                }
            }
        }
    }
}

/// Joins a key that several files say: lists are appended, the same again is no harm.
fn join(first: &mut Entry, entry: Entry, reading: &mut Reading<'_>) {
    match (&mut first.value.value, entry.value.value) {
        (Value::List(items), Value::List(more)) => items.extend(more),
        (Value::Map(_), Value::Map(_)) => twice(first, entry.key, entry.key_span, reading),
        (value, again) if *value == again => {}
        _ => twice(first, entry.key, entry.key_span, reading),
    }
}

fn twice(first: &Entry, key: String, at: super::Span, reading: &mut Reading<'_>) {
    let place = reading.sources.describe(first.key_span, at);
    let message = format!("`{key}` is set at {place} already, and only lists are joined");
    let problem = Problem::error("config.duplicate_key", at, message).path(key);
    reading.problems.push(problem.help("say it in one file only"));
}
