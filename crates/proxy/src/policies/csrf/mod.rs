//! Keeps pages of other sites from acting as their visitor (cross-site request forgery).
//!
//! Browsers say where a request comes from: by `Sec-Fetch-Site` (W3C Fetch Metadata), `Origin` (RFC 6454), or at least
//! `Referer`; no page can change these. So a request that changes something, and comes with what a browser adds by
//! itself, must come from the same host or from an origin that is listed. No token has to be kept or put into pages.

mod spec;

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, REFERER, UPGRADE};
use http::{HeaderMap, Method};

use self::spec::{Check, Spec, Undeclared};
use crate::exchange::{Blame, Code, Exchange, Scheme};
use crate::policies::cors::origin::Origins;
use crate::policies::denial::{Denial, Tally};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Keeps pages of other sites from acting as their visitor.
pub(crate) struct Csrf;

static DENIED: Code = Code {
    name: "csrf.denied",
    status: 403,
    title: "Cross-site request denied",
    blame: Blame::Client,
    proxy_status: None,
};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Policy for Csrf {
    type Spec = Spec;
    const KIND: &'static str = "csrf";
    // Before Identify, where sessions take their cookies out and logins answer by themselves.
    const ORDER: (Stage, u8) = (Stage::Protect, 7);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let origins = spec.origins(cx);
        let exempt = spec.exempt(cx);
        let credentials: Vec<_> = spec.credentials.iter().filter_map(|name| cx.header_name(name)).collect();
        if credentials.len() != spec.credentials.len() {
            return None;
        }
        let denial = Denial::new(&DENIED, spec.tell, spec.mode, cx);
        let tally = denial.tally("", cx);
        Some(Arc::new(Guard {
            origins: origins?,
            exempt: exempt?,
            credentials: credentials.into(),
            check: spec.check,
            undeclared: spec.undeclared,
            denial,
            tally,
        }))
    }
}

struct Guard {
    origins: Origins,
    exempt: Box<[Exempt]>,
    /// Fields that a page of another origin cannot send without being asked for it (CORS).
    credentials: Box<[HeaderName]>,
    check: Check,
    undeclared: Undeclared,
    denial: Denial,
    tally: Tally,
}

/// Paths that are not checked.
enum Exempt {
    /// This one.
    Path(Box<str>),
    /// Those below, and itself.
    Below(Box<str>),
}

impl Exempt {
    fn has(&self, path: &str) -> bool {
        match self {
            Exempt::Path(exact) => path == &**exact,
            Exempt::Below(start) => {
                path.strip_prefix(&**start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }
}

impl Step for Guard {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        match self.fault(x) {
            None => Verdict::NEXT,
            Some(why) => Verdict::Done(self.deny(x, why)),
        }
    }
}

impl Guard {
    /// Why a request may not pass.
    fn fault(&self, x: &Exchange) -> Option<&'static str> {
        let headers = &x.request.headers;
        if is_safe(&x.request.method, headers) || !self.is_concerned(x) {
            return None;
        }
        if self.exempt.iter().any(|exempt| exempt.has(x.request.uri.path())) {
            return None;
        }
        let origin = headers.get(ORIGIN);
        let listed = || origin.is_some_and(|origin| self.origins.allow(origin));
        if let Some(site) = headers.get(&SEC_FETCH_SITE) {
            // `none`: the visitor typed it, or opened a bookmark.
            let own = matches!(site.as_bytes(), b"same-origin" | b"none");
            return (!own && !listed()).then_some("it comes from another site");
        }
        if let Some(origin) = origin {
            let own = origin.to_str().is_ok_and(|origin| is_own(x, origin));
            return (!own && !listed()).then_some("its origin is another");
        }
        if let Some(referer) = headers.get(REFERER) {
            let origin = referer.to_str().ok().and_then(origin_of);
            let good = origin.is_some_and(|origin| {
                is_own(x, origin) || HeaderValue::from_str(origin).is_ok_and(|origin| self.origins.allow(&origin))
            });
            return (!good).then_some("it comes from a page of another origin");
        }
        let silent = self.undeclared == Undeclared::Deny && is_ambient(x);
        silent.then_some("it does not say where it comes from")
    }

    /// Whether a page of another site could have made it with what the browser adds.
    fn is_concerned(&self, x: &Exchange) -> bool {
        let explicit = || self.credentials.iter().any(|name| x.request.headers.contains_key(name));
        self.check == Check::All || is_ambient(x) || !explicit()
    }

    #[cold]
    fn deny(&self, x: &mut Exchange, why: &'static str) -> Outcome {
        self.denial.deny(x, &self.tally, why.to_owned(), Some(why))
    }
}

/// Whether a request asks for nothing to be changed (RFC 9110 section 9.2.1). A WebSocket is opened by GET, and then
/// anything can be said.
fn is_safe(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) && !headers.contains_key(UPGRADE)
}

/// Whether it comes with what a browser adds by itself.
fn is_ambient(x: &Exchange) -> bool {
    let headers = &x.request.headers;
    let repeated = |value: &HeaderValue| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        [&b"basic"[..], b"digest", b"negotiate", b"ntlm"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    };
    headers.contains_key(COOKIE)
        || headers.get_all(AUTHORIZATION).iter().any(repeated)
        || x.connection.tls.as_ref().is_some_and(|tls| tls.client.is_some())
}

/// Whether an origin is that of the request itself. The host decides, as a proxy before the gateway may have ended TLS; but
/// no page that came in the clear may act on one that came by TLS.
fn is_own(x: &Exchange, origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let field = || x.request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = x.request.uri.authority().map(http::uri::Authority::as_str).or_else(field);
    let port = if scheme == "https" { ":443" } else { ":80" };
    let bare = own.map(|own| own.strip_suffix(port).unwrap_or(own));
    matches!(scheme, "http" | "https")
        && !(scheme == "http" && x.scheme == Scheme::Https)
        && bare.is_some_and(|own| !own.is_empty() && own.eq_ignore_ascii_case(host))
}

/// The origin of an address.
fn origin_of(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let length = url.get(host..)?.find(['/', '?', '#']).map_or(url.len(), |end| host + end);
    url.get(..length)
}
