//! Where the problems of one route or api go.

use model::load::Span;
use model::problem::{Problem, Problems};

/// Where the problems of one route or api go. What was said before is not said again: listeners that do not share a
/// table still share their routes.
pub(super) struct Report<'p> {
    problems: &'p mut Problems,
    path: String,
    /// The place of what has none of its own.
    at: Span,
}

impl<'p> Report<'p> {
    /// Reports about what stands at `path` and, in the file, around `at`.
    pub(super) fn new(problems: &'p mut Problems, path: impl Into<String>, at: Span) -> Self {
        Self { problems, path: path.into(), at }
    }

    /// Something that keeps the configuration from running.
    pub(super) fn error(&mut self, code: &'static str, at: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Problem::error(code, self.place(at), message).help(help));
    }

    /// Something that the user should know of.
    pub(super) fn warn(&mut self, code: &'static str, at: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Problem::warning(code, self.place(at), message).help(help));
    }

    /// A problem that was made elsewhere.
    pub(super) fn push(&mut self, problem: Problem) {
        let problem = problem.path(self.path.clone());
        if !self.problems.iter().any(|known| *known == problem) {
            self.problems.push(problem);
        }
    }

    fn place(&self, at: Span) -> Span {
        if at.is_none() { self.at } else { at }
    }
}
