//! Signed tokens (JWT, RFC 7519): what they are signed with, whether the signature is good, and what they say.
//!
//! Nothing here knows of policies or exchanges. [`key`] and [`keys`] read keys, [`token`] takes a token apart without
//! believing it, [`rules`] says which ones are good, [`verify`] is the way of a token through all of it, and [`cache`]
//! remembers what was verified. RFC 8725 is the checklist; the tests are a table by its sections.
//!
//! Signatures are checked by `aws-lc-rs` alone, which TLS brings anyway. A library of JWTs would parse every token a
//! second time, as none refuses duplicate members or pins algorithms to keys the way it is asked for here.

pub mod algorithm;
pub mod cache;
pub(crate) mod issue;
pub mod json;
pub mod key;
pub mod keys;
pub mod rules;
pub(crate) mod signing;
#[doc(hidden)]
pub mod testing;
pub mod token;
pub mod verify;

#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Reads base64url without padding (RFC 7515 section 2); anything else, bits left over included, is none.
pub(crate) fn unbase64(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Writes base64url without padding.
pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
