//! What a user writes, and what it compiles to.

use std::fmt::Write as _;

use model::load::{STAND_IN, Spanned};
use model::problem::Problem;
use model::resource::{Pairs, UpstreamProtocol};
use model::value::{ByteSize, Duration, OneOrMany, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::issuer::Issuer;
use super::nonce::NonceSpec;
use super::proof::Proofs;
use super::source::{Discovered, Fetched, MOST_BYTES, Source, Store, Way};
use super::{Verify, challenges};
use crate::calls::{Remote, RemoteSpec};
use crate::policies::claims::{ConsumerSpec, Mapping, Written};
use crate::policies::key_auth::places::{Place, PlaceSpec};
use crate::program::Compile;
use crate::tokens::algorithm::Algorithm;
use crate::tokens::cache::Cache;
use crate::tokens::key::{Key, Refused};
use crate::tokens::keys::Keys;
use crate::tokens::rules::Rules;

/// Identifies the caller by a signed token (JWT), such as an OAuth 2.0 access token of one of `issuers`. A request without
/// a token is left to other identifying policies; a token that is not good is refused.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Jwt")]
pub(crate) struct Spec {
    /// Who issues tokens, from 1 to 32. A token is its issuer's whose `issuer` is the token's `iss`.
    issuers: OneOrMany<IssuerSpec>,
    /// Where a token is looked for, at most 16 places: the name of a header, or `{ query: NAME }`, `{ cookie: NAME }`. The
    /// header `authorization` is read as `Bearer TOKEN` (or `DPoP TOKEN`); `{ bearer: NAME }` reads another header so.
    #[serde(default = "authorization")]
    #[schemars(extend("default" = ["authorization"]))]
    from: OneOrMany<PlaceSpec>,
    /// Whether the upstream sees the token.
    #[serde(default)]
    upstream: Towards,
    /// What becomes of a token that is no JWT, or of an issuer that is not listed.
    #[serde(default)]
    unknown: Unknown,
    /// The most bytes of a token, from 256 bytes to 64 KiB.
    #[serde(default = "most_bytes")]
    max_bytes: Spanned<ByteSize>,
    /// Which consumer a token stands for; none when not given, so that the caller is known by the token alone.
    consumer: Option<ConsumerSpec>,
    /// The claim of the subject. `a.b` is the member `b` of the claim `a`, unless a claim has the whole name.
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
    /// Whether tokens must be bound to a key (DPoP, RFC 9449) or a client certificate (RFC 8705).
    #[serde(default)]
    binding: Binding,
    /// Nonces that DPoP proofs must have (RFC 9449 section 8): one without is answered by 401 with `DPoP-Nonce`. None are
    /// asked for when not given.
    dpop_nonce: Option<NonceSpec>,
    /// Verified tokens that are remembered, so that each is verified once.
    #[serde(default)]
    cache: CacheSpec,
    /// The realm of challenges; the name of the api (or listener) when not given.
    realm: Option<Spanned<String>>,
}

/// Who issues tokens, where the keys are found, and which tokens are good. It has one of `keys`, `jwks_url` and
/// `discovery`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "JwtIssuer")]
pub(super) struct IssuerSpec {
    /// The issuer as tokens name it in `iss`. With `discovery` it is that URL when not given; without a name the issuer's
    /// tokens are those that no other issuer takes, whatever `iss` says.
    issuer: Option<Spanned<String>>,
    /// Its keys.
    #[serde(default)]
    keys: OneOrMany<KeySpec>,
    /// The URL of its keys (a JWK set).
    jwks_url: Option<Spanned<String>>,
    /// Its own URL: the document at `/.well-known/openid-configuration` below it says where the keys are. A URL that holds
    /// `/.well-known/` is taken as it is.
    discovery: Option<Spanned<String>>,
    /// Who signs, instead of keys.
    signed_by: Option<SignedBy>,
    /// Who tokens are for: one of these must be in `aud`. Without it tokens for anybody are taken.
    #[serde(default)]
    audience: OneOrMany<Spanned<String>>,
    /// The algorithms that are taken; those of the keys when not given.
    #[serde(default)]
    algorithms: OneOrMany<Algorithm>,
    /// Kinds of token (`typ`) that are taken. Not given, it is `JWT` or `at+jwt`, or none said.
    #[serde(default)]
    types: OneOrMany<Spanned<String>>,
    /// Claims that a token must have.
    #[serde(default = "required")]
    #[schemars(extend("default" = ["exp"]))]
    required: OneOrMany<Spanned<String>>,
    /// How far the issuer's clock may be off, at most `10m`.
    #[serde(default = "leeway")]
    leeway: Spanned<Duration>,
    /// How old a token may become by `iat`, whatever its `exp` says.
    max_age: Option<Spanned<Duration>>,
    /// How old keys become before they are fetched again in the background, from `1s` to `1d`.
    #[serde(default = "refresh")]
    refresh: Spanned<Duration>,
    /// How soon keys may be fetched again for a token with a `kid` that is not among them, from `1s` on.
    #[serde(default = "unknown_refresh")]
    unknown_refresh: Spanned<Duration>,
    /// How the issuer is asked.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    calls: RemoteSpec,
}

/// Who signs tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "JwtSignedBy")]
pub(super) enum SignedBy {
    /// This gateway, by an `oauth_server` with the same `issuer`.
    Gateway,
}

/// A key that tokens are signed with: one of `jwk`, `pem` and `secret`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "JwtKey")]
pub(super) struct KeySpec {
    /// A JSON Web Key, as a map or as text.
    jwk: Option<Spanned<Secret<Value>>>,
    /// A public key or a certificate in PEM. Best `${file:issuer.pem}`.
    pem: Option<Spanned<String>>,
    /// A shared secret, at least as long as the hash: 32 bytes for HS256. Best `${env:NAME}`.
    secret: Option<Spanned<Secret<String>>>,
    /// Its name, as `kid` of tokens has it.
    id: Option<String>,
    /// The algorithm; `HS256` for a secret, and that of the key's own kind, when not given.
    algorithm: Option<Algorithm>,
}

/// Whether the upstream sees the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TokenTowardsUpstream")]
pub(crate) enum Towards {
    /// The token is taken out of the request.
    #[default]
    Hide,
    /// The request goes on as it came.
    Keep,
}

/// What becomes of a token that is no JWT, or of an issuer that is not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UnknownTokens")]
pub(super) enum Unknown {
    /// The request is refused.
    #[default]
    Refuse,
    /// It is as if there were none: another identifying policy may know it.
    Skip,
}

/// Whether tokens must be bound to who shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TokenBinding")]
pub(super) enum Binding {
    /// A token that says so (`cnf`) is only good with its key or certificate; others are good for whoever has them.
    #[default]
    AsIssued,
    /// Only tokens that are bound are good.
    Required,
}

/// Verified tokens that are remembered.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TokenCache")]
pub(crate) struct CacheSpec {
    /// How many, at most; 0 remembers none.
    pub(crate) tokens: u32,
    /// How many bytes of tokens, at most.
    pub(crate) bytes: ByteSize,
}

impl Default for CacheSpec {
    fn default() -> Self {
        Self { tokens: 10_000, bytes: ByteSize::mib(16) }
    }
}

impl CacheSpec {
    /// The cache.
    pub(crate) fn make<T>(&self) -> Cache<T> {
        Cache::new((self.tokens as usize).min(1 << 20), self.bytes.as_usize())
    }
}

pub(crate) fn authorization() -> OneOrMany<PlaceSpec> {
    PlaceSpec::header("authorization").into()
}
fn most_bytes() -> Spanned<ByteSize> {
    Spanned::from(ByteSize::kib(8))
}
pub(crate) fn subject() -> Spanned<String> {
    Spanned::from("sub".to_owned())
}
pub(crate) fn scopes() -> OneOrMany<Spanned<String>> {
    ["scope", "scp"].map(|name| Spanned::from(name.to_owned())).into_iter().collect()
}
fn required() -> OneOrMany<Spanned<String>> {
    Spanned::from("exp".to_owned()).into()
}
fn leeway() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(30))
}
fn refresh() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(600))
}
fn unknown_refresh() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(10))
}

