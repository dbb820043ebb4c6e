//! Publishes the keys that the gateway signs with (RFC 7517), so that whoever gets its tokens can check them.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use model::load::Spanned;
use model::value::{Duration, OneOrMany, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::issuer_keys::{self, Written, is_issuer};
use super::{Answer, TerminalKind, no_route, reply};
use crate::exchange::Exchange;
use crate::policies::Verdict;
use crate::program::Compile;
use crate::tokens::issue::{MOST_IDENTITY_LIFE, OwnIssuer};

#[cfg(test)]
mod tests;

/// Publishes the keys that the gateway signs with.
pub(crate) struct Jwks;

/// Publishes the public keys of an issuer whose tokens this gateway signs, as a JSON Web Key Set (RFC 7517): for
/// `identity_headers: { jwt: … }`. An `oauth_server` publishes its own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Jwks")]
pub(crate) struct Spec {
    /// The issuer's name in tokens: a URL of this gateway, such as `https://gate.example.com`.
    issuer: Spanned<String>,
    /// Private keys that sign, EC on P-256 in PEM, best `${file:signing.pem}`: the first signs, all are published. Not
    /// given, the gateway makes keys of its own, kept sealed in its data directory where it has one.
    #[serde(default)]
    keys: OneOrMany<Spanned<Secret<String>>>,
    /// How old a key of the gateway's own becomes, from `1h` on. The next one is published a tenth of that before it signs.
    #[serde(default = "issuer_keys::rotate")]
    rotate: Spanned<Duration>,
}

impl TerminalKind for Jwks {
    type Spec = Spec;
    const KIND: &'static str = "jwks";

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        if !is_issuer(&spec.issuer, cx) {
            return None;
        }
        let (issuer, keys, rotate) = (spec.issuer, spec.keys, spec.rotate);
        let own = Written { issuer, keys, rotate, life: MOST_IDENTITY_LIFE }.compile(cx);
        Some(Arc::new(Publish { own }))
    }
}

/// The terminal.
struct Publish {
    own: Arc<OwnIssuer>,
}

impl Answer for Publish {
    fn kind(&self) -> &'static str {
        Jwks::KIND
    }

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if !matches!(x.request.method, Method::GET | Method::HEAD) {
            return Verdict::fail(no_route(Some(HeaderValue::from_static("GET, HEAD"))));
        }
        let keys = self.own.jwks(x.local.program.clock.wall().as_secs());
        let mut head = Response::new(()).into_parts().0;
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        reply(x, head, Bytes::from(keys.to_string()))
    }
}
