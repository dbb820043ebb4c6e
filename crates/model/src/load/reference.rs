//! `${env:NAME}`, `${env:NAME:-default}`, `${file:path}` and `${store:NAME}` in values.
use std::collections::HashMap;
use std::env::VarError;
use std::io;
use std::path::{Path, PathBuf};

use super::{Options, STAND_IN, Span};
use crate::problem::{Problem, Problems, Severity};
use crate::value::quote;

/// Replaces the references of one file, and keeps what was read for all of them.
pub(super) struct References<'a> {
    options: &'a Options,
    /// What relative paths start from: where the file is that says them.
    base: PathBuf,
    shared: &'a mut Shared,
}

/// What is kept while several files are read.
#[derive(Default)]
pub(super) struct Shared {
    /// Every file that a reference named.
    pub(super) files: Vec<PathBuf>,
    read: HashMap<PathBuf, Result<String, String>>,
    /// Bytes that references yielded so far.
    bytes: u64,
}

/// Why a reference has no value.
enum Missing {
    /// It is malformed or may not be read: always an error.
    Wrong(Problem),
    /// It is absent: only a warning when checking offline.
    Absent(Problem),
}

/// A single file may be named often; what comes of all references together is at most so many times its bound.
const TOTAL: u64 = 32;

impl<'a> References<'a> {
    pub(super) fn new(options: &'a Options, base: &Path, shared: &'a mut Shared) -> Self {
        Self { options, base: base.to_owned(), shared }
    }

    /// Replaces every reference in a text. Tells whether there were any; one that has no value becomes [`STAND_IN`].
    pub(super) fn replace(&mut self, text: String, span: Span, path: &str, problems: &mut Problems) -> (String, bool) {
        let mut result = String::with_capacity(text.len());
        let mut secret = false;
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                result.push_str(before);
                result.push_str("${");
                rest = after;
                continue;
            }
            result.push_str(before);
            secret = true;
            let missing = match inside(after, span) {
                Ok((inside, after)) => {
                    rest = after;
                    match self.resolve(inside, span) {
                        Ok(value) => {
                            result.push_str(&value);
                            continue;
                        }
                        Err(missing) => missing,
                    }
                }
                Err(problem) => {
                    rest = "";
                    Missing::Wrong(problem)
                }
            };
            result.push_str(STAND_IN);
            problems.push(self.rate(missing).path(path));
        }
        result.push_str(rest);
        (result, secret)
    }

    fn rate(&self, missing: Missing) -> Problem {
        match missing {
            Missing::Wrong(problem) => problem,
            Missing::Absent(problem) if self.options.offline => Problem { severity: Severity::Warning, ..problem },
            Missing::Absent(problem) => problem,
        }
    }

    fn resolve(&mut self, inside: &str, span: Span) -> Result<String, Missing> {
        let value = match inside.split_once(':') {
            Some(("env", variable)) => self.env(variable, span)?,
            Some(("file", path)) => self.file(path, span)?,
            Some(("store", name)) => self.store(name, span)?,
            _ => {
                let problem = wrong(span, format!("unknown reference {}", quote(&format!("${{{inside}}}"))))
                    .help("write `${env:NAME}`, `${env:NAME:-default}`, `${file:path}` or `${store:NAME}`; `$${` is a plain `${`");
                return Err(Missing::Wrong(problem));
            }
        };
        self.shared.bytes = self.shared.bytes.saturating_add(value.len() as u64);
        if self.shared.bytes > self.options.limits.reference_bytes.saturating_mul(TOTAL) {
            return Err(Missing::Wrong(Problem::error("config.too_large", span, "the references yield too much text")));
        }
        Ok(value)
    }

    /// As in a shell: a default stands in for a variable that is absent or empty.
    fn env(&self, variable: &str, span: Span) -> Result<String, Missing> {
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let problem = wrong(span, format!("{} is not the name of an environment variable", quote(name)));
            return Err(Missing::Wrong(problem.help("write `${env:NAME}` or `${env:NAME:-default}`")));
        }
        match ((self.options.env)(name), default) {
            (Ok(value), None) => Ok(value),
            (Ok(value), Some(_)) if !value.is_empty() => Ok(value),
            (Ok(_) | Err(VarError::NotPresent), Some(default)) => Ok(default.to_owned()),
            (Err(VarError::NotPresent), None) => Err(Missing::Absent(
                Problem::error("config.absent_env", span, format!("the environment variable `{name}` is not set"))
                    .help(format!("set it, or give a default: `${{env:{name}:-default}}`")),
            )),
            (Err(VarError::NotUnicode(_)), _) => {
                Err(Missing::Wrong(wrong(span, format!("the environment variable `{name}` is not valid UTF-8"))))
            }
        }
    }

    /// A secret of the data directory.
    fn store(&self, name: &str, span: Span) -> Result<String, Missing> {
        match (self.options.store)(name) {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => Err(Missing::Absent(
                Problem::error(
                    "config.absent_secret",
                    span,
                    format!("there is no secret {} in the store", quote(name)),
                )
                .help(format!("put it there: `tollgate secrets put {name}`")),
            )),
            Err(why) => Err(Missing::Absent(
                Problem::error(
                    "config.absent_secret",
                    span,
                    format!("the secret {} cannot be opened: {why}", quote(name)),
                )
                .help("see `store.keys`"),
            )),
        }
    }

    /// The text of a file without its last line break.
    fn file(&mut self, name: &str, span: Span) -> Result<String, Missing> {
        if name.is_empty() {
            return Err(Missing::Wrong(wrong(span, "a file's path is missing").help("write `${file:path}`")));
        }
        let path = self.base.join(name);
        if !self.shared.read.contains_key(&path) {
            let read = read_file(&path, self.options);
            self.shared.read.insert(path.clone(), read);
            self.shared.files.push(path.clone());
        }
        match self.shared.read.get(&path) {
            Some(Ok(text)) => Ok(text.clone()),
            Some(Err(why)) => Err(Missing::Absent(
                Problem::error("config.absent_file", span, format!("the file {} {why}", quote(name)))
                    .help(format!("it is looked for at {}", quote(&path.display().to_string()))),
            )),
            None => Ok(String::new()),
        }
    }
}

/// Splits `NAME} rest` at its end.
fn inside(text: &str, span: Span) -> Result<(&str, &str), Problem> {
    let Some((inside, after)) = text.split_once('}') else {
        return Err(wrong(span, "a reference has no end").help("close it with `}`; `$${` is a plain `${`"));
    };
    if inside.contains("${") {
        return Err(wrong(span, "a reference must not be inside of another").help("give a default without `${`"));
    }
    Ok((inside, after))
}

fn wrong(span: Span, message: impl Into<String>) -> Problem {
    Problem::error("config.bad_reference", span, message)
}

fn read_file(path: &Path, options: &Options) -> Result<String, String> {
    let most = options.limits.reference_bytes;
    let bytes = (options.file)(path, most).map_err(|error| why(&error, most))?;
    let mut text = String::from_utf8(bytes).map_err(|_| "is not valid UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// Why a file was not read, as the end of a sentence.
pub(super) fn why(error: &io::Error, most: u64) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder".to_owned(),
        io::ErrorKind::FileTooLarge => format!("has more than {most} bytes"),
        _ => format!("cannot be read: {error}"),
    }
}
