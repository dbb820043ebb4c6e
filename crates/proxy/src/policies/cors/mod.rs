//! Lets pages of other origins call (the Fetch standard, section 3.3 "CORS protocol").
//!
//! A preflight is answered here, before anyone is asked for credentials, as browsers send none with it; the pipeline has
//! matched it as the request that it asks for. On every other answer, refusals included, the fields that let the page
//! read it are this policy's alone: what an upstream says of them is replaced.

pub(crate) mod origin;

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN,
};
use http::{HeaderMap, Method, StatusCode, request};
use model::load::Spanned;
use model::value::{Duration, OneOrMany};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::origin::{OriginSpec, Origins};
use crate::exchange::{Blame, Body, Code, Error, Exchange, response_head};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict, vary};
use crate::program::{Compile, RoutePlan};

#[cfg(test)]
mod tests;

/// Lets pages of other origins call.
pub(crate) struct Cors;

/// Lets pages of other origins call (CORS). Preflights are answered by the gateway, before callers are asked who they are,
/// and are matched to the route of the method that they ask for; with `when`, only where a route takes `OPTIONS`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Who may call: origins as browsers send them (`https://app.example.com`), with `*` in place of the first labels of a
    /// host (`https://*.example.com`), `{ regex: … }` over the whole origin, or `*` for every origin.
    origins: OneOrMany<OriginSpec>,
    /// Methods that may be asked for; none means every one that a route takes.
    #[serde(default)]
    methods: Vec<Spanned<String>>,
    /// Request headers that may be sent; none means every one that is asked for.
    #[serde(default)]
    headers: Vec<Spanned<String>>,
    /// Response headers that the page may read, beside those that it always may.
    #[serde(default)]
    expose: Vec<Spanned<String>>,
    /// Whether cookies and other credentials of the browser may go along. Not with `origins: "*"`.
    #[serde(default)]
    credentials: Consent,
    /// How long a browser may remember the answer to a preflight, up to `24h`.
    #[serde(default = "ten_minutes")]
    max_age: Spanned<Duration>,
    /// Whether a page from the internet may call this gateway in a private network.
    #[serde(default)]
    private_network: Consent,
}

fn ten_minutes() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(600))
}

/// Whether it is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CorsConsent")]
enum Consent {
    /// It is.
    Allow,
    /// It is not.
    #[default]
    Deny,
}

static ORIGIN_DENIED: Code =
    Code { name: "cors.origin_denied", status: 403, title: "Origin denied", blame: Blame::Client, proxy_status: None };

static ASK_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
static ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const ANY: HeaderValue = HeaderValue::from_static("*");

impl Policy for Cors {
    type Spec = Spec;
    const KIND: &'static str = "cors";
    const ORDER: (Stage, u8) = (Stage::Admit, 10);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&ORIGIN_DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let origins = Origins::compile(&spec.origins, spec.credentials == Consent::Allow, cx);
        if spec.max_age.as_millis() > 86_400_000 {
            cx.problem(spec.max_age.span, format!("`{}` is over 24h", *spec.max_age), "give at most `24h`");
        }
        for method in spec.methods.iter().filter(|method| Method::from_bytes(method.as_bytes()).is_err()) {
            cx.problem(method.span, format!("`{}` is not a method", **method), "write one such as `GET`");
        }
        for name in spec.headers.iter().chain(&spec.expose) {
            cx.header_name(name);
        }
        let joined = |names: &[Spanned<String>]| {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            HeaderValue::try_from(names.join(", ")).ok().filter(|_| !names.is_empty())
        };
        Some(Arc::new(Sharing {
            origins: origins?,
            methods: joined(&spec.methods),
            headers: joined(&spec.headers),
            expose: joined(&spec.expose),
            credentials: spec.credentials,
            max_age: HeaderValue::from(spec.max_age.as_millis() / 1000),
            private_network: spec.private_network,
        }))
    }
}

/// The method that a preflight asks for.
pub(crate) fn asked_method(request: &request::Parts) -> Option<Method> {
    if request.method != Method::OPTIONS || !request.headers.contains_key(ORIGIN) {
        return None;
    }
    Method::from_bytes(request.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// Whether a route answers preflights itself, whatever its methods.
pub(crate) fn answers_preflights(plan: &RoutePlan) -> bool {
    plan.steps.iter().any(|planned| planned.kind == Cors::KIND && planned.when.is_none())
}

struct Sharing {
    origins: Origins,
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: Consent,
    max_age: HeaderValue,
    private_network: Consent,
}

impl Step for Sharing {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let allowed = x
            .request
            .headers
            .get(ORIGIN)
            .filter(|origin| self.origins.allow(origin))
            .map(|origin| if self.origins.is_any() { ANY } else { origin.clone() });
        let refused = allowed.is_none();
        x.notes.cors_origin = allowed;
        let Some(method) = asked_method(&x.request) else { return Verdict::NEXT };
        if refused {
            return Verdict::fail(Error::new(&ORIGIN_DENIED, "Pages of this origin may not call here."));
        }
        let mut head = response_head(StatusCode::NO_CONTENT);
        self.preflight(&x.request.headers, &method, &mut head.headers);
        Verdict::reply(head, Body::Empty)
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(response) = &mut x.response else { return Verdict::NEXT };
        let headers = &mut response.headers;
        for own in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS] {
            headers.remove(own);
        }
        if !self.origins.is_any() {
            vary::add(headers, "origin");
        }
        let Some(origin) = &x.notes.cors_origin else { return Verdict::NEXT };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials == Consent::Allow {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if let Some(expose) = &self.expose {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        Verdict::NEXT
    }
}

impl Sharing {
    /// The answer to a preflight of an allowed origin. What it asks for beyond the lists it does not find there, which the
    /// browser tells the page's author.
    fn preflight(&self, asked: &HeaderMap, method: &Method, headers: &mut HeaderMap) {
        let methods = self.methods.clone().or_else(|| HeaderValue::from_str(method.as_str()).ok());
        let names =
            self.headers.clone().or_else(|| asked.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|v| is_list(v)).cloned());
        for (name, value) in [(ACCESS_CONTROL_ALLOW_METHODS, methods), (ACCESS_CONTROL_ALLOW_HEADERS, names)] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if self.private_network == Consent::Allow && asked.get(&ASK_PRIVATE).is_some_and(|asked| asked == "true") {
            headers.insert(ALLOW_PRIVATE.clone(), TRUE);
        }
        vary::add(headers, "access-control-request-method");
        vary::add(headers, "access-control-request-headers");
    }
}

/// Whether a value is a list of header names, so that it may be given back.
fn is_list(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b", !#$%&'*+-.^_`|~".contains(byte))
}
