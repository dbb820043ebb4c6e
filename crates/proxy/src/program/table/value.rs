//! Conditions on a value: of a header, a query parameter or a cookie.

use std::fmt;

use model::load::{Span, Spanned};
use model::resource::StringMatch;
use regex::bytes::{Regex, RegexBuilder};

use super::pattern::{REGEX_BYTES, whole_regex};
use super::report::Report;

/// A condition on the values that a request has under a name: none, one, or several. It holds when one of them
/// satisfies it.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// This value.
    Exact(Box<[u8]>),
    /// Begins with this.
    Prefix(Box<[u8]>),
    /// Matches this, whole.
    Regex(Regex, Box<str>),
    /// There is a value.
    Present,
    /// There is none.
    Absent,
    /// None of the values satisfies this.
    Not(Box<Test>),
}

impl Test {
    /// Reads a condition; a bad regular expression is a problem.
    pub(super) fn compile(written: &StringMatch, report: &mut Report<'_>) -> Option<Self> {
        Some(match written {
            StringMatch::Exact(text) => Test::Exact(text.as_bytes().into()),
            StringMatch::Prefix(text) => Test::Prefix(text.as_bytes().into()),
            StringMatch::Regex(text) => Test::Regex(regex(text, report)?, text.as_str().into()),
            StringMatch::Present => Test::Present,
            StringMatch::Absent => Test::Absent,
            StringMatch::Not(inner) => match Test::compile(inner, report)? {
                Test::Present => Test::Absent,
                Test::Absent => Test::Present,
                Test::Not(inner) => *inner,
                inner => Test::Not(Box::new(inner)),
            },
        })
    }

    /// Whether it holds for these values.
    pub(super) fn holds<V: AsRef<[u8]>>(&self, mut values: impl Iterator<Item = V>) -> bool {
        match self {
            Test::Present => values.next().is_some(),
            Test::Absent => values.next().is_none(),
            Test::Not(inner) => !values.any(|value| inner.takes(value.as_ref())),
            one => values.any(|value| one.takes(value.as_ref())),
        }
    }

    /// Whether one value satisfies it.
    fn takes(&self, value: &[u8]) -> bool {
        match self {
            Test::Exact(exact) => **exact == *value,
            Test::Prefix(prefix) => value.starts_with(prefix),
            Test::Regex(regex, _) => regex.is_match(value),
            Test::Present => true,
            Test::Absent => false,
            Test::Not(inner) => !inner.takes(value),
        }
    }

    /// Whether it is sure that no single value satisfies both.
    pub(super) fn excludes(&self, other: &Test) -> bool {
        match (self, other) {
            (Test::Absent, other) | (other, Test::Absent) => !matches!(other, Test::Absent | Test::Not(_)),
            (Test::Exact(value), test) | (test, Test::Exact(value)) => !test.takes(value),
            (Test::Prefix(a), Test::Prefix(b)) => !a.starts_with(b) && !b.starts_with(a),
            (Test::Prefix(given), Test::Not(not)) | (Test::Not(not), Test::Prefix(given)) => {
                matches!(&**not, Test::Prefix(prefix) if given.starts_with(prefix))
            }
            (Test::Regex(_, given), Test::Not(not)) | (Test::Not(not), Test::Regex(_, given)) => {
                matches!(&**not, Test::Regex(_, text) if text == given)
            }
            _ => false,
        }
    }
}

fn regex(text: &Spanned<String>, report: &mut Report<'_>) -> Option<Regex> {
    let mut problem = |at: Span, message: String, help: String| {
        report.error("config.pattern", at, message, help);
        None
    };
    match whole_regex(text) {
        Err(wrong) => problem(text.span, wrong.message, wrong.help),
        Ok(whole) => RegexBuilder::new(&whole).size_limit(REGEX_BYTES).build().ok().or_else(|| {
            problem(text.span, "the regular expression is too large".into(), "bound its repetitions".into())
        }),
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Exact(value) => write!(f, "is `{}`", String::from_utf8_lossy(value)),
            Test::Prefix(value) => write!(f, "begins with `{}`", String::from_utf8_lossy(value)),
            Test::Regex(_, text) => write!(f, "matches `{text}`"),
            Test::Present => f.write_str("is present"),
            Test::Absent => f.write_str("is absent"),
            Test::Not(inner) => write!(f, "not: {inner}"),
        }
    }
}
