//! Who calls, as a token that the gateway signs: an upstream that others can reach too believes it by its signature.
//!
//! A token is signed once for what it says and used again for half of its life, so that a hot caller costs a look-up.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use model::load::Spanned;
use model::resource::Pairs;
use model::value::{Duration, OneOrMany};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::{Exchange, Identity};
use crate::expr::{Expr, Scope};
use crate::policies::text::TextSpec;
use crate::program::Compile;
use crate::terminals::may_set;
use crate::tokens::cache::Cache;
use crate::tokens::issue::{MOST_IDENTITY_LIFE, OwnIssuer, token_id};

/// Its kind (`typ`): no access token, so that nobody can show it to an api as one (RFC 8725 section 3.11).
pub(super) const KIND: &str = "identity+jwt";
/// Signed tokens that are remembered, and their bytes.
const MOST_KNOWN: (usize, usize) = (10_000, 16 << 20);
/// The most claims that are chosen.
const MOST_CLAIMS: usize = 64;
/// Claims that are the gateway's own.
const OWN: [&str; 14] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "consumer",
    "groups",
    "scope",
    "plan",
    "credential",
    "method",
];

/// A token (JWT) that tells who calls, signed by the gateway.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IdentityToken")]
pub(crate) struct Spec {
    /// The header field it goes in. What a client sends there is taken out.
    #[serde(default = "header")]
    header: Spanned<String>,
    /// The issuer's name: that of a terminal `jwks` (or `oauth_server`) of this gateway, which has the keys.
    issuer: Spanned<String>,
    /// Whom it is for (`aud`): the upstream, as it calls itself.
    audience: OneOrMany<Spanned<String>>,
    /// How long it is good, from `10s` to `1h`. It is used again for half of that.
    #[serde(default = "lifetime")]
    lifetime: Spanned<Duration>,
    /// Claims of the caller's own token that are carried over as they are.
    #[serde(default)]
    claims: OneOrMany<Spanned<String>>,
    /// More claims with a text or an expression each, such as `{ tenant: { cel: auth.consumer.metadata.tenant } }`.
    #[serde(default)]
    more: Pairs<TextSpec>,
}

fn header() -> Spanned<String> {
    Spanned::from("x-tollgate-identity".to_owned())
}
fn lifetime() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(300))
}

/// What signs.
pub(super) struct Signer {
    pub(super) header: HeaderName,
    own: Arc<OwnIssuer>,
    issuer: Box<str>,
    audience: Value,
    /// Seconds.
    life: u64,
    claims: Box<[Box<str>]>,
    more: Box<[(Box<str>, Expr)]>,
    known: Arc<Cache<Signed>>,
}

/// A token that was signed.
struct Signed {
    value: HeaderValue,
    /// From when on another one is signed, in seconds since 1970.
    renew: u64,
    /// Which of the keys that the user gave were those.
    given: u64,
}

/// What a token says of a caller, without its times.
#[derive(Serialize)]
struct Says<'x> {
    iss: &'x str,
    sub: &'x str,
    aud: &'x Value,
    method: &'x str,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'x str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<&'x str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'x str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'x str>,
    #[serde(flatten)]
    more: BTreeMap<&'x str, Value>,
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Signer> {
        let header = cx.header_name(&self.header).filter(|name| may_set(name, self.header.span, cx));
        let life = self.lifetime.get().as_secs();
        if !(10..=MOST_IDENTITY_LIFE).contains(&life) {
            cx.problem(self.lifetime.span, "a token for an upstream lives from `10s` to `1h`", "mend `lifetime`");
        }
        if self.audience.is_empty() {
            cx.problem(cx.span, "`audience` names nobody", "name the upstream as it calls itself");
        }
        if self.claims.len() + self.more.len() > MOST_CLAIMS {
            cx.problem(cx.span, format!("more than {MOST_CLAIMS} claims"), "choose fewer");
        }
        let names = self.claims.iter().chain(self.more.iter().map(|(name, _)| name));
        for (at, name) in names.clone().enumerate() {
            if OWN.contains(&name.as_str()) {
                cx.problem(name.span, format!("the claim `{}` is the gateway's own", **name), "choose another name");
            } else if name.is_empty() || names.clone().take(at).any(|other| **other == **name) {
                cx.problem(name.span, format!("the claim `{}` stands twice, or has no name", **name), "take it out");
            }
        }
        let more = self.more.iter().map(|(name, value)| {
            let expr = match value {
                TextSpec::Cel(text) => cx.expr(text, Scope::Request),
                TextSpec::Literal(text) => {
                    let quoted = Spanned::new(Value::from(text.as_str()).to_string(), text.span);
                    cx.expr(&quoted, Scope::Request)
                }
            };
            expr.map(|expr| (name.as_str().into(), expr))
        });
        let more = more.collect::<Vec<_>>().into_iter().collect::<Option<_>>();
        let own = cx.own_issuer(&self.issuer);
        let audience = match &*self.audience {
            [one] => Value::from(one.as_str()),
            several => several.iter().map(|one| one.as_str()).collect(),
        };
        Some(Signer {
            header: header?,
            own,
            issuer: self.issuer.as_str().into(),
            audience,
            life,
            claims: self.claims.iter().map(|name| name.as_str().into()).collect(),
            more: more?,
            known: cx.keep("jwt", || Cache::new(MOST_KNOWN.0, MOST_KNOWN.1)),
        })
    }
}

