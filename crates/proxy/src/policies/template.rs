//! Paths and URLs with holes: `/v2/{id}` takes the route's capture `id`, `{request.path}` a part of the request.
//!
//! Captures are put in as they stood in the request's path, still percent-encoded, so that they cannot end a path
//! segment or begin a query that they did not before.

use std::borrow::Cow;

use model::load::Spanned;
use model::problem::did_you_mean;
use model::resource::Route;
use percent_encoding::percent_decode_str;
use regex::Regex;

use crate::exchange::Exchange;
use crate::policies::Level;
use crate::program::Compile;

/// A text with holes.
#[derive(Debug)]
pub(crate) struct UrlTemplate {
    parts: Box<[Part]>,
}

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Capture(Box<str>),
    Scheme,
    Host,
    Path,
}

/// What a hole may name beside captures.
const OF_REQUEST: [&str; 3] = ["request.scheme", "request.host", "request.path"];

impl UrlTemplate {
    /// Compiles a template. Holes that no route here fills are problems.
    pub(crate) fn compile(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Self> {
        let parts = match parse(written) {
            Ok(parts) => parts,
            Err((message, help)) => {
                cx.problem(written.span, message, help);
                return None;
            }
        };
        let known = captures_here(cx);
        let unknown = parts.iter().find_map(|part| match part {
            Part::Capture(name) if !known.iter().any(|known| **known == **name) => Some(name),
            _ => None,
        });
        if let Some(name) = unknown {
            let near = did_you_mean(name, known.iter().map(String::as_str).chain(OF_REQUEST));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let help = format!("name a capture of the route's `match`, or one of {}", OF_REQUEST.join(", "));
            cx.problem(written.span, format!("no route here captures `{name}`{hint}"), help);
            return None;
        }
        Some(Self { parts: parts.into() })
    }

    /// The text for this exchange, with captures as they stood in its path; `None` where its route has no such capture.
    pub(crate) fn render(&self, x: &Exchange) -> Option<String> {
        self.fill(x, |capture| capture.into())
    }

    /// The same with captures as what they mean.
    pub(crate) fn render_decoded(&self, x: &Exchange) -> Option<String> {
        self.fill(x, |capture| percent_decode_str(capture).decode_utf8_lossy())
    }

    fn fill<'x>(&self, x: &'x Exchange, form: fn(&'x str) -> Cow<'x, str>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Capture(name) => text.push_str(&form(x.captures.get(name)?)),
                Part::Scheme => text.push_str(x.scheme.as_str()),
                Part::Host => text.push_str(&x.host),
                Part::Path => text.push_str(x.request.uri.path()),
            }
        }
        Some(text)
    }

    /// The text in front of the first hole.
    pub(crate) fn start(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether a capture decides the scheme or host of a URL: then whoever calls decides where it leads.
    pub(crate) fn captures_authority(&self) -> bool {
        let mut before = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => before.push_str(text),
                Part::Scheme => before.push_str("http"),
                Part::Host => before.push('h'),
                Part::Path => before.push_str("/p"),
                Part::Capture(_) => {
                    if before.starts_with('/') && !before.starts_with("//") {
                        return false;
                    }
                    let rest = before.split_once("//").map_or("", |(_, rest)| rest);
                    return !rest.contains(['/', '?', '#']);
                }
            }
        }
        false
    }
}

/// Splits a text at its holes. `{{` and `}}` stand for the braces themselves.
fn parse(text: &str) -> Result<Vec<Part>, (String, &'static str)> {
    const HELP: &str = "write `{name}` for a capture, `{{` and `}}` for braces";
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, hole) = rest.split_at_checked(at).unwrap_or((rest, ""));
        plain.push_str(before);
        if let Some(after) = hole.strip_prefix("{{") {
            plain.push('{');
            rest = after;
        } else if let Some(after) = hole.strip_prefix("}}") {
            plain.push('}');
            rest = after;
        } else if let Some((name, after)) = hole.strip_prefix('{').and_then(|hole| hole.split_once('}')) {
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain).into()));
            }
            parts.push(hole_of(name)?);
            rest = after;
        } else {
            return Err(("a brace has no partner".to_owned(), HELP));
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain.into()));
    }
    Ok(parts)
}

fn hole_of(name: &str) -> Result<Part, (String, &'static str)> {
    Ok(match name {
        "request.scheme" => Part::Scheme,
        "request.host" => Part::Host,
        "request.path" => Part::Path,
        _ if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
            Part::Capture(name.into())
        }
        _ => {
            let message = format!("`{{{name}}}` names nothing");
            return Err((message, "write a capture's name, or request.scheme, request.host or request.path"));
        }
    })
}

/// The captures of the routes that what is compiled stands on or above.
fn captures_here(cx: &Compile<'_>) -> Vec<String> {
    let api = cx.owner.names.first().filter(|_| matches!(cx.owner.level, Level::Api | Level::Route));
    let route = cx.owner.names.get(1).filter(|_| cx.owner.level == Level::Route);
    let apis = cx.snapshot.apis.iter().filter(|known| api.is_none_or(|name| known.api.name.as_str() == name));
    let routes = apis.flat_map(|api| &api.routes).filter(|(name, _)| route.is_none_or(|wanted| name == wanted));
    routes.flat_map(|(_, route)| captures_of(route)).collect()
}

/// The names that a route's `match` captures.
fn captures_of(route: &Route) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(path) = &route.matches.path {
        let holes = path.split('{').skip(1).filter_map(|hole| hole.split_once('}'));
        names.extend(holes.map(|(name, _)| name.trim_end_matches('*').to_owned()));
    }
    if let Some(regex) = route.matches.regex.as_ref().and_then(|regex| Regex::new(regex).ok()) {
        names.extend(regex.capture_names().flatten().map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found() {
        let text = |text: &str| Part::Text(text.into());
        let capture = |name: &str| Part::Capture(name.into());
        for (written, parts) in [
            ("", vec![]),
            ("/a", vec![text("/a")]),
            ("/a/{id}", vec![text("/a/"), capture("id")]),
            ("{a}{b_1}/", vec![capture("a"), capture("b_1"), text("/")]),
            ("/{{x}}/{id}", vec![text("/{x}/"), capture("id")]),
            (
                "{request.scheme}://{request.host}{request.path}",
                vec![Part::Scheme, text("://"), Part::Host, Part::Path],
            ),
        ] {
            assert_eq!(parse(written).unwrap(), parts, "{written}");
        }
        for wrong in ["{", "/a}", "/{a", "{}", "{a b}", "{request.body}", "{rest*}"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_capture_must_not_name_the_host() {
        for (written, decides) in [
            ("/new/{id}", false),
            ("https://example.com/{id}", false),
            ("https://example.com?{id}", false),
            ("{request.scheme}://{request.host}/{id}", false),
            ("{request.path}/{id}", false),
            ("https://{id}/", true),
            ("https://example.com{id}", true),
            ("//{id}", true),
            ("{id}", true),
            ("x{id}", true),
        ] {
            let template = UrlTemplate { parts: parse(written).unwrap().into() };
            assert_eq!(template.captures_authority(), decides, "{written}");
        }
    }
}
