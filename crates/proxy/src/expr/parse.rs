//! Text to CEL's syntax tree, within bounds, with messages for people.
//!
//! The parser is the `cel` crate's. It runs on a stack of its own that the bounds below cannot fill, and its tree is
//! walked there too.

use std::ops::Range;
use std::sync::LazyLock;

use cel::Env;
use cel::common::ast::{Expr as Tree, IdedExpr, SourceInfo};
use cel::parser::{ParseError, ParseErrors};

use super::deep;

/// The longest expression, in bytes.
pub(super) const MOST_BYTES: usize = 4 * 1024;
/// Brackets within brackets.
pub(super) const MOST_BRACKETS: u16 = 24;
/// Enough for what the two allow, unoptimised: a bracket takes at most 350 KiB, a link of a chain 3 KiB.
const STACK: usize = 64 << 20;

/// What is wrong with an expression, and where in its text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

impl Fault {
    pub(super) fn new(at: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: help.into() }
    }
}

/// A parsed expression.
pub(super) struct Parsed<'t> {
    pub(super) text: &'t str,
    pub(super) root: IdedExpr,
    places: SourceInfo,
}

/// No macros: `has`, `exists` and the others stay calls, so that messages speak of what was written.
static ENV: LazyLock<Env> = LazyLock::new(|| Env::default().with_optional_support(false));

/// Parses a text and gives the tree to `read`, which may recurse as deep as the tree is.
pub(super) fn parse<T: Send>(
    text: &str,
    read: impl FnOnce(&Parsed<'_>) -> Result<T, Vec<Fault>> + Send,
) -> Result<T, Vec<Fault>> {
    if text.len() > MOST_BYTES {
        let message = format!("the expression has {} bytes, more than {MOST_BYTES}", text.len());
        return Err(vec![Fault::new(0..text.len(), message, "split it, or decide in the upstream")]);
    }
    if text.trim().is_empty() {
        return Err(vec![Fault::new(0..text.len(), "the expression is empty", "write CEL, or take the key out")]);
    }
    let work = || {
        let parser = ENV.parser().max_recursion_depth(MOST_BRACKETS);
        let (root, places) = parser.parse_with_source_info(text).map_err(|errors| vec![fault(text, &errors)])?;
        read(&Parsed { text, root, places })
    };
    match deep::run(STACK, work) {
        Ok(outcome) => outcome,
        Err(message) => Err(vec![Fault::new(0..text.len(), message, "write it in another way")]),
    }
}

impl Parsed<'_> {
    /// Where an expression stands: the whole of a name or literal, else its operator.
    pub(super) fn place(&self, of: &IdedExpr) -> Range<usize> {
        let Some((start, stop)) = self.places.offset_for(of.id) else { return 0..self.text.len() };
        let (start, end) = (self.boundary(start as usize), self.boundary(stop as usize + 1));
        match &of.expr {
            Tree::Select(select) => self.word(start + 1, &select.field),
            Tree::Call(call) if self.at(start, "(") => {
                let before = self.text.get(..start).unwrap_or_default();
                let name = before.trim_end();
                match name.strip_suffix(call.func_name.as_str()) {
                    Some(rest) => rest.len()..name.len(),
                    None => start..end,
                }
            }
            _ => start..end.max(start),
        }
    }

    /// A word that follows `start`, white space aside.
    fn word(&self, start: usize, word: &str) -> Range<usize> {
        let rest = self.text.get(start..).unwrap_or_default();
        let start = start + rest.len() - rest.trim_start().len();
        if self.at(start, word) { start..start + word.len() } else { start..self.boundary(start + 1) }
    }

    fn at(&self, start: usize, word: &str) -> bool {
        self.text.get(start..).is_some_and(|rest| rest.starts_with(word))
    }

    fn boundary(&self, offset: usize) -> usize {
        self.text.ceil_char_boundary(offset)
    }
}

/// The first error, in words for people. Those after it are mostly its consequences.
fn fault(text: &str, errors: &ParseErrors) -> Fault {
    let syntax = errors.errors.iter().find(|error| error.msg.starts_with("Syntax error"));
    let Some(error) = syntax.or(errors.errors.first()) else {
        return Fault::new(0..text.len(), "the expression cannot be read", "write it in another way");
    };
    let start = offset(text, error);
    let (message, help) = worded(error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg));
    let rest = text.get(start..).unwrap_or_default();
    let length = match rest.find(|c: char| !c.is_alphanumeric() && c != '_') {
        Some(0) | None if rest.chars().next().is_some_and(|c| !c.is_alphanumeric()) => {
            rest.chars().next().map_or(0, char::len_utf8)
        }
        found => found.unwrap_or(rest.len()),
    };
    let hint = match rest {
        _ if rest.starts_with('=') && !rest.starts_with("==") => "equality is `==`",
        _ if word(rest, "and") => "write `&&`",
        _ if word(rest, "or") => "write `||`",
        _ if word(rest, "not") => "write `!`",
        _ => help,
    };
    Fault::new(start..start + length, message, hint)
}

fn word(rest: &str, word: &str) -> bool {
    let behind = rest.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word)).and(rest.get(word.len()..));
    behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The parser says line and column (in characters), both from 1.
fn offset(text: &str, error: &ParseError) -> usize {
    let (line, column) = (usize::try_from(error.pos.0).unwrap_or(0), usize::try_from(error.pos.1).unwrap_or(0));
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    before + within
}

/// The parser's words in ours.
fn worded(raw: &str) -> (String, &'static str) {
    const CEL: &str = "expressions are CEL, such as `request.method == \"GET\"`";
    let quoted = |raw: &str| {
        let (_, rest) = raw.split_once('\'')?;
        let end = rest.find("' expecting").or_else(|| rest.rfind('\''))?;
        rest.get(..end).map(str::to_owned)
    };
    if raw.contains("ecursion limit") {
        return (format!("brackets are nested more than {MOST_BRACKETS} deep"), "split the expression");
    }
    if raw.starts_with("missing ')'") {
        return ("a `)` is missing".to_owned(), "close what is open");
    }
    if raw.starts_with("missing ']'") {
        return ("a `]` is missing".to_owned(), "close what is open");
    }
    if raw.contains("'<EOF>'") && !raw.starts_with("extraneous") {
        return ("the expression ends too early".to_owned(), CEL);
    }
    if let Some(found) = raw.strip_prefix("token recognition error at: ") {
        let found = found.strip_prefix('\'').and_then(|found| found.strip_suffix('\'')).unwrap_or(found).trim();
        return match found.chars().next() {
            Some('"') | Some('\'') => {
                ("a text is not closed, or has an unknown escape".to_owned(), "close it; a backslash is `\\\\`")
            }
            _ => (format!("unexpected `{found}`"), CEL),
        };
    }
    if raw.starts_with("invalid int") || raw.starts_with("invalid uint") {
        return ("the number does not fit 64 bits".to_owned(), "write a smaller one, or one with a fraction");
    }
    if raw.starts_with("extraneous input") || raw.starts_with("mismatched") || raw.starts_with("no viable") {
        return match quoted(raw) {
            Some(found) => (format!("unexpected `{found}`"), CEL),
            None => ("the expression cannot be read".to_owned(), CEL),
        };
    }
    if raw.starts_with("reserved identifier") {
        return (raw.replacen("reserved identifier: ", "a reserved word: ", 1), CEL);
    }
    (raw.to_owned(), CEL)
}
