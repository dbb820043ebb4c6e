//! Identifies a consumer by an API key.
//!
//! Keys are known by their SHA-256 alone. A request without a key is not refused here: the end of the Identify stage
//! decides, with the challenges that this step leaves. A wrong key, and two keys that differ, are refused at once.

pub(crate) mod places;

use std::sync::Arc;

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use model::load::Spanned;
use model::value::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::places::{Found, Place, PlaceSpec};
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::gate_key::is_forged;
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, KeyHash, sha256};

#[cfg(test)]
mod tests;

/// Identifies a consumer by an API key.
pub(crate) struct KeyAuth;

/// Identifies the consumer by an API key. `key_auth: {}` reads the header `x-api-key`, or `Authorization: Bearer KEY`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Where a key is looked for, at most 16 places: the name of a header, or `{ query: NAME }`, `{ cookie: NAME }`. The
    /// header `authorization` is read as `Bearer KEY`, any other one is the key. `{ bearer: NAME }` reads another header
    /// as `Bearer KEY`.
    #[schemars(extend("default" = ["x-api-key", "authorization"]))]
    names: OneOrMany<PlaceSpec>,
    /// Whether the upstream sees the key.
    upstream: Towards,
    /// The realm of the challenge that a request without a key is answered with; the name of the api (or listener) when
    /// not given.
    realm: Option<Spanned<String>>,
}

/// Whether the upstream sees the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "KeyTowardsUpstream")]
pub(crate) enum Towards {
    /// The key is taken out of the request.
    #[default]
    Hide,
    /// The request goes on as it came.
    Keep,
}

impl Default for Spec {
    fn default() -> Self {
        let names = ["x-api-key", "authorization"].map(PlaceSpec::header);
        Self { names: names.into_iter().collect(), upstream: Towards::default(), realm: None }
    }
}

static INVALID: Code =
    Code { name: "key_auth.invalid", status: 401, title: "Invalid API key", blame: Blame::Client, proxy_status: None };
static AMBIGUOUS: Code = Code {
    name: "key_auth.ambiguous",
    status: 400,
    title: "Several API keys",
    blame: Blame::Client,
    proxy_status: None,
};
const MOST_PLACES: usize = 16;

impl Policy for KeyAuth {
    type Spec = Spec;
    const KIND: &'static str = "key_auth";
    const ORDER: (Stage, u8) = (Stage::Identify, 10);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&INVALID, &AMBIGUOUS];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.names.is_empty() || spec.names.len() > MOST_PLACES {
            let message = format!("`names` has {} places, not from 1 to {MOST_PLACES}", spec.names.len());
            cx.problem(cx.span, message, "leave it out for `x-api-key` and `Authorization: Bearer`");
            return None;
        }
        let written = spec.names.len();
        let places: Box<[Place]> = spec.names.into_iter().filter_map(|place| place.compile(cx)).collect();
        let challenges = challenges(&places, spec.realm.as_ref(), cx)?;
        (places.len() == written)
            .then(|| Arc::new(FindKey { places, upstream: spec.upstream, challenges }) as Arc<dyn Step>)
    }
}

/// A challenge (RFC 9110 section 11.6.1) for each way to show a key.
struct Challenges {
    missing: Box<[HeaderValue]>,
    invalid: Box<[HeaderValue]>,
}

fn challenges(places: &[Place], realm: Option<&Spanned<String>>, cx: &mut Compile<'_>) -> Option<Challenges> {
    let (mut missing, mut invalid) = (Vec::new(), Vec::new());
    let bearer = places.iter().any(|place| matches!(place, Place::Bearer(_)));
    let plain = places.iter().any(|place| !matches!(place, Place::Bearer(_)));
    for (_, scheme, error) in [(bearer, "Bearer", ", error=\"invalid_token\""), (plain, "ApiKey", "")]
        .into_iter()
        .filter(|(asked, ..)| *asked)
    {
        missing.push(cx.challenge(scheme, realm, "")?);
        invalid.push(cx.challenge(scheme, realm, error)?);
    }
    Some(Challenges { missing: missing.into(), invalid: invalid.into() })
}

struct FindKey {
    places: Box<[Place]>,
    upstream: Towards,
    challenges: Challenges,
}

impl Step for FindKey {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let key = match places::find(&self.places, &x.request) {
            // One that cannot be a key is not looked up.
            Found::One(key) => (!is_forged(&key)).then(|| sha256(&key)),
            Found::None => {
                x.not_identified(&self.challenges.missing);
                return Verdict::NEXT;
            }
            Found::Differing => {
                return Verdict::fail(Error::new(&AMBIGUOUS, "The request carries several API keys that differ."));
            }
        };
        if let Err(error) = self.identify(x, key) {
            return Verdict::fail(error);
        }
        for place in &self.places {
            place.forget(&mut x.record.target);
            if self.upstream == Towards::Hide {
                place.hide(&mut x.request);
            }
        }
        Verdict::NEXT
    }
}

impl FindKey {
    /// Makes the key's consumer the caller.
    fn identify(&self, x: &mut Exchange, key: Option<KeyHash>) -> Result<(), Error> {
        let program = &x.local.program;
        let known = key.and_then(|key| program.consumers.find_key(&key));
        let identified = match known {
            Some(credential) => x.identify_by(KeyAuth::KIND, credential),
            // None of the configuration; then one of those that were given since.
            None => match key.and_then(|key| program.stores.caller_keys().find(&key, || program.clock.wall())) {
                Some(key) => x.identify_by_key(KeyAuth::KIND, key),
                None => Err(Error::new(&INVALID, "The API key is not valid.")),
            },
        };
        identified.map_err(|error| match error.code.status {
            401 => {
                let challenges = self.challenges.invalid.iter().cloned();
                challenges.fold(error, |error, challenge| error.header(WWW_AUTHENTICATE, challenge))
            }
            _ => error,
        })
    }
}