/// The places that tokens are looked for.
pub(crate) fn places(from: OneOrMany<PlaceSpec>, cx: &mut Compile<'_>) -> Option<Box<[Place]>> {
    const MOST: usize = 16;
    if from.is_empty() || from.len() > MOST {
        let message = format!("`from` has {} places, not from 1 to {MOST}", from.len());
        cx.problem(cx.span, message, "leave it out for `Authorization: Bearer`");
        return None;
    }
    let written = from.len();
    let places: Box<[Place]> = from.into_iter().filter_map(|place| place.compile(cx)).collect();
    (places.len() == written).then_some(places)
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Verify> {
        const MOST_ISSUERS: usize = 32;
        if self.issuers.is_empty() || self.issuers.len() > MOST_ISSUERS {
            let message = format!("`issuers` has {} entries, not from 1 to {MOST_ISSUERS}", self.issuers.len());
            cx.problem(cx.span, message, "name who issues tokens");
            return None;
        }
        if !(256..=64 << 10).contains(&self.max_bytes.get()) {
            cx.problem(self.max_bytes.span, "a token has at most from 256 bytes to 64 KiB", "mend `max_bytes`");
        }
        cx.sensitive("dpop");
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
        let owner = cx.owner.names.first().cloned().unwrap_or_default();
        let challenges = challenges(&self.realm.unwrap_or_else(|| Spanned::from(owner)), self.binding, cx);
        let written = self.issuers.len();
        let issuers: Vec<Issuer> = self.issuers.into_iter().filter_map(|issuer| issuer.compile(cx)).collect();
        for (at, issuer) in issuers.iter().enumerate() {
            if issuers.iter().take(at).any(|other| other.rules.issuer == issuer.rules.issuer) {
                let name = issuer.rules.issuer.as_deref().unwrap_or("without a name");
                cx.problem(cx.span, format!("two issuers are `{name}`"), "join them");
            }
        }
        let nonces = match self.dpop_nonce {
            None => None,
            Some(nonces) => Some(nonces.compile(cx)?),
        };
        let proofs = Proofs::new(cx.keep("proofs", Default::default), nonces);
        let consumers = cx.consumers.clone();
        (issuers.len() == written).then_some(())?;
        Some(Verify {
            places: places?,
            issuers: issuers.into(),
            mapping: mapping?,
            upstream: self.upstream,
            unknown: self.unknown,
            binding: self.binding,
            most_bytes: self.max_bytes.as_usize(),
            cache: self.cache.make(),
            proofs,
            consumers,
            challenges: challenges?,
        })
    }
}

