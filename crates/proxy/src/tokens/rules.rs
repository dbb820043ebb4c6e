//! Which tokens are good: who made them, for whom, of what kind, and when.

use serde_json::{Map, Value};

/// Kinds of token (`typ`) that are taken unless others are named: plain JWTs and access tokens (RFC 9068). A token made for
/// another end, such as a logout token or a DPoP proof, says so in `typ` and is none of these (RFC 8725 section 3.11).
pub const KINDS: [&str; 2] = ["jwt", "at+jwt"];

/// Which tokens of an issuer are good.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `iss`; any where there is none.
    pub issuer: Option<Box<str>>,
    /// One of these is in `aud`; any where there are none.
    pub audiences: Vec<Box<str>>,
    /// Kinds (`typ`), lower case and without `application/`; [`KINDS`] and none at all where there are none.
    pub kinds: Vec<Box<str>>,
    /// Claims that must be there.
    pub required: Vec<Box<str>>,
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
    /// The oldest a token may be by `iat`, in seconds.
    pub max_age: Option<u64>,
}

/// Why a token that can be read is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Its kind is another.
    Kind,
    /// Its issuer is another.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// A claim that must be there is not.
    Missing,
    /// A claim has the wrong form.
    Form,
    /// It is over.
    Expired,
    /// It is too old.
    TooOld,
    /// It is not good yet.
    Early,
}

impl Rules {
    /// Checks claims at `now`, in seconds since 1970. Gives the second from which they are good no more, leeway
    /// included.
    pub fn check(&self, kind: Option<&str>, claims: &Map<String, Value>, now: u64) -> Result<u64, Broken> {
        let good = |kind: &str| match self.kinds.as_slice() {
            [] => KINDS.contains(&kind),
            kinds => kinds.iter().any(|known| **known == *kind),
        };
        if kind.map_or(!self.kinds.is_empty(), |kind| !good(kind)) {
            return Err(Broken::Kind);
        }
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Broken::Issuer);
        }
        self.audience(claims)?;
        if self.required.iter().any(|name| claims.get(&**name).is_none_or(Value::is_null)) {
            return Err(Broken::Missing);
        }
        self.times(claims, now)
    }

    fn audience(&self, claims: &Map<String, Value>) -> Result<(), Broken> {
        let wanted = |audience: &Value| {
            let audience = audience.as_str();
            self.audiences.iter().any(|own| audience == Some(&**own))
        };
        let good = match claims.get("aud") {
            _ if self.audiences.is_empty() => true,
            Some(Value::Array(several)) => several.iter().any(wanted),
            Some(one) => wanted(one),
            None => false,
        };
        if good { Ok(()) } else { Err(Broken::Audience) }
    }

    fn times(&self, claims: &Map<String, Value>, now: u64) -> Result<u64, Broken> {
        let [expires, begins, issued] = ["exp", "nbf", "iat"].map(|name| date(claims, name));
        let (expires, begins, issued) = (expires?, begins?, issued?);
        let mut until = u64::MAX;
        if let Some(expires) = expires {
            until = expires.saturating_add(self.leeway);
            if now >= until {
                return Err(Broken::Expired);
            }
        }
        let latest = now.saturating_add(self.leeway);
        // A token from the future was made by somebody whose clock is wrong, or wants to live longer than it may.
        if begins.is_some_and(|begins| begins > latest) || issued.is_some_and(|issued| issued > latest) {
            return Err(Broken::Early);
        }
        if let Some(most) = self.max_age {
            let oldest = issued.ok_or(Broken::Missing)?.saturating_add(most).saturating_add(self.leeway);
            if now >= oldest {
                return Err(Broken::TooOld);
            }
            until = until.min(oldest);
        }
        Ok(until)
    }
}

/// A claim that is a time (NumericDate, RFC 7519 section 2), whole seconds.
pub fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Broken> {
    /// The year 9999 and a bit: above it a number is no time.
    const MOST: f64 = 300_000_000_000.0;
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..MOST).contains(&seconds) => Ok(Some(seconds as u64)),
            _ => Err(Broken::Form),
        },
    }
}
