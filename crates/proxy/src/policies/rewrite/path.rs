//! The path's own part of a rewrite.

use model::load::Spanned;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Form, Spec, Text};
use crate::exchange::Exchange;
use crate::policies::text::TextSpec;
use crate::program::Compile;

/// Replaces what a regular expression finds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PathRegex")]
pub(super) struct RegexSpec {
    /// The expression, over the whole path; it may match a part of it.
    pattern: Spanned<String>,
    /// What stands in its place; `$1` or `$name` is a group, `$$` a dollar sign.
    replace: Spanned<String>,
}

/// How the path is changed.
pub(super) enum PathRewrite {
    /// Not at all.
    Keep,
    /// To this.
    To(Text),
    /// Step by step.
    Edit { strip: Option<Box<str>>, regex: Option<(Regex, Box<str>)>, add: Option<Box<str>> },
}

/// What a path cannot hold as it is. `%` stays: what is encoded already stays so.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The most memory of a compiled expression.
const MOST_REGEX: usize = 1 << 20;

impl PathRewrite {
    pub(super) fn compile(spec: &Spec, cx: &mut Compile<'_>) -> Option<Self> {
        let edits = spec.strip_prefix.is_some() || spec.regex.is_some() || spec.add_prefix.is_some();
        match &spec.path {
            Some(_) if edits => {
                cx.problem(cx.span, "`path` replaces what the other ways would change", "keep `path`, or the others");
                None
            }
            Some(path) => {
                if let TextSpec::Literal(text) = path {
                    check(text, text.starts_with('{'), cx)?;
                }
                Text::compile(path, cx).map(PathRewrite::To)
            }
            None if !edits => Some(PathRewrite::Keep),
            None => {
                let strip = prefix(spec.strip_prefix.as_ref(), cx);
                let add = prefix(spec.add_prefix.as_ref(), cx);
                let regex = match &spec.regex {
                    Some(regex) => Some(compile_regex(regex, cx)?),
                    None => None,
                };
                Some(PathRewrite::Edit { strip: strip?, regex, add: add? })
            }
        }
    }

    /// The new path of one that the upstream would see.
    pub(super) fn apply(&self, own: String, x: &Exchange) -> Option<String> {
        Some(match self {
            PathRewrite::Keep => own,
            PathRewrite::To(text) => encode(&text.get(x, Form::Raw)?),
            PathRewrite::Edit { strip, regex, add } => {
                let mut path = own;
                if let Some(rest) = strip.as_ref().and_then(|prefix| below(&path, prefix)) {
                    path = if rest.is_empty() { "/".to_owned() } else { rest.to_owned() };
                }
                if let Some((regex, replacement)) = regex {
                    path = encode(&regex.replace(&path, &**replacement));
                }
                match add {
                    Some(prefix) if path == "/" => (**prefix).to_owned(),
                    Some(prefix) => format!("{prefix}{path}"),
                    None => path,
                }
            }
        })
    }
}

/// A prefix without its trailing slash. `Some(None)` where there is none, or `/` alone.
fn prefix(written: Option<&Spanned<String>>, cx: &mut Compile<'_>) -> Option<Option<Box<str>>> {
    let Some(text) = written else { return Some(None) };
    check(text, false, cx)?;
    let plain = text.trim_end_matches('/');
    Some((!plain.is_empty()).then(|| plain.into()))
}

/// Checks that a text is (the beginning of) a path.
fn check(text: &Spanned<String>, begins_with_hole: bool, cx: &mut Compile<'_>) -> Option<()> {
    let (message, help) = match () {
        () if !begins_with_hole && !text.starts_with('/') => ("a path begins with `/`", "put a `/` in front"),
        () if text.contains(['?', '#']) => ("a path has no query", "write the query under `query`"),
        () if !is_sound(text) && !begins_with_hole => ("a path has no segments `.` and `..`", "write where it leads"),
        () => return Some(()),
    };
    cx.problem(text.span, message, help);
    None
}

fn compile_regex(written: &RegexSpec, cx: &mut Compile<'_>) -> Option<(Regex, Box<str>)> {
    match RegexBuilder::new(&written.pattern).size_limit(MOST_REGEX).build() {
        Ok(regex) => Some((regex, written.replace.as_str().into())),
        Err(error) => {
            cx.problem(written.pattern.span, format!("not a regular expression: {error}"), "mend the expression");
            None
        }
    }
}

/// The path as the upstream would see it: without the api's own, where that is stripped.
pub(super) fn towards_upstream(x: &Exchange) -> String {
    let path = x.request.uri.path();
    let rest = path.get(x.strip..).unwrap_or_default();
    if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }
}

/// What follows a prefix of whole segments.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn encode(path: &str) -> String {
    utf8_percent_encode(path, NOT_IN_PATH).to_string()
}

/// Whether a path leads nowhere but where it says: from the root, without `.` and `..`, however encoded.
pub(super) fn is_sound(path: &str) -> bool {
    let leads_away = |segment: &str| {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        decoded.split(['/', '\\']).any(|part| part == "." || part == "..")
    };
    path.starts_with('/') && !path.split('/').any(leads_away)
}