impl IssuerSpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<Issuer> {
        let issuer = self.issuer.clone().or_else(|| {
            let url = self.discovery.as_ref()?;
            Some(url.clone().map(|url| url.split("/.well-known/").next().unwrap_or_default().to_owned()))
        });
        let most = Duration::from_secs(600);
        if *self.leeway > most {
            cx.problem(self.leeway.span, "clocks are not off by more than `10m`", "mend `leeway`");
        }
        let day = Duration::from_secs(86_400);
        if self.refresh.as_millis() < 1000 || *self.refresh > day {
            cx.problem(self.refresh.span, "keys are fetched again after `1s` to `1d`", "mend `refresh`");
        }
        if self.unknown_refresh.as_millis() < 1000 {
            cx.problem(self.unknown_refresh.span, "keys are fetched at most once a second", "mend `unknown_refresh`");
        }
        let rules = self.rules(issuer.as_ref());
        let source = self.source(issuer.as_ref(), cx)?;
        Some(Issuer { source, rules })
    }

    fn rules(&self, issuer: Option<&Spanned<String>>) -> Rules {
        let all = |names: &OneOrMany<Spanned<String>>| names.iter().map(|name| name.as_str().into()).collect();
        let kind = |name: &Spanned<String>| {
            let name = name.to_ascii_lowercase();
            name.strip_prefix("application/").unwrap_or(&name).into()
        };
        Rules {
            issuer: issuer.map(|issuer| issuer.as_str().into()),
            audiences: all(&self.audience),
            kinds: self.types.iter().map(kind).collect(),
            required: all(&self.required),
            leeway: self.leeway.get().as_secs(),
            max_age: self.max_age.as_ref().map(|age| age.get().as_secs()),
        }
    }

    fn source(self, issuer: Option<&Spanned<String>>, cx: &mut Compile<'_>) -> Option<Source> {
        let at = issuer.map(|issuer| issuer.span).unwrap_or_default();
        if self.signed_by == Some(SignedBy::Gateway) {
            let others = self.jwks_url.is_some() || self.discovery.is_some() || !self.keys.is_empty();
            let Some(issuer) = issuer.filter(|_| !others) else {
                let message = "`signed_by: gateway` goes with an `issuer`, and with no other keys";
                cx.problem(at, message, "give the `issuer` of the `oauth_server`");
                return None;
            };
            let own = cx.own_issuer(issuer);
            return Some(Source::Own(own));
        }
        let url = match (&self.jwks_url, &self.discovery) {
            (None, None) if self.keys.is_empty() => {
                cx.problem(at, "the issuer has no keys", "give `keys`, `jwks_url` or `discovery`");
                return None;
            }
            (None, None) => return self.fixed(cx),
            (Some(url), None) | (None, Some(url)) if self.keys.is_empty() => url.clone(),
            _ => {
                let message = "an issuer has one of `keys`, `jwks_url` and `discovery`";
                cx.problem(at, message, "take the others out, or write two issuers");
                return None;
            }
        };
        if self.audience.is_empty() {
            let message = "without `audience` every token of the issuer is good here, also those for others";
            let problem = Problem::warning("config.audience", url.span, message).path(cx.path().to_owned());
            cx.problems().push(problem.help("name this api in `audience`"));
        }
        self.fetched(&url, issuer, cx)
    }

    fn fixed(self, cx: &mut Compile<'_>) -> Option<Source> {
        let written = self.keys.len();
        let mut keys = Vec::with_capacity(written);
        for key in self.keys {
            let Some((made, span)) = key.compile(cx) else { continue };
            let narrowed = made.and_then(|mut key| {
                if !self.algorithms.is_empty() {
                    key.narrow(&self.algorithms);
                }
                let left = key.algorithms().next().is_some();
                if left { Ok(key) } else { Err("`algorithms` leaves the key nothing to verify".to_owned()) }
            });
            match narrowed {
                Ok(key) => keys.push(key),
                Err(why) => cx.problem(span, why, "give a key that tokens of this issuer are signed with"),
            }
        }
        match Keys::new(keys) {
            Ok(keys) if keys.len() == written => Some(Source::fixed(keys)),
            Ok(_) => None,
            Err(why) => {
                cx.problem(cx.span, why, "take old ones out");
                None
            }
        }
    }

    fn fetched(self, url: &Spanned<String>, issuer: Option<&Spanned<String>>, cx: &mut Compile<'_>) -> Option<Source> {
        if let Some(secret) = self.algorithms.iter().find(|algorithm| algorithm.is_symmetric()) {
            let message = format!("{} needs a secret, and keys of a URL are public", secret.as_str());
            cx.problem(url.span, message, "take it out of `algorithms`");
            return None;
        }
        let algorithms: Vec<Algorithm> = self.algorithms.into_vec();
        let mut state = format!("{:?}|{algorithms:?}", self.calls.tls);
        let way = if self.discovery.is_some() {
            let issuer = issuer?.as_str();
            let document = document_url(url);
            let _ = write!(state, "|{issuer}");
            let document = Remote::compile(&document, &self.calls, UpstreamProtocol::Auto, MOST_BYTES, cx)?;
            Way::Discovered(Box::new(Discovered { document, issuer: issuer.into(), env: cx.env.clone() }))
        } else {
            Way::Direct(Remote::compile(url, &self.calls, UpstreamProtocol::Auto, MOST_BYTES, cx)?)
        };
        let store = cx.keep.get(&format!("jwks|{}|{state}", **url), Store::default);
        let fetched = std::sync::Arc::new(Fetched {
            way,
            store,
            clock: cx.clock.clone(),
            algorithms,
            refresh: self.refresh.get(),
            unknown_refresh: self.unknown_refresh.get(),
        });
        Some(Source::asked_early(fetched, cx))
    }
}

