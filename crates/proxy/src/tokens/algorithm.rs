//! The algorithms of RFC 7518 section 3.1 and RFC 8037 that are taken. `none` is not among them.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, RsaParameters, VerificationAlgorithm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "TokenAlgorithm")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSA (PKCS#1 v1.5) with SHA-256.
    RS256,
    /// RSA (PKCS#1 v1.5) with SHA-384.
    RS384,
    /// RSA (PKCS#1 v1.5) with SHA-512.
    RS512,
    /// RSA (PSS) with SHA-256.
    PS256,
    /// RSA (PSS) with SHA-384.
    PS384,
    /// RSA (PSS) with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519.
    EdDSA,
}

use Algorithm::{ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};

impl Algorithm {
    /// All of RSA.
    pub(crate) const RSA: [Algorithm; 6] = [RS256, RS384, RS512, PS256, PS384, PS512];

    /// The algorithm of this name, as `alg` has it. Names are case-sensitive.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => HS256,
            "HS384" => HS384,
            "HS512" => HS512,
            "RS256" => RS256,
            "RS384" => RS384,
            "RS512" => RS512,
            "PS256" => PS256,
            "PS384" => PS384,
            "PS512" => PS512,
            "ES256" => ES256,
            "ES384" => ES384,
            "ES512" => ES512,
            // RFC 9864 gives EdDSA with Ed25519 a name of its own.
            "EdDSA" | "Ed25519" => EdDSA,
            _ => return None,
        })
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            HS256 => "HS256",
            HS384 => "HS384",
            HS512 => "HS512",
            RS256 => "RS256",
            RS384 => "RS384",
            RS512 => "RS512",
            PS256 => "PS256",
            PS384 => "PS384",
            PS512 => "PS512",
            ES256 => "ES256",
            ES384 => "ES384",
            ES512 => "ES512",
            EdDSA => "EdDSA",
        }
    }

    /// Whether both sides hold the same secret.
    pub fn is_symmetric(self) -> bool {
        self.hmac().is_some()
    }

    /// What HMAC it is.
    pub(crate) fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            HS256 => Some(hmac::HMAC_SHA256),
            HS384 => Some(hmac::HMAC_SHA384),
            HS512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }

    /// What RSA it is; keys have from 2048 to 8192 bits (RFC 7518 section 3.3).
    pub(crate) fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
            PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
            PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
            _ => None,
        }
    }

    /// How a signature by a private key is verified.
    pub(crate) fn verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            ES256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
            ES384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
            ES512 => Some(&signature::ECDSA_P521_SHA512_FIXED),
            EdDSA => Some(&signature::ED25519),
            other => other.rsa().map(|rsa| rsa as &'static dyn VerificationAlgorithm),
        }
    }
}
