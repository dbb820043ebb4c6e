//! What a route says of the path: a template, a prefix or a regular expression, relative to its api's `path`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use model::load::Spanned;
use model::resource::Match;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, Look};

use super::report::Report;
use crate::exchange::path;

/// The most segments of a pattern, and the longest name of a capture.
const MOST_SEGMENTS: usize = 64;
const LONGEST_NAME: usize = 64;
/// The most memory of a compiled regular expression.
pub(super) const REGEX_BYTES: usize = 1 << 20;

/// A part of a path between slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// This text, in its plain form.
    Literal(Cow<'a, str>),
    /// Any text but none: a capture.
    Param,
}

/// What follows the segments.
#[derive(Debug)]
pub(super) enum Tail {
    /// Nothing.
    End,
    /// Nothing, or a slash: the path `/` of an api.
    Root,
    /// The rest of the path matches this.
    Regex(PathRegex),
    /// At least one character: a capture.
    Rest,
    /// Anything.
    Prefix,
}

/// What a route says of the path.
#[derive(Debug)]
pub(super) struct Pattern<'a> {
    pub(super) segments: Vec<Segment<'a>>,
    pub(super) tail: Tail,
    /// Names of the captures, in order; none where there is none.
    pub(super) names: Option<Arc<[Box<str>]>>,
}

/// A regular expression over the whole of what follows the api's path.
#[derive(Debug)]
pub(super) struct PathRegex {
    pub(super) regex: Regex,
    /// The groups that have a name.
    pub(super) groups: Box<[usize]>,
    /// As it was written.
    pub(super) written: Box<str>,
}

/// Why a text is no pattern: what is wrong, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: String,
}

fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), help: help.into() })
}

/// Reads one form of pattern.
type Parse<'a, P> = fn(&'a str) -> Result<P, Wrong>;

impl<'a> Pattern<'a> {
    /// Reads what a route says; what is wrong is a problem.
    pub(super) fn compile(written: &'a Match, report: &mut Report<'_>) -> Option<Self> {
        let (text, parse): (_, Parse<'a, Self>) = match (&written.path, &written.prefix, &written.regex) {
            (None, None, None) => return Some(Self { segments: Vec::new(), tail: Tail::Prefix, names: None }),
            (Some(text), None, None) => (text, template),
            (None, Some(text), None) => (text, prefix),
            (None, None, Some(text)) => (text, regex),
            (path, prefix, regex) => {
                let last = [regex, prefix, path].into_iter().flatten().next()?;
                let message = "a route matches one of `path`, `prefix` and `regex`";
                report.error("config.impossible", last.span, message, "keep one; write a second route for another");
                return None;
            }
        };
        if written.regex.is_none() {
            advise(text, report);
        }
        match parse(text) {
            Ok(pattern) => Some(pattern),
            Err(wrong) => {
                report.error("config.pattern", text.span, wrong.message, wrong.help);
                None
            }
        }
    }
}

/// The `path` of an api: literal segments.
pub(super) fn api_path(text: &str) -> Result<Vec<Segment<'_>>, Wrong> {
    literals(text, "an api's path takes no captures", "put them into the routes' `match.path`")
}

/// How many bytes of a request's path an api's `path` takes: the plain form, without a slash at its end.
pub(crate) fn api_path_length(text: &str) -> usize {
    path::literal(text.trim_end_matches('/')).map_or(0, |plain| plain.len())
}

/// A template such as `/users/{id}` or `/files/{rest*}`.
fn template(text: &str) -> Result<Pattern<'_>, Wrong> {
    let mut pattern = Pattern { segments: Vec::new(), tail: Tail::End, names: None };
    if text == "/" {
        return Ok(Pattern { tail: Tail::Root, ..pattern });
    }
    let mut names: Vec<Box<str>> = Vec::new();
    let parts = parts(text)?;
    let last = parts.len() - 1;
    for (at, part) in parts.into_iter().enumerate() {
        let Some(name) = capture(part)? else {
            // One slash at the end is a segment of no text.
            pattern.segments.push(if at == last && part.is_empty() {
                Segment::Literal("".into())
            } else {
                literal(part)?
            });
            continue;
        };
        let name = match name.strip_suffix('*') {
            None => {
                pattern.segments.push(Segment::Param);
                name
            }
            Some(name) if at == last => {
                pattern.tail = Tail::Rest;
                name
            }
            Some(_) => {
                return wrong(format!("`{part}` is not at the end"), "what takes the rest of the path comes last");
            }
        };
        if names.iter().any(|known| **known == *name) {
            return wrong(format!("two captures are named `{name}`"), "rename one of them");
        }
        names.push(name.into());
    }
    if !names.is_empty() {
        pattern.names = Some(names.into());
    }
    Ok(pattern)
}

/// A prefix by whole segments. A slash at its end says nothing.
fn prefix(text: &str) -> Result<Pattern<'_>, Wrong> {
    let segments = literals(text, "a prefix takes no captures", "write it as a `path` that ends in `/{rest*}`")?;
    Ok(Pattern { segments, tail: Tail::Prefix, names: None })
}

/// A regular expression. It is parsed alone before it is anchored, so that nothing in it reaches out of the anchors.
fn regex(text: &str) -> Result<Pattern<'_>, Wrong> {
    let regex = match (whole_regex(text), anchored(text)) {
        (Err(wrong), _) => return Err(wrong),
        (Ok(_), Err(message)) => return wrong(message, "bound its repetitions, or match less of the path"),
        (Ok(_), Ok(regex)) => regex,
    };
    let named = || regex.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?)));
    let groups: Box<[usize]> = named().map(|(group, _)| group).collect();
    let names: Vec<Box<str>> = named().map(|(_, name)| name.into()).collect();
    let names = (!names.is_empty()).then(|| names.into());
    Ok(Pattern { segments: Vec::new(), tail: Tail::Regex(PathRegex { regex, groups, written: text.into() }), names })
}

