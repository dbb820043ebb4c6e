//! Why a signature is refused. The client is told what it can mend; the log what it need not know.

use http::HeaderValue;
use http::header::RETRY_AFTER;

use crate::exchange::{Blame, Code, Error};

/// Why a signature is refused.
#[derive(Debug)]
pub(super) enum Fault {
    /// It cannot be read.
    Malformed,
    /// It covers what the request does not have.
    Absent,
    /// Nobody has such a key.
    UnknownKey,
    /// It is not of this request by this key.
    Wrong,
    /// It does not cover this.
    Uncovered(String),
    /// It was made too long ago, or is over, or is of the future.
    Expired,
    /// Its nonce was used before.
    Replayed,
    /// No more nonces can be remembered.
    Full,
    /// The body is another one.
    Digest,
    /// The body could not be read.
    Body(Box<Error>),
}

const fn code(name: &'static str, status: u16, title: &'static str) -> Code {
    let blame = if status < 500 { Blame::Client } else { Blame::Gateway };
    Code { name, status, title, blame, proxy_status: None }
}

static INVALID: Code = code("hmac_auth.invalid", 401, "Invalid signature");
static UNCOVERED: Code = code("hmac_auth.uncovered", 401, "Signature covers too little");
static EXPIRED: Code = code("hmac_auth.expired", 401, "Signature expired");
static REPLAYED: Code = code("hmac_auth.replayed", 401, "Signature used before");
static DIGEST: Code = code("hmac_auth.digest", 401, "Body differs from its digest");
static BUSY: Code = code("hmac_auth.busy", 503, "Too many signatures to remember");

/// All of them.
pub(super) const CODES: &[&Code] = &[&INVALID, &UNCOVERED, &EXPIRED, &REPLAYED, &DIGEST, &BUSY];

impl Fault {
    pub(super) fn into_error(self) -> Error {
        let invalid = |why: &'static str| Error::new(&INVALID, "The signature is not valid.").because(why);
        match self {
            Fault::Malformed => Error::new(&INVALID, "The signature cannot be read."),
            Fault::Absent => Error::new(&INVALID, "The signature covers what the request does not have."),
            Fault::UnknownKey => invalid("no credential has this key id"),
            Fault::Wrong => invalid("the signature is not of this request by this key"),
            Fault::Uncovered(what) => Error::new(&UNCOVERED, format!("The signature has to cover {what}.")),
            Fault::Expired => {
                Error::new(&EXPIRED, "The signature was made too long ago, is over, or is of the future.")
            }
            Fault::Replayed => Error::new(&REPLAYED, "The signature's nonce was used before."),
            Fault::Full => {
                let error = Error::new(&BUSY, "There are too many signatures to remember; try again in a moment.");
                error.header(RETRY_AFTER, HeaderValue::from_static("5"))
            }
            Fault::Digest => Error::new(&DIGEST, "The body is not the one whose digest is signed."),
            Fault::Body(error) => *error,
        }
    }
}
