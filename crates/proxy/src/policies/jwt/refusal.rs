//! Why a token is refused, and what the client is told: the class of the fault and nothing of keys or rules.

use http::HeaderValue;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use super::nonce;
use crate::exchange::Error;
use crate::tokens::rules::Broken;
use crate::tokens::token::Unreadable;
use crate::tokens::verify::Refusal;

/// The codes of this policy.
pub(super) mod codes {
    use crate::exchange::{Blame, Code};

    macro_rules! codes {
        ($($name:ident = $code:literal, $status:literal, $title:literal, $blame:ident;)*) => {
            $(pub(in crate::policies::jwt) static $name: Code =
                Code { name: $code, status: $status, title: $title, blame: Blame::$blame, proxy_status: None };)*
            pub(in crate::policies::jwt) const ALL: &[&Code] = &[$(&$name),*];
        };
    }

    codes! {
        MALFORMED = "jwt.malformed", 401, "Malformed token", Client;
        TOO_LARGE = "jwt.too_large", 401, "Token too large", Client;
        AMBIGUOUS = "jwt.ambiguous", 400, "Several tokens", Client;
        ALGORITHM = "jwt.algorithm", 401, "Token algorithm refused", Client;
        UNKNOWN_KEY = "jwt.unknown_key", 401, "Unknown token key", Client;
        SIGNATURE = "jwt.signature", 401, "Invalid token signature", Client;
        KIND = "jwt.type", 401, "Wrong type of token", Client;
        ISSUER = "jwt.issuer", 401, "Unknown token issuer", Client;
        AUDIENCE = "jwt.audience", 401, "Wrong token audience", Client;
        CLAIMS = "jwt.claims", 401, "Token claims refused", Client;
        EXPIRED = "jwt.expired", 401, "Token expired", Client;
        REVOKED = "jwt.revoked", 401, "Token revoked", Client;
        NOT_YET_VALID = "jwt.not_yet_valid", 401, "Token not yet valid", Client;
        BINDING = "jwt.binding", 401, "Token not shown by its holder", Client;
        PROOF = "jwt.proof", 401, "Invalid DPoP proof", Client;
        NONCE = "jwt.nonce", 401, "DPoP nonce required", Client;
        NO_CONSUMER = "jwt.no_consumer", 403, "Token of no consumer", Client;
        NO_KEYS = "jwt.keys_unavailable", 503, "Token keys unavailable", Gateway;
        OVERLOADED = "jwt.overloaded", 503, "Too many proofs", Gateway;
    }
}

/// Why a token is refused.
pub(super) enum Refused {
    /// The token itself.
    Token(Refusal),
    /// Nobody here knows its issuer.
    Issuer,
    TooLarge,
    /// Its issuer took it back.
    Revoked,
    /// Several that differ.
    Ambiguous,
    /// It is bound to a key or certificate that was not shown.
    Binding,
    /// The proof of the key is not good.
    Proof,
    /// The proof has not the nonce that is asked for, which is this one.
    Nonce(HeaderValue),
    /// So many proofs that replays could not be told.
    TooManyProofs,
    NoConsumer,
    /// The issuer has never been reached.
    NoKeys,
    /// The caller may not call.
    Identity(Box<Error>),
}

impl Refused {
    /// The answer. `missing` are the challenges of a request without a token.
    pub(super) fn into_error(self, realm: &str, missing: &[HeaderValue]) -> Error {
        let mut told = Vec::new();
        let (code, detail) = match self {
            Refused::Nonce(nonce) => {
                told.extend(nonce::fields(nonce));
                (&codes::NONCE, "The DPoP proof needs the nonce of this answer.")
            }
            Refused::Identity(error) => return *error,
            Refused::Token(Refusal::Unreadable(Unreadable::Critical)) => {
                (&codes::MALFORMED, "The token asks for an extension that is not known here.")
            }
            Refused::Token(Refusal::Unreadable(_)) => (&codes::MALFORMED, "The token cannot be read."),
            Refused::Token(Refusal::Algorithm) => (&codes::ALGORITHM, "The token's algorithm is not that of its key."),
            Refused::Token(Refusal::UnknownKey) => (&codes::UNKNOWN_KEY, "The token's key is not known."),
            Refused::Token(Refusal::Signature) => (&codes::SIGNATURE, "The token's signature is not valid."),
            Refused::Token(Refusal::Broken(broken)) => match broken {
                Broken::Kind => (&codes::KIND, "The token is of another type."),
                Broken::Issuer => (&codes::ISSUER, "The token's issuer is not known here."),
                Broken::Audience => (&codes::AUDIENCE, "The token is for another audience."),
                Broken::Missing => (&codes::CLAIMS, "The token lacks a claim that it needs."),
                Broken::Form => (&codes::CLAIMS, "A claim of the token has the wrong form."),
                Broken::Expired => (&codes::EXPIRED, "The token has expired."),
                Broken::TooOld => (&codes::EXPIRED, "The token is too old."),
                Broken::Early => (&codes::NOT_YET_VALID, "The token is not valid yet."),
            },
            Refused::Issuer => (&codes::ISSUER, "The token's issuer is not known here."),
            Refused::Revoked => (&codes::REVOKED, "The token was taken back."),
            Refused::TooLarge => (&codes::TOO_LARGE, "The token is too large."),
            Refused::Ambiguous => (&codes::AMBIGUOUS, "The request carries several tokens that differ."),
            Refused::Binding => (&codes::BINDING, "The token is bound to a key or certificate that was not shown."),
            Refused::Proof => (&codes::PROOF, "The DPoP proof is not good for this request."),
            Refused::NoConsumer => (&codes::NO_CONSUMER, "The token stands for no consumer."),
            Refused::TooManyProofs => (&codes::OVERLOADED, "Too many proofs at this time."),
            Refused::NoKeys => (&codes::NO_KEYS, "The keys of the token's issuer cannot be had at this time."),
        };
        let error = Error::new(code, detail);
        let error = told.into_iter().fold(error, |error, (name, value)| error.header(name, value));
        match code.status {
            401 => {
                // RFC 6750 section 3.1, RFC 9449 section 7.1.
                let (scheme, kind) = if std::ptr::eq(code, &codes::PROOF) {
                    ("DPoP", "invalid_dpop_proof")
                } else if std::ptr::eq(code, &codes::NONCE) {
                    ("DPoP", "use_dpop_nonce")
                } else {
                    ("Bearer", "invalid_token")
                };
                let told = format!("{scheme} realm=\"{realm}\", error=\"{kind}\", error_description=\"{detail}\"");
                match HeaderValue::try_from(told) {
                    Ok(told) => error.header(WWW_AUTHENTICATE, told),
                    Err(_) => missing.iter().cloned().fold(error, |error, field| error.header(WWW_AUTHENTICATE, field)),
                }
            }
            503 => error.header(RETRY_AFTER, HeaderValue::from_static("1")),
            _ => error,
        }
    }
}
