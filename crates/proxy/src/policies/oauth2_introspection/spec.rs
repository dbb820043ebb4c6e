//! What a user writes, and what it compiles to.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use model::load::Spanned;
use model::resource::{Pairs, UpstreamProtocol};
use model::value::{ByteSize, Duration, OneOrMany};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Introspect;
use super::ask::Asks;
use crate::calls::{ClientSpec, Collapse, Remote, RemoteSpec};
use crate::policies::claims::{ConsumerSpec, Mapping, Written};
use crate::policies::jwt::{CacheSpec, Towards, authorization, places, scopes, subject};
use crate::policies::key_auth::places::PlaceSpec;
use crate::program::Compile;
use crate::tokens::rules::Rules;

/// The most bytes of an answer.
const MOST_ANSWER: usize = 64 << 10;
/// The most tokens that are asked for at a time.
const MOST_CALLS: usize = 1024;

/// Identifies the caller by a token that its issuer explains (OAuth 2.0 Token Introspection, RFC 7662), as opaque tokens
/// need it. A request without a token is left to other identifying policies; a token that is not active is refused, and
/// every token while the issuer cannot be asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OAuth2Introspection")]
pub(crate) struct Spec {
    /// The URL that explains tokens.
    url: Spanned<String>,
    /// Who asks.
    client: ClientSpec,
    /// How the issuer is asked.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    calls: RemoteSpec,
    /// Where a token is looked for, at most 16 places: the name of a header, or `{ query: NAME }`, `{ cookie: NAME }`. The
    /// header `authorization` is read as `Bearer TOKEN`; `{ bearer: NAME }` reads another header so.
    #[serde(default = "authorization")]
    #[schemars(extend("default" = ["authorization"]))]
    from: OneOrMany<PlaceSpec>,
    /// Whether the upstream sees the token.
    #[serde(default)]
    upstream: Towards,
    /// The most bytes of a token, at most 64 KiB.
    #[serde(default = "most_bytes")]
    max_bytes: Spanned<ByteSize>,
    /// The issuer that a token's `iss` must name, where the answer says one.
    issuer: Option<Spanned<String>>,
    /// Who tokens are for: one of these must be in `aud`.
    #[serde(default)]
    audience: OneOrMany<Spanned<String>>,
    /// Which consumer a token stands for; none when not given, so that the caller is known by the token alone.
    consumer: Option<ConsumerSpec>,
    /// The claim of the subject.
    #[serde(default = "subject")]
    subject: Spanned<String>,
    /// Claims with scopes, as text with spaces or as a list: the first that is there.
    #[serde(default = "scopes")]
    #[schemars(extend("default" = ["scope", "scp"]))]
    scopes: OneOrMany<Spanned<String>>,
    /// Claims with groups: the first that is there. They are added to those of the consumer.
    #[serde(default)]
    groups: OneOrMany<Spanned<String>>,
    /// Header fields for the upstream, each with the claim that fills it: `{ x-user: sub }`. What a client sends in these
    /// fields is taken out wherever this policy runs.
    #[serde(default)]
    headers: Pairs<Spanned<String>>,
    /// How long it is believed that a token is good, at most `1h`, and never beyond its `exp`. A token that is revoked is
    /// good for so long.
    #[serde(default = "good_for")]
    good_for: Spanned<Duration>,
    /// How long it is believed that a token is not good, at most `1h`.
    #[serde(default = "bad_for")]
    bad_for: Spanned<Duration>,
    /// Answers that are remembered.
    #[serde(default)]
    cache: CacheSpec,
    /// The realm of challenges; the name of the api (or listener) when not given.
    realm: Option<Spanned<String>>,
}

fn most_bytes() -> Spanned<ByteSize> {
    Spanned::from(ByteSize::kib(8))
}
fn good_for() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(60))
}
fn bad_for() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(10))
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Introspect> {
        let hour = Duration::from_secs(3600);
        for (time, name) in [(&self.good_for, "good_for"), (&self.bad_for, "bad_for")] {
            if **time > hour {
                cx.problem(time.span, "an answer is believed for at most `1h`", format!("mend `{name}`"));
            }
        }
        if self.max_bytes.get() > 64 << 10 {
            cx.problem(self.max_bytes.span, "a token has at most 64 KiB", "mend `max_bytes`");
        }
        let places = places(self.from, cx);
        let mapping = Mapping::compile(
            &Written {
                consumer: self.consumer.as_ref(),
                subject: &self.subject,
                scopes: &self.scopes,
                groups: &self.groups,
                headers: &self.headers,
            },
            cx,
        );
        let remote = Remote::compile(&self.url, &self.calls, UpstreamProtocol::Auto, MOST_ANSWER, cx);
        let client = self.client.compile(cx);
        let owner = cx.owner.names.first().cloned().unwrap_or_default();
        let realm = self.realm.unwrap_or_else(|| Spanned::from(owner));
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let missing = cx.header_value(&realm.clone().map(|_| format!("Bearer realm=\"{quoted}\"")));
        let invalid = cx.header_value(&realm.map(|_| {
            format!(
                "Bearer realm=\"{quoted}\", error=\"invalid_token\", error_description=\"The token is not active.\""
            )
        }));
        let client = client?;
        let mut fields = HeaderMap::new();
        fields.extend(client.authorization.map(|value| (AUTHORIZATION, value)));
        let asks = Asks { remote: remote?, fields, form: client.form, under_way: Collapse::new(MOST_CALLS) };
        let rules = Rules {
            issuer: self.issuer.map(|issuer| issuer.as_str().into()),
            audiences: self.audience.iter().map(|name| name.as_str().into()).collect(),
            ..Rules::default()
        };
        Some(Introspect {
            places: places?,
            asks: Arc::new(asks),
            mapping: mapping?,
            rules,
            upstream: self.upstream,
            most_bytes: self.max_bytes.as_usize(),
            good_for: self.good_for.get().as_secs(),
            bad_for: self.bad_for.get().as_secs(),
            cache: self.cache.make(),
            consumers: cx.consumers.clone(),
            missing: [missing?],
            invalid: invalid?,
        })
    }
}
