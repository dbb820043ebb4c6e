//! What is wrong with what a user said: collected, never one at a time, each with its place and how to mend it.
use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use crate::load::{Sources, Span};

mod part;
mod render;
mod shown;
#[cfg(test)]
mod tests;

pub use part::Part;
pub use render::{Style, render, render_json};

/// Whether a configuration with this problem may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It may not.
    Error,
    /// It may, but the user should know.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Whether it may run.
    pub severity: Severity,
    /// A stable name for machines, such as `config.unknown_key`.
    pub code: &'static str,
    /// Where it was said.
    pub at: Option<Span>,
    /// Which part of the value at `at` it is about; all of it when there is none.
    pub part: Option<Box<Part>>,
    /// What it is about, such as `apis[0].routes[2].to`.
    pub path: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that keeps the configuration from running.
    pub fn error(code: &'static str, at: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            at: at.into().filter(|span| !span.is_none()),
            part: None,
            path: String::new(),
            message: message.into(),
            help: None,
        }
    }

    /// A problem that the user should know of.
    pub fn warning(code: &'static str, at: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    /// Says what it is about.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Says which part of the value at its place it is about.
    #[must_use]
    pub fn part(mut self, part: Part) -> Self {
        self.part = Some(Box::new(part));
        self
    }

    /// The place as exactly as the file allows.
    #[must_use]
    pub fn place(&self, sources: &Sources) -> Option<Span> {
        self.exact_place(sources).or(self.at)
    }

    /// The place of its part, where the file shows it.
    fn exact_place(&self, sources: &Sources) -> Option<Span> {
        self.part.as_ref()?.place(self.at?, sources)
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// A bounded collection of problems, in the order they were found.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// Errors found, those that are not kept included.
    errors: usize,
    /// Warnings found, those that are not kept included.
    warnings: usize,
    /// Places whose content must not be shown.
    hidden: Vec<Span>,
    /// Names of resources that could not be read, so that nobody complains that they are unknown.
    lost: HashSet<String>,
}

/// As many are kept and shown; nobody mends more in one go.
const MAX_PROBLEMS: usize = 200;
/// As many secret places are remembered one by one.
const MAX_HIDDEN: usize = 100_000;

impl Problems {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem; beyond the bound it is only counted. The same about the same place, as it comes of an anchor that
    /// is repeated, is said once.
    pub fn push(&mut self, problem: Problem) {
        let facts = |problem: &Problem| (problem.at, problem.code);
        let same = |other: &Problem| {
            facts(other) == facts(&problem) && other.message == problem.message && other.part == problem.part
        };
        if problem.at.is_some() && !self.is_full() && self.found.iter().any(same) {
            return;
        }
        match problem.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.found.len() < MAX_PROBLEMS {
            self.found.push(problem);
        }
    }

    /// Adds an error and returns it for more to be said.
    pub fn error(&mut self, code: &'static str, at: impl Into<Option<Span>>, path: &str, message: impl Into<String>) {
        self.push(Problem::error(code, at, message).path(path));
    }

    /// Adds a warning.
    pub fn warn(&mut self, code: &'static str, at: impl Into<Option<Span>>, path: &str, message: impl Into<String>) {
        self.push(Problem::warning(code, at, message).path(path));
    }

    /// Takes over all problems of another collection.
    pub fn append(&mut self, other: Self) {
        let kept = other.found.iter().filter(|problem| problem.severity == Severity::Error).count();
        self.errors += other.errors - kept;
        self.warnings += other.warnings - (other.found.len() - kept);
        other.found.into_iter().for_each(|problem| self.push(problem));
        self.hidden.extend(other.hidden);
        self.hidden.truncate(MAX_HIDDEN);
        self.lost.extend(other.lost);
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// Whether anything keeps the configuration from running.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors were found, those that are not kept included.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings were found, those that are not kept included.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// How many were found but are not kept.
    #[must_use]
    pub fn more(&self) -> usize {
        self.errors + self.warnings - self.found.len()
    }

    /// Whether further problems would only be counted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_PROBLEMS
    }

    /// The problems that are kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.found.iter()
    }

    /// The problems that are kept.
    #[must_use]
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }

    /// The places that hold secrets.
    #[must_use]
    pub fn hidden(&self) -> &[Span] {
        &self.hidden
    }

    /// Remembers that a place holds a secret, so that no shown line contains it.
    pub fn hide(&mut self, span: Span) {
        if !span.is_none() && self.hidden.len() < MAX_HIDDEN {
            self.hidden.push(span);
        }
    }

    /// Remembers the name of a resource that could not be read: why is among the problems.
    pub fn lose(&mut self, name: &str) {
        if self.lost.len() < MAX_HIDDEN {
            self.lost.insert(name.to_owned());
        }
    }

    /// Whether a resource of this name was said but could not be read, so that its absence follows from another problem.
    #[must_use]
    pub fn is_lost(&self, name: &str) -> bool {
        self.lost.contains(name)
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The known word that is probably meant, if any is near enough.
pub fn did_you_mean<'a>(got: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are not worth the quadratic comparison.
    const MAX_LENGTH: usize = 128;
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let length = got.chars().count();
    if length == 0 || length > MAX_LENGTH {
        return None;
    }
    let wanted = plain(got);
    let most = (length / 3).clamp(1, 4);
    known
        .filter(|word| word.chars().count().abs_diff(length) <= most)
        .map(|word| (strsim::damerau_levenshtein(&wanted, &plain(word)), word))
        .filter(|(distance, _)| *distance <= most && *distance < length)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
