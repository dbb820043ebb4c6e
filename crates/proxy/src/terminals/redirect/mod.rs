//! Sends the client elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::{StatusCode, Uri};
use model::load::Spanned;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, TerminalKind, reply};
use crate::exchange::{Blame, Code, Error, Exchange, response_head};
use crate::policies::Verdict;
use crate::policies::template::UrlTemplate;
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Sends the client elsewhere.
pub(crate) struct Redirect;

/// Sends the client elsewhere: to a whole URL (`to`), or to the same one with another scheme, host, port or path.
/// In `to` and `path`, `{name}` is a capture of the route, `{request.scheme}`, `{request.host}` and `{request.path}` are
/// parts of the request, `{{` and `}}` are braces.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Where to: a path such as `/new/{id}`, or a URL such as `https://example.com/{id}`. A capture must not name the host.
    to: Option<Spanned<String>>,
    /// Another scheme. The port is then that scheme's own unless `port` is given.
    scheme: Option<Scheme>,
    /// Another host.
    host: Option<Spanned<String>>,
    /// Another port.
    #[schemars(range(min = 1, max = 65535))]
    port: Option<Spanned<u16>>,
    /// Another path.
    path: Option<Spanned<String>>,
    /// The status: 301 and 302 let clients change the method to GET, 303 asks them to, 307 and 308 keep the method and
    /// body; 301 and 308 may be remembered.
    #[schemars(extend("enum" = [301, 302, 303, 307, 308]))]
    status: Spanned<u16>,
    /// What becomes of the request's query.
    query: Query,
}

impl Default for Spec {
    fn default() -> Self {
        let status = Spanned::from(302);
        Self { to: None, scheme: None, host: None, port: None, path: None, status, query: Query::Keep }
    }
}

/// A scheme to redirect to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RedirectScheme")]
enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// What becomes of the request's query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RedirectQuery")]
enum Query {
    /// It is added to the new URL.
    #[default]
    Keep,
    /// It is left out.
    Drop,
}

static NO_LOCATION: Code = Code {
    name: "redirect.no_location",
    status: 500,
    title: "Redirect without a location",
    blame: Blame::Gateway,
    proxy_status: None,
};

impl TerminalKind for Redirect {
    type Spec = Spec;
    const KIND: &'static str = "redirect";
    const CODES: &'static [&'static Code] = &[&NO_LOCATION];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        let status =
            StatusCode::from_u16(*spec.status).ok().filter(|s| matches!(s.as_u16(), 301 | 302 | 303 | 307 | 308));
        if status.is_none() {
            let message = format!("{} is not a redirect", *spec.status);
            cx.problem(spec.status.span, message, "write 301, 302, 303, 307 or 308");
        }
        let location = UrlTemplate::compile(&whole(&spec, cx)?, cx)?;
        if location.captures_authority() {
            let span = spec.to.as_ref().map_or(cx.span, |to| to.span);
            cx.problem(
                span,
                "a capture names the host, so whoever calls decides where this leads",
                "name the host, or begin with `/`",
            );
            return None;
        }
        let host = location.start().split_once("//").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
        if host.is_some_and(|host| !host.is_ascii()) {
            let span = spec.to.as_ref().map_or(cx.span, |to| to.span);
            cx.problem(span, "the host is not ASCII", "write the name in its `xn--` form (RFC 3492)");
            return None;
        }
        Some(Arc::new(Elsewhere { status: status?, location, query: spec.query }))
    }
}

/// The template of the whole location.
fn whole(spec: &Spec, cx: &mut Compile<'_>) -> Option<Spanned<String>> {
    if let Some(port) = &spec.port
        && **port == 0
    {
        cx.problem(port.span, "port 0 is none", "give one from 1 to 65535");
    }
    if let Some(path) = spec.path.as_ref().filter(|path| !path.starts_with(['/', '{'])) {
        cx.problem(path.span, "a path begins with `/`", format!("write `/{}`", **path));
    }
    if let Some(host) = spec
        .host
        .as_ref()
        .filter(|host| !host.is_ascii() || host.parse::<http::uri::Authority>().is_err() || host.contains('@'))
    {
        cx.problem(host.span, format!("`{}` is not a host", **host), "write a name or address, the port in `port`");
    }
    let parts = spec.scheme.is_some() || spec.host.is_some() || spec.port.is_some() || spec.path.is_some();
    let path = spec.path.clone().unwrap_or_else(|| Spanned::from("{request.path}".to_owned()));
    match &spec.to {
        Some(to) if parts => {
            cx.problem(
                to.span,
                "`to` is the whole location; `scheme`, `host`, `port` and `path` are parts of one",
                "keep one or the other",
            );
            None
        }
        Some(to) if to.parse::<Uri>().is_err() && !to.contains('{') || to.is_empty() => {
            cx.problem(
                to.span,
                format!("`{}` is not a URL", **to),
                "write a path such as `/new`, or `https://host/path`",
            );
            None
        }
        Some(to) => Some(to.clone()),
        None if !parts => {
            cx.problem(
                cx.span,
                "the redirect leads back to where it came from",
                "give `to`, or one of `scheme`, `host`, `port`, `path`",
            );
            None
        }
        None if spec.scheme.is_none() && spec.host.is_none() && spec.port.is_none() => Some(path),
        None => {
            let scheme = match spec.scheme {
                None => "{request.scheme}",
                Some(Scheme::Http) => "http",
                Some(Scheme::Https) => "https",
            };
            let host = spec.host.as_ref().map_or("{request.host}", |host| host.as_str());
            let port = spec.port.as_ref().map_or_else(String::new, |port| format!(":{}", **port));
            Some(path.map(|path| format!("{scheme}://{host}{port}{path}")))
        }
    }
}

/// What a URL cannot hold as it is (RFC 3986 section 2), beside what is not ASCII. Browsers read `\` as `/`.
const NOT_IN_URL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\').add(b'^').add(b'{').add(b'|').add(b'}');

struct Elsewhere {
    status: StatusCode,
    location: UrlTemplate,
    query: Query,
}

impl Answer for Elsewhere {
    fn kind(&self) -> &'static str {
        Redirect::KIND
    }

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(location) = self.location(x) else {
            return Verdict::fail(Error::new(&NO_LOCATION, "The redirect has no location for this request."));
        };
        let mut parts = response_head(self.status);
        parts.headers.insert(LOCATION, location);
        reply(x, parts, Bytes::new())
    }
}

impl Elsewhere {
    fn location(&self, x: &Exchange) -> Option<HeaderValue> {
        let mut location = self.location.render(x)?;
        if location.starts_with("//") && !self.location.start().starts_with("//") {
            // A path that begins with two slashes would be read as a host.
            location = format!("/{}", location.trim_start_matches('/'));
        }
        if self.query == Query::Keep
            && let Some(query) = x.request.uri.query().filter(|query| !query.is_empty())
        {
            let (front, fragment) =
                location.split_once('#').map_or((location.as_str(), None), |(f, rest)| (f, Some(rest)));
            let mut joined = format!("{front}{}{query}", if front.contains('?') { '&' } else { '?' });
            if let Some(fragment) = fragment {
                joined.push('#');
                joined.push_str(fragment);
            }
            location = joined;
        }
        HeaderValue::try_from(utf8_percent_encode(&location, NOT_IN_URL).to_string()).ok()
    }
}
