//! What a signature promises of the body, and whether it is kept.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use bytes::Bytes;
use http::HeaderMap;
use subtle::ConstantTimeEq;

use super::Fault;
use super::structured::{Bare, Member, dictionary};
use crate::exchange::{Body, Exchange, receive};

/// Digests that the body must have, each of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Promise(Vec<(Hash, Vec<u8>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha512,
}

impl Promise {
    /// The digests of `Content-Digest` that are known (RFC 9530); `None` where there is none.
    pub(super) fn content_digest(headers: &HeaderMap) -> Option<Self> {
        let lines: Vec<&[u8]> = headers.get_all("content-digest").iter().map(|value| value.as_bytes()).collect();
        let members = dictionary(&lines.join(&b", "[..]))?;
        let known = members.into_iter().filter_map(|(name, member)| {
            let hash = match name.as_str() {
                "sha-256" => Hash::Sha256,
                "sha-512" => Hash::Sha512,
                _ => return None,
            };
            match member {
                Member::Bare(Bare::Bytes(bytes)) => Some((hash, bytes)),
                _ => None,
            }
        });
        let known: Vec<_> = known.collect();
        (!known.is_empty()).then_some(Self(known))
    }

    /// 64 hexadecimal digits.
    pub(super) fn sha256_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        Some(Self(vec![(Hash::Sha256, pairs.map(byte).collect::<Option<_>>()?)]))
    }

    /// Reads the body, at most so many bytes, and checks it.
    pub(super) async fn keep(&self, x: &mut Exchange, most: u64) -> Result<(), Fault> {
        let body = body(x, most).await?;
        let kept = self.0.iter().all(|(hash, promised)| {
            let made = digest(if *hash == Hash::Sha256 { &SHA256 } else { &SHA512 }, &body);
            bool::from(made.as_ref().ct_eq(promised))
        });
        if kept { Ok(()) } else { Err(Fault::Digest) }
    }
}

/// The whole body, which stays where it was.
pub(super) async fn body(x: &mut Exchange, most: u64) -> Result<Bytes, Fault> {
    receive::buffer(x, most).await.map_err(|error| Fault::Body(Box::new(error)))?;
    match &x.request_body {
        Body::Empty => Ok(Bytes::new()),
        Body::Full(bytes) => Ok(bytes.clone()),
        Body::Parts(parts, _) => Ok(parts.iter().flatten().copied().collect()),
        // What never ends has no digest.
        Body::Client(_) | Body::Incoming(_) | Body::Upstream(_) | Body::Stream(_) => Err(Fault::Digest),
    }
}
