//! What a user writes, and what it compiles to.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use model::load::Spanned;
use model::resource::{Switch, UpstreamProtocol};
use model::value::{ByteSize, Duration, OneOrMany, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ask::Asks;
use super::input::{Claims, Input};
use super::{DENIED, Judge, Remembered};
use crate::calls::{Collapse, Remote, RemoteSpec};
use crate::policies::denial::{Denial, Mode, Tell};
use crate::policies::ext_auth::names;
use crate::program::Compile;
use crate::terminals::may_set;
use crate::tokens::cache::Cache;

/// The most bytes of an answer.
const MOST_ANSWER: usize = 256 << 10;
/// The most different questions at a time.
const MOST_CALLS: usize = 1024;

/// Asks Open Policy Agent (OPA) whether a request may pass, by `POST /v1/data/DECISION`. The result is a boolean, or an object
/// of `allow`, `reason`, `status` and `headers`; one that is undefined denies. The input has the shape that policies for
/// Envoy know (`input.attributes.request.http`, `input.parsed_path`, `input.parsed_query`), and beside that `input.auth`,
/// `input.route` and `input.client`. Where several levels have such a policy, each must let the request pass.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Opa")]
pub(crate) struct Spec {
    /// The server, such as `http://127.0.0.1:8181`.
    url: Spanned<String>,
    /// The path of the decision: packages and rule, such as `httpapi/authz/allow`.
    decision: Spanned<String>,
    /// The token that the server asks for (`--authentication=token`). Best `${env:NAME}`.
    token: Option<Spanned<Secret<String>>>,
    /// What it sees of the request. Bodies are not sent.
    #[serde(default)]
    #[schemars(extend("default" = { "headers": [], "claims": "*", "query": "on" }))]
    input: InputSpec,
    /// Header fields of its decision (`headers`) that the upstream gets. What a client sends in these is taken out.
    #[serde(default)]
    upstream: OneOrMany<Spanned<String>>,
    /// Decisions that are remembered, each under exactly what was sent; none when not given.
    cache: Option<CacheSpec>,
    /// What becomes of a request when there is no decision.
    #[serde(default)]
    pub(super) on_error: OnError,
    /// Whether it denies.
    #[serde(default)]
    mode: Mode,
    /// Who is told the `reason` of its decision.
    #[serde(default)]
    tell: Tell,
    /// How long it may take, and TLS towards it.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    calls: RemoteSpec,
}

/// What OPA sees of a request beside its method, host, path, route and caller.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OpaInput")]
struct InputSpec {
    /// Header fields; `x-*` is every field that begins so, `*` all.
    headers: OneOrMany<Spanned<String>>,
    /// Claims of the caller's credential; `*` is all.
    claims: OneOrMany<Spanned<String>>,
    /// Whether it sees the query.
    query: Switch,
}

impl Default for InputSpec {
    fn default() -> Self {
        let claims = Spanned::from("*".to_owned()).into();
        Self { headers: OneOrMany::default(), claims, query: Switch::On }
    }
}

/// Decisions that are remembered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OpaCache")]
struct CacheSpec {
    /// How long a decision is believed, at most `1h`.
    ttl: Spanned<Duration>,
    /// How many, at most 1000000.
    #[serde(default = "entries")]
    entries: Spanned<u32>,
    /// How many bytes of what was sent, at most.
    #[serde(default = "bytes")]
    bytes: ByteSize,
}

fn entries() -> Spanned<u32> {
    Spanned::from(10_000)
}
fn bytes() -> ByteSize {
    ByteSize::mib(16)
}

/// What becomes of a request when there is no decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OpaOnError")]
pub(super) enum OnError {
    /// It is refused with 503.
    #[default]
    Deny,
    /// It passes.
    Allow,
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Judge> {
        let remote = self.remote(cx);
        let input = self.input.compile(cx);
        let upstream: Vec<Option<HeaderName>> = self
            .upstream
            .iter()
            .map(|name| cx.header_name(name).filter(|header| may_set(header, name.span, cx)))
            .collect();
        let remembered = match &self.cache {
            None => Some(None),
            Some(cache) => cache.compile(cx).map(Some),
        };
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok().or_else(|| {
                cx.problem(token.span, "a token has no control characters", "mend it");
                None
            })?;
            value.set_sensitive(true);
            fields.insert(AUTHORIZATION, value);
        }
        let denial = Denial::new(&DENIED, self.tell, self.mode, cx);
        let tally = denial.tally("", cx);
        let asks = Asks { remote: remote?, fields, under_way: Collapse::new(MOST_CALLS) };
        Some(Judge {
            asks: Arc::new(asks),
            input: input?,
            remembered: remembered?,
            upstream: upstream.into_iter().collect::<Option<_>>()?,
            on_error: self.on_error,
            denial,
            tally,
        })
    }

    fn remote(&self, cx: &mut Compile<'_>) -> Option<Remote> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        };
        if !self.decision.split('/').all(part) || self.decision.len() > 1024 {
            let message = format!("`{}` is not the path of a decision", *self.decision);
            cx.problem(self.decision.span, message, "write packages and rule with `/` between: `httpapi/authz/allow`");
            return None;
        }
        if self.url.contains('?') {
            cx.problem(self.url.span, "the server's URL has a query", "write `http://HOST:8181`");
            return None;
        }
        let url = self.url.clone().map(|url| format!("{}/v1/data/{}", url.trim_end_matches('/'), *self.decision));
        Remote::compile(&url, &self.calls, UpstreamProtocol::Auto, MOST_ANSWER, cx)
    }
}

impl InputSpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<Input> {
        let claims = if self.claims.iter().any(|claim| **claim == "*") {
            Claims::All
        } else {
            Claims::Named(self.claims.iter().map(|claim| claim.as_str().into()).collect())
        };
        Some(Input { headers: names(self.headers, cx)?, claims, query: self.query == Switch::On })
    }
}

impl CacheSpec {
    fn compile(&self, cx: &mut Compile<'_>) -> Option<Remembered> {
        if *self.ttl > Duration::from_secs(3600) {
            cx.problem(self.ttl.span, "a decision is believed for at most `1h`", "mend `ttl`");
            return None;
        }
        if *self.entries > 1_000_000 {
            cx.problem(self.entries.span, "at most 1000000 decisions are remembered", "mend `entries`");
            return None;
        }
        let cache = Cache::new(*self.entries as usize, self.bytes.as_usize());
        Some(Remembered { cache, ttl: self.ttl.get() })
    }
}