/// A regular expression that must match the whole text.
pub(super) fn whole_regex(text: &str) -> Result<String, Wrong> {
    match regex_syntax::parse(text) {
        Ok(hir) => Ok(Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]).to_string()),
        Err(error) => {
            let (what, at) = match &error {
                regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.column),
                regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.column),
                _ => ("it cannot be parsed".to_owned(), 1),
            };
            wrong(format!("not a regular expression: {what} (at character {at})"), "see https://docs.rs/regex/#syntax")
        }
    }
}

/// The same, ready to match; the error says what is wrong.
pub(crate) fn anchored(text: &str) -> Result<Regex, String> {
    let whole = whole_regex(text).map_err(|wrong| wrong.message)?;
    let built = RegexBuilder::new(&whole).size_limit(REGEX_BYTES).build();
    built.map_err(|_| "the regular expression is too large".to_owned())
}

/// Literal segments without one for a slash at the end.
fn literals<'a>(text: &'a str, no_captures: &str, help: &str) -> Result<Vec<Segment<'a>>, Wrong> {
    let mut segments = Vec::new();
    let parts = parts(text)?;
    let last = parts.len() - 1;
    for (at, part) in parts.into_iter().enumerate() {
        if part.contains(['{', '}']) {
            return wrong(no_captures, help);
        }
        if at < last || !part.is_empty() {
            segments.push(literal(part)?);
        }
    }
    Ok(segments)
}

/// What stands between the slashes; at least one part.
fn parts(text: &str) -> Result<Vec<&str>, Wrong> {
    let Some(rest) = text.strip_prefix('/') else {
        return wrong("a path begins with `/`", format!("write `/{}`", text.trim_start_matches("./")));
    };
    if let Some(odd) = text.chars().find(|odd| matches!(odd, '?' | '#')) {
        return wrong(
            format!("`{odd}` ends a path"),
            "conditions on the query stand under `query:`; a literal one is written `%3F` or `%23`",
        );
    }
    let parts: Vec<&str> = rest.split('/').collect();
    if parts.len() > MOST_SEGMENTS {
        return wrong(format!("the path has more than {MOST_SEGMENTS} segments"), "shorten it");
    }
    Ok(parts)
}

fn literal(part: &str) -> Result<Segment<'_>, Wrong> {
    let plain = match path::literal(part) {
        Ok(plain) => plain,
        Err(why) => return wrong(format!("`{part}` cannot be in a path: {why}"), "a literal `%` is written `%25`"),
    };
    match &*plain {
        "" => wrong("the path has an empty segment", "take one of the two slashes out"),
        "." | ".." => wrong(format!("`{plain}` is a dot segment"), "write the path that is meant"),
        _ => Ok(Segment::Literal(plain)),
    }
}

/// The name in `{name}`, with the `*` of `{name*}`; none for a literal.
fn capture(part: &str) -> Result<Option<&str>, Wrong> {
    if !part.contains(['{', '}']) {
        return Ok(None);
    }
    let Some(inner) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        let (message, help) = match (part.matches('{').count(), part.matches('}').count()) {
            (open, close) if open > close => (format!("`{part}` has a `{{` that is not closed"), "write `/{name}`"),
            (open, close) if open < close => (format!("`{part}` has a `}}` that closes nothing"), "write `/{name}`"),
            _ => (
                format!("`{part}`: a capture takes a whole segment"),
                "write `/{name}`, or use `regex:` for a part of a segment",
            ),
        };
        return wrong(message, help);
    };
    let name = inner.strip_suffix('*').unwrap_or(inner);
    let good = |name: &str| {
        (1..=LONGEST_NAME).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    if good(name) {
        return Ok(Some(inner));
    }
    let meant = |name: &str, star: &str| {
        let near: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
        if good(&near) { format!("; did you mean `{{{near}{star}}}`?") } else { String::new() }
    };
    let meant = match inner.strip_prefix(['*', '+']) {
        Some(name) => meant(name, "*"),
        None if inner.ends_with("...") => meant(inner, "*"),
        None => meant(inner, ""),
    };
    wrong(
        format!("`{part}` is not a capture{meant}"),
        "a name has letters, digits, `_` and `-`; `{name*}` takes the rest of the path; `regex:` restricts what is taken",
    )
}

/// Warns of the captures of other routers, which are plain text here.
fn advise(text: &Spanned<String>, report: &mut Report<'_>) {
    for part in text.split('/') {
        let meant = match part.strip_prefix(':') {
            Some(name) if !name.is_empty() => format!("{{{name}}}"),
            _ if part == "*" || part == "**" => "{rest*}".to_owned(),
            _ => continue,
        };
        let message = format!("`{part}` is plain text here; did you mean `{meant}`?");
        report.warn("config.pattern", text.span, message, "captures are written `{name}`, and `{rest*}` at the end");
    }
}

impl fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.names.iter().flat_map(|names| names.iter());
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Param => write!(f, "/{{{}}}", names.next().map_or("", |name| name))?,
            }
        }
        match &self.tail {
            Tail::End | Tail::Prefix | Tail::Regex(_) => Ok(()),
            Tail::Root => f.write_str("/"),
            Tail::Rest => write!(f, "/{{{}*}}", names.next().map_or("", |name| name)),
        }
    }
}

#[cfg(test)]
mod tests;
