//! An OAuth 2.1 authorization server in small, for machines: a consumer trades its key for a short-lived signed token.
//!
//! The client's id is the consumer's name and its secret one of the consumer's API keys, so that keys rotate, expire and are
//! revoked as ever, and nothing else has to be kept.

mod answer;
mod grant;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::Method;
use http_body_util::BodyExt;
use model::load::Spanned;
use model::value::{Duration, OneOrMany, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use self::answer::Refused;
use self::grant::Given;
use super::issuer_keys::{self, Written, is_issuer};
use super::{Answer, TerminalKind, no_route};
use crate::exchange::{Error, Exchange, Outgoing};
use crate::policies::{Outcome, Verdict};
use crate::program::Compile;
use crate::tokens::issue::{MOST_IDENTITY_LIFE, OwnIssuer};

#[cfg(test)]
mod tests;

/// Issues tokens to consumers.
pub(crate) struct OAuthServer;

/// Issues tokens: an OAuth 2.1 authorization server for machines. Below the route's path it answers `POST …/token`
/// (`client_credentials`, and `refresh_token` where chosen), `POST …/revoke` (RFC 7009), `GET …/jwks` and
/// `GET …/.well-known/oauth-authorization-server` (RFC 8414). A client's id is the name of a consumer, its secret one of that
/// consumer's API keys. Access tokens are JWTs (RFC 9068) signed by ES256; the policy `jwt` takes them by
/// `signed_by: gateway`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OAuthServer")]
pub(crate) struct Spec {
    /// The issuer's name in tokens: the URL of the route as clients know it.
    issuer: Spanned<String>,
    /// Who the tokens are for (`aud`).
    audience: OneOrMany<Spanned<String>>,
    /// The scopes that there are. A client gets those it asks for, or all it may have.
    #[serde(default)]
    scopes: Vec<Spanned<String>>,
    /// The key in a consumer's `metadata` with the scopes that it may have, between spaces; without it, all. Where the API key
    /// that is shown has `scopes`, only those of them.
    #[serde(default = "scopes_key")]
    scopes_metadata: String,
    /// How long an access token lives, from `1m` to `1d`.
    #[serde(default = "lifetime")]
    lifetime: Spanned<Duration>,
    /// How long a refresh token lives, up to `90d`. Not given, there are none: a client has its secret.
    refresh_lifetime: Option<Spanned<Duration>>,
    /// Private keys that sign, EC on P-256 in PEM, best `${file:signing.pem}`: the first signs, all are published. Not
    /// given, the gateway makes keys of its own, kept sealed in its data directory; where it has none, they end with it.
    #[serde(default)]
    keys: OneOrMany<Spanned<Secret<String>>>,
    /// How old a key of the gateway's own becomes, from `1h` on. The next one is published a tenth of that (up to a day)
    /// before it signs, and the old one stays until its tokens are over.
    #[serde(default = "issuer_keys::rotate")]
    rotate: Spanned<Duration>,
}

fn scopes_key() -> String {
    "scopes".to_owned()
}
fn lifetime() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(600))
}

impl TerminalKind for OAuthServer {
    type Spec = Spec;
    const KIND: &'static str = "oauth_server";

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        if !is_issuer(&spec.issuer, cx) {
            return None;
        }
        if spec.audience.is_empty() {
            cx.problem(cx.span, "`audience` names nobody", "name the api that the tokens are for");
        }
        let life = *spec.lifetime;
        if life < Duration::from_secs(60) || life > Duration::from_secs(86_400) {
            cx.problem(spec.lifetime.span, "an access token lives from `1m` to `1d`", "mend `lifetime`");
        }
        if spec.refresh_lifetime.as_ref().is_some_and(|life| **life > Duration::from_secs(90 * 86_400)) {
            cx.problem(cx.span, "a refresh token lives up to `90d`", "mend `refresh_lifetime`");
        }
        for scope in &spec.scopes {
            // RFC 6749 section 3.3.
            if scope.is_empty() || !scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                cx.problem(
                    scope.span,
                    format!("`{}` is not a scope", **scope),
                    "take spaces, quotes and backslashes out",
                );
            }
        }
        cx.sensitive("client_secret");
        let refresh_life = spec.refresh_lifetime.map(|life| life.get().as_secs());
        let life = life.get().as_secs();
        let longest = life.max(refresh_life.unwrap_or_default()).max(MOST_IDENTITY_LIFE);
        let (issuer, keys, rotate) = (spec.issuer.clone(), spec.keys, spec.rotate);
        let own = Written { issuer, keys, rotate, life: longest }.compile(cx);
        Some(Arc::new(Server {
            issuer: spec.issuer.into_inner(),
            audience: spec.audience.into_iter().map(Spanned::into_inner).collect(),
            scopes: spec.scopes.into_iter().map(Spanned::into_inner).collect(),
            scopes_metadata: spec.scopes_metadata,
            life,
            refresh_life,
            own,
        }))
    }
}

/// The terminal.
struct Server {
    issuer: String,
    audience: Vec<String>,
    scopes: Vec<String>,
    scopes_metadata: String,
    life: u64,
    refresh_life: Option<u64>,
    own: Arc<OwnIssuer>,
}

/// The most bytes of a form.
const MOST_FORM: usize = 16 << 10;

impl Answer for Server {
    fn kind(&self) -> &'static str {
        OAuthServer::KIND
    }

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let now = x.local.program.clock.wall().as_secs();
        let path = x.request.uri.path().to_owned();
        let form = path.ends_with("/token") || path.ends_with("/revoke");
        let known = path.ends_with("/jwks")
            || path.contains("/.well-known/oauth-authorization-server")
            || path.ends_with("/.well-known/openid-configuration");
        match x.request.method {
            Method::POST if form => Verdict::Await(Box::pin(self.form(x, path, now))),
            Method::GET | Method::HEAD if path.ends_with("/jwks") => {
                answer::json(x, 200, &self.own.jwks(now), "max-age=300")
            }
            Method::GET | Method::HEAD if known => answer::json(x, 200, &self.metadata(), "max-age=300"),
            _ if form => Verdict::fail(no_route(Some(http::HeaderValue::from_static("POST")))),
            _ if known => Verdict::fail(no_route(Some(http::HeaderValue::from_static("GET, HEAD")))),
            _ => Verdict::fail(no_route(None)),
        }
    }
}

impl Server {
    async fn form(&self, x: &mut Exchange, path: String, now: u64) -> Outcome {
        let body = match read(x).await {
            Ok(Some(body)) => body,
            Ok(None) => return answer::refused(&Refused::Request("The form is too large.")),
            Err(error) => return Outcome::Fail(error),
        };
        let answered = self.client(x, &body).and_then(|(consumer, form)| {
            if path.ends_with("/token") {
                self.token(&consumer, &form, now)
            } else {
                self.revoke(&consumer, &form, now)
            }
        });
        let Given { answer, taken } = match answered {
            Ok(given) => given,
            Err(refused) => return answer::refused(&refused),
        };
        // Nobody is told before it lasts.
        if !taken.is_empty()
            && let Err(error) = self.own.keep(taken).await
        {
            tracing::error!(target: "tollgate::tokens", issuer = self.issuer, %error, "a token that was taken back is not kept");
            return answer::refused(&Refused::Unable);
        }
        answer::told(&answer)
    }
}

/// The whole body; none where it is too large.
pub(crate) async fn read(x: &mut Exchange) -> Result<Option<Bytes>, Box<Error>> {
    let mut body = Outgoing::of(x)?;
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        if whole.len() + chunk.len() > MOST_FORM {
            return Ok(None);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Some(whole.freeze()))
}