impl Signer {
    /// The token of the exchange's caller.
    pub(super) fn token(&self, x: &Exchange, identity: &Identity) -> Option<HeaderValue> {
        let now = x.local.program.clock.wall_at(x.record.started).as_secs();
        let says = serde_json::to_vec(&self.says(x, identity)).ok()?;
        let given = self.own.given();
        if let Some(signed) = self.known.get(&says).filter(|signed| now < signed.renew && signed.given == given) {
            return Some(signed.value.clone());
        }
        let mut claims = says.clone();
        claims.pop();
        let times = (now, now + self.life, token_id()?);
        claims.extend_from_slice(
            format!(",\"iat\":{},\"exp\":{},\"jti\":\"{}\"}}", times.0, times.1, times.2).as_bytes(),
        );
        let mut value = HeaderValue::try_from(self.own.sign(KIND, &claims, now)?).ok()?;
        value.set_sensitive(true);
        let renew = now + self.life / 2;
        self.known.put(&says, Arc::new(Signed { value: value.clone(), renew, given }));
        Some(value)
    }

    fn says<'x>(&'x self, x: &'x Exchange, identity: &'x Identity) -> Says<'x> {
        let program = &x.local.program;
        let consumer = identity.consumer.and_then(|slot| program.consumers.get(slot));
        let learnt = identity.learnt.as_deref();
        let mut groups: Vec<&str> =
            consumer.into_iter().flat_map(|known| known.groups.iter()).map(|one| &**one).collect();
        for group in learnt.into_iter().flat_map(|learnt| &learnt.groups) {
            if !groups.contains(&&**group) {
                groups.push(group);
            }
        }
        let mut more = BTreeMap::new();
        for name in &self.claims {
            if let Some(value) = learnt.and_then(|learnt| learnt.claims.get(&**name)) {
                more.insert(&**name, value.clone());
            }
        }
        for (name, expr) in &self.more {
            if let Some(text) = expr.text(x).filter(|text| !text.is_empty()) {
                more.insert(&**name, Value::from(text.into_owned()));
            }
        }
        let name = consumer.map(|consumer| &*consumer.name);
        let plan = identity.plan.and_then(|plan| program.snapshot.plans.get(plan as usize));
        Says {
            iss: &self.issuer,
            sub: learnt.and_then(|learnt| learnt.subject.as_deref()).or(name).unwrap_or_default(),
            aud: &self.audience,
            method: identity.method,
            consumer: name,
            groups,
            scope: learnt.map(|learnt| scopes(&learnt.scopes)).filter(|scopes| !scopes.is_empty()),
            plan: plan.map(|plan| plan.name.as_str()),
            credential: identity.credential.as_deref(),
            more,
        }
    }
}

/// Scopes as one text. One must not read as two, whoever named it.
fn scopes(known: &[Box<str>]) -> String {
    let whole: Vec<&str> = known.iter().map(|scope| &**scope).filter(|scope| !scope.contains(' ')).collect();
    whole.join(" ")
}