/// The URL of an issuer's discovery document.
pub(crate) fn document_url(url: &Spanned<String>) -> Spanned<String> {
    url.clone().map(|url| match url.contains("/.well-known/") {
        true => url,
        false => format!("{}/.well-known/openid-configuration", url.trim_end_matches('/')),
    })
}

type Made = (Result<Key, Refused>, model::load::Span);

impl KeySpec {
    /// The key, or why it is none; nothing where that has been said, or cannot be known.
    fn compile(self, cx: &mut Compile<'_>) -> Option<Made> {
        let id = self.id.as_deref();
        match (self.jwk, self.pem, self.secret) {
            (Some(jwk), None, None) => {
                let span = jwk.span;
                let made = match jwk.into_inner().into_inner() {
                    Value::String(text) if text.contains(STAND_IN) => stand_in(),
                    written => jwk_of(written).and_then(|jwk| Key::jwk(&named(jwk, &self.id))),
                };
                Some((made, span))
            }
            (None, Some(pem), None) if pem.contains(STAND_IN) => Some((stand_in(), pem.span)),
            (None, Some(pem), None) => Some((Key::pem(pem.as_bytes(), self.algorithm, id), pem.span)),
            (None, None, Some(secret)) if secret.expose().contains(STAND_IN) => Some((stand_in(), secret.span)),
            (None, None, Some(secret)) => {
                let algorithm = self.algorithm.unwrap_or(Algorithm::HS256);
                Some((Key::secret(secret.expose().as_bytes(), algorithm, id), secret.span))
            }
            _ => {
                cx.problem(cx.span, "a key is one of `jwk`, `pem` and `secret`", "give one of them");
                None
            }
        }
    }
}

/// A key in the place of one that is not there when checking offline. Nobody has it.
fn stand_in() -> Result<Key, Refused> {
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| "no random numbers".to_owned())?;
    Key::secret(&secret, Algorithm::HS256, None)
}

fn jwk_of(written: Value) -> Result<Map<String, Value>, Refused> {
    match written {
        Value::Object(jwk) => Ok(jwk),
        Value::String(text) => {
            crate::tokens::json::object(text.as_bytes()).ok_or_else(|| "it is not a JSON object".to_owned())
        }
        _ => Err("a JWK is a map, or JSON".to_owned()),
    }
}

fn named(mut jwk: Map<String, Value>, id: &Option<String>) -> Map<String, Value> {
    if let Some(id) = id {
        jwk.insert("kid".to_owned(), id.as_str().into());
    }
    jwk
}
