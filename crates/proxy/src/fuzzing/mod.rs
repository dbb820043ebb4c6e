//! Doors to parsers that are nobody's business outside, for the fuzz targets. Not part of the crate's face.

pub mod messages;

use http::{HeaderMap, HeaderValue};
use model::load::Spanned;
use model::problem::Problems;

use crate::exchange::{ClientCertificate, Exchange, cookies as jar};

/// Whether a target can go on from this `traceparent`.
pub fn is_traceparent(text: &[u8]) -> bool {
    crate::upstream::is_traceparent(text)
}

/// Takes out the fields that `Connection` names.
pub fn remove_named(headers: &mut HeaderMap) {
    crate::upstream::fields::remove_named(headers);
}

/// Host, port and authority of a target's URL; the problems where it is none.
pub fn target(url: &str) -> Result<(String, u16, String), Problems> {
    let mut problems = Problems::new();
    let parsed = crate::upstream::target_url(&Spanned::from(url.to_owned()), &mut problems);
    parsed.ok_or(problems)
}

/// The encoding that an `Accept-Encoding` likes best, of all that there are.
pub fn encoding(accepted: &HeaderValue) -> Option<&'static str> {
    crate::policies::compress::encoding(accepted)
}

/// The inner lists of a structured field's dictionary, written canonically; none where it is no dictionary.
pub fn inner_lists(text: &[u8]) -> Option<Vec<String>> {
    crate::policies::hmac_auth::inner_lists(text)
}

/// Names and values of all cookies.
pub fn cookies(headers: &HeaderMap) -> Vec<(Vec<u8>, Vec<u8>)> {
    jar::cookies(headers).map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// The access log's line of an exchange, if its program has one.
pub fn access_line(x: &Exchange) -> Option<Vec<u8>> {
    let log = x.local.program.access_log.as_ref()?;
    Some(log.written(x, x.plan()))
}

/// What a client certificate says.
pub fn certificate(der: &[u8]) -> Option<ClientCertificate> {
    crate::listen::tls::identity(&der.into())
}

/// Queries.
pub mod query {
    use std::borrow::Cow;

    use crate::policies::query;

    /// The parameters, raw.
    pub fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
        query::pairs(text)
    }

    /// A raw name or value as what it means.
    pub fn decode(raw: &str) -> Cow<'_, str> {
        query::decode(raw)
    }

    /// Adds a parameter.
    pub fn push(text: &mut String, name: &str, value: &str) {
        query::push(text, name, value);
    }

    /// The query without the parameters of some names.
    pub fn without(text: &str, gone: impl Fn(&str) -> bool) -> String {
        query::without(text, gone)
    }
}
