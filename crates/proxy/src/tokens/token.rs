//! A token taken apart (JWS compact serialization, RFC 7515 section 7.1), not yet believed.

use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::{json, unbase64};

/// The longest `kid` that is looked for.
const MOST_ID: usize = 512;

/// A token that can be read.
pub struct Token<'t> {
    /// What its header says.
    pub header: Header,
    /// What it says.
    pub claims: Map<String, Value>,
    /// What is signed: header and claims as they stand.
    pub signed: &'t [u8],
    /// The signature.
    pub signature: Vec<u8>,
}

/// What a token's header says.
pub struct Header {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// Which key it is signed with.
    pub id: Option<String>,
    /// What kind of token it is, lower case and without `application/`.
    pub kind: Option<String>,
    /// The key that it brings along. Only DPoP proofs may be checked with it, never a token.
    pub jwk: Option<Map<String, Value>>,
}

/// Why a token cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not have three parts, so it may be another kind of token.
    NoJwt,
    /// It has three parts that are no token.
    Malformed,
    /// It asks for `none` or another algorithm that is not taken.
    Algorithm,
    /// It has `crit` (or `b64`), and no extension is known here (RFC 7515 section 4.1.11).
    Critical,
}

/// Whether these bytes look like a signed token at all: three parts between dots.
pub fn is_jwt(token: &[u8]) -> bool {
    memchr::memchr_iter(b'.', token).take(3).count() == 2
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    pub fn parse(token: &'t [u8]) -> Result<Self, Unreadable> {
        if !is_jwt(token) {
            return Err(Unreadable::NoJwt);
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Unreadable::NoJwt);
        };
        let signed = token.get(..header.len() + 1 + claims.len()).ok_or(Unreadable::Malformed)?;
        let header = Header::parse(header)?;
        let claims = object(claims)?;
        let signature = unbase64(signature).ok_or(Unreadable::Malformed)?;
        Ok(Self { header, claims, signed, signature })
    }

    /// A claim that is text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }
}

impl Header {
    fn parse(part: &[u8]) -> Result<Self, Unreadable> {
        let mut members = object(part)?;
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(Unreadable::Critical);
        }
        let mut text = |name: &str| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Unreadable::Malformed),
        };
        let algorithm = text("alg")?.ok_or(Unreadable::Malformed)?;
        let id = text("kid")?.filter(|id| id.len() <= MOST_ID);
        let kind = text("typ")?.map(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind)
        });
        let jwk = match members.remove("jwk") {
            Some(Value::Object(jwk)) => Some(jwk),
            _ => None,
        };
        let algorithm = Algorithm::parse(&algorithm).ok_or(Unreadable::Algorithm)?;
        Ok(Self { algorithm, id, kind, jwk })
    }
}

fn object(part: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    unbase64(part).and_then(|bytes| json::object(&bytes)).ok_or(Unreadable::Malformed)
}
