//! Requests signed as AWS Signature Version 4 has it, by header: what many clients and tools can do already.
//!
//! Paths are signed in two forms in the field: encoded once (S3) or twice (everything else). Both say which path is meant,
//! so both are taken.

use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderMap, HeaderValue};

use super::Fault;
use super::message::authority;
use crate::exchange::Exchange;
use crate::sigv4::{ALGORITHM, Canonical, Encoded, compact, value};

/// A signature by header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) key: String,
    /// `DATE/REGION/SERVICE/aws4_request`.
    scope: String,
    headers: Vec<String>,
    pub(super) signature: String,
}

/// The signature of a request; nothing where `Authorization` is of another scheme.
pub(super) fn find(headers: &HeaderMap) -> Result<Option<Signed>, Fault> {
    let mut fields = headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(|value| value.to_str().ok()?.strip_prefix(ALGORITHM)?.strip_prefix([' ', ',']));
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(Fault::Malformed);
    }
    let mut parts = [None; 3];
    for part in field.split(',') {
        let (name, value) = part.trim().split_once('=').ok_or(Fault::Malformed)?;
        let at = ["Credential", "SignedHeaders", "Signature"].iter().position(|known| *known == name);
        let place = at.and_then(|at| parts.get_mut(at)).ok_or(Fault::Malformed)?;
        if place.replace(value).is_some() {
            return Err(Fault::Malformed);
        }
    }
    let [Some(credential), Some(signed), Some(signature)] = parts else { return Err(Fault::Malformed) };
    // An access key may hold slashes, the scope's four parts do not.
    let mut words = credential.rsplitn(5, '/');
    let (end, service, region, day) = (words.next(), words.next(), words.next(), words.next());
    let (Some("aws4_request"), Some(service), Some(region), Some(day), Some(key)) =
        (end, service, region, day, words.next())
    else {
        return Err(Fault::Malformed);
    };
    let headers: Vec<String> = signed.split(';').map(str::to_owned).collect();
    let ordered = headers.windows(2).all(|pair| pair.first() < pair.last());
    if !ordered || headers.len() > 64 || headers.iter().any(|name| name.bytes().any(|b| b.is_ascii_uppercase())) {
        return Err(Fault::Malformed);
    }
    Ok(Some(Signed {
        key: key.to_owned(),
        scope: format!("{day}/{region}/{service}/aws4_request"),
        headers,
        signature: signature.to_owned(),
    }))
}

impl Signed {
    /// When it was made, in seconds since 1970: `x-amz-date`, or `Date`. The day is that of the scope.
    pub(super) fn created(&self, headers: &HeaderMap) -> Result<(i64, String), Fault> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let compact = match (text("x-amz-date"), headers.get(DATE).and_then(|value| value.to_str().ok())) {
            (Some(compact), _) => compact.to_owned(),
            (None, Some(date)) => {
                let date = httpdate::parse_http_date(date).map_err(|_| Fault::Malformed)?;
                let since = date.duration_since(std::time::UNIX_EPOCH).map_err(|_| Fault::Malformed)?;
                compact(since.as_secs())
            }
            (None, None) => return Err(Fault::Absent),
        };
        let moment = moment(&compact).ok_or(Fault::Malformed)?;
        let day = self.scope.split('/').next().unwrap_or_default();
        if compact.get(..8) != Some(day) {
            return Err(Fault::Malformed);
        }
        Ok((moment, compact))
    }

    /// Whether it covers what says where the request goes and when it was made.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let has = |name: &str| self.headers.iter().any(|known| known == name);
        if !has("host") {
            Some("host")
        } else if !has("x-amz-date") && !has("date") {
            Some("x-amz-date")
        } else {
            None
        }
    }

    /// Whether it covers the header field of this name.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.headers.iter().any(|known| known == name)
    }

    /// Whether it is the signature of this request with this secret.
    pub(super) fn is_by(&self, secret: &[u8], x: &Exchange, date: &str, payload: &str) -> Result<bool, Fault> {
        let fields = self.headers.iter().map(|name| Ok((name.as_str(), field(name, x)?)));
        let fields = fields.collect::<Result<Vec<_>, Fault>>()?;
        let target = &x.record.target;
        let shown = self.signature.as_bytes();
        let mut right = false;
        for encoded in [Encoded::Once, Encoded::Twice] {
            let canonical = Canonical {
                method: x.record.method.as_str(),
                path: target.path(),
                encoded,
                query: target.query().unwrap_or_default(),
                fields: &fields,
                payload,
            };
            let made = canonical.signature(secret, &self.scope, date);
            right |= bool::from(subtle::ConstantTimeEq::ct_eq(made.as_bytes(), shown));
        }
        Ok(right)
    }
}

/// A field as it is signed.
fn field(name: &str, x: &Exchange) -> Result<Vec<u8>, Fault> {
    let mut lines = x.request.headers.get_all(name).iter().peekable();
    if lines.peek().is_none() {
        return if name == HOST.as_str() { Ok(authority(x).into_bytes()) } else { Err(Fault::Absent) };
    }
    Ok(value(lines.map(HeaderValue::as_bytes)))
}

/// `20150830T123600Z`.
fn moment(compact: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| compact.get(range);
    if compact.len() != 16 || !compact.is_ascii() {
        return None;
    }
    let text = format!(
        "{}-{}-{}{}{}:{}:{}{}",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..9)?,
        part(9..11)?,
        part(11..13)?,
        part(13..15)?,
        part(15..16)?
    );
    let moment: model::value::Timestamp = text.parse().ok()?;
    i64::try_from(moment.as_millis() / 1000).ok()
}
