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
use super::{Answer, TerminalKind, no_route};
use crate::exchange::{Error, Exchange, Outgoing};
use crate::policies::{Outcome, Verdict};
use crate::program::Compile;
use crate::tokens::issue::{OwnIssuer, Signing};

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
    /// The key in a consumer's `metadata` with the scopes that it may have, between spaces; without it, all.
    #[serde(default = "scopes_key")]
    scopes_metadata: String,
    /// How long an access token lives, from `1m` to `1d`.
    #[serde(default = "lifetime")]
    lifetime: Spanned<Duration>,
    /// How long a refresh token lives, up to `90d`. Not given, there are none: a client has its secret.
    refresh_lifetime: Option<Spanned<Duration>>,
    /// Private keys that sign, EC on P-256 in PEM, best `${file:signing.pem}`: the first signs, all are published. Not
    /// given, the gateway makes keys of its own, which end with it.
    #[serde(default)]
    keys: OneOrMany<Spanned<Secret<String>>>,
    /// How old a key of the gateway's own becomes, from `1h` on.
    #[serde(default = "rotate")]
    rotate: Spanned<Duration>,
}

fn scopes_key() -> String {
    "scopes".to_owned()
}
fn lifetime() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(600))
}
fn rotate() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(7 * 86_400))
}

/// The name under which the state of an issuer is kept.
pub(crate) fn state_key(issuer: &str) -> String {
    format!("oauth_server|{issuer}")
}

impl TerminalKind for OAuthServer {
    type Spec = Spec;
    const KIND: &'static str = "oauth_server";

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        let url = spec.issuer.parse::<http::Uri>().ok().filter(|url| url.query().is_none() && url.scheme().is_some());
        if url.is_none() || spec.issuer.contains('#') || spec.issuer.ends_with('/') {
            let help = "write `https://HOST/PATH`, without a slash at the end";
            cx.problem(spec.issuer.span, format!("`{}` is not an issuer's URL", *spec.issuer), help);
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
        if *spec.rotate < Duration::from_secs(3600) {
            cx.problem(spec.rotate.span, "a key lives for `1h` at least", "mend `rotate`");
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
        let own = cx.keep.get(&state_key(&spec.issuer), OwnIssuer::default);
        let mut keys = Vec::new();
        for key in spec.keys.iter().filter(|key| !key.expose().contains(model::load::STAND_IN)) {
            match Signing::pem(key.expose().as_bytes()) {
                Ok(key) => keys.push(key),
                Err(why) => cx.problem(key.span, why, "make one with `openssl ecparam -name prime256v1 -genkey`"),
            }
        }
        let rotates = spec.keys.is_empty();
        if !rotates && keys.len() == spec.keys.len() {
            own.set(keys);
        }
        Some(Arc::new(Server {
            issuer: spec.issuer.into_inner(),
            audience: spec.audience.into_iter().map(Spanned::into_inner).collect(),
            scopes: spec.scopes.into_iter().map(Spanned::into_inner).collect(),
            scopes_metadata: spec.scopes_metadata,
            life: life.get().as_secs(),
            refresh_life: spec.refresh_lifetime.map(|life| life.get().as_secs()),
            rotate: rotates.then(|| spec.rotate.get().as_secs()),
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
    /// How old a key of the gateway's own becomes; none where they are the user's.
    rotate: Option<u64>,
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
        if let Some(every) = self.rotate {
            self.own.rotate(now, every, self.life.max(self.refresh_life.unwrap_or_default()));
        }
        let path = x.request.uri.path().to_owned();
        let form = path.ends_with("/token") || path.ends_with("/revoke");
        let known = path.ends_with("/jwks")
            || path.contains("/.well-known/oauth-authorization-server")
            || path.ends_with("/.well-known/openid-configuration");
        match x.request.method {
            Method::POST if form => Verdict::Await(Box::pin(self.form(x, path, now))),
            Method::GET | Method::HEAD if path.ends_with("/jwks") => {
                answer::json(x, 200, &self.own.jwks(), "max-age=300")
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
        match answered {
            Ok(answer) => answer::told(&answer),
            Err(refused) => answer::refused(&refused),
        }
    }
}

/// The whole body; none where it is too large.
async fn read(x: &mut Exchange) -> Result<Option<Bytes>, Box<Error>> {
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
