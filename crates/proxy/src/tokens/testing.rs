//! Keys and tokens for tests and benches. Not part of the crate's face.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up must stop"
)]

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;

use super::algorithm::Algorithm;
use super::base64;

/// A key that signs.
pub enum Signer {
    /// With HMAC.
    Secret(Vec<u8>),
    /// With RSA.
    Rsa(RsaKeyPair),
    /// With ECDSA, on the curve of this algorithm.
    Ec(Algorithm, EcdsaKeyPair),
    /// With Ed25519.
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// A new key for this algorithm.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::ES256 => Self::ec(algorithm, &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => Self::ec(algorithm, &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => Self::ec(algorithm, &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA => Signer::Ed(Ed25519KeyPair::generate().unwrap()),
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Signer::Secret(b"0123456789abcdef".repeat(4)),
            _ => Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        }
    }

    fn ec(algorithm: Algorithm, curve: &'static signature::EcdsaSigningAlgorithm) -> Self {
        Signer::Ec(algorithm, EcdsaKeyPair::generate(curve).unwrap())
    }

    /// Its public half (or its secret) as a JWK.
    pub fn jwk(&self, id: Option<&str>) -> Value {
        let mut jwk = match self {
            Signer::Secret(secret) => json!({ "kty": "oct", "k": base64(secret) }),
            Signer::Rsa(pair) => {
                // RSA's own form (RFC 8017 appendix A.1.1): a sequence of two numbers.
                let der = pair.public_key().as_ref();
                let (_, key) = RSAPublicKey::from_der(der).unwrap();
                let bare = |number: &[u8]| base64(number.strip_prefix(&[0]).unwrap_or(number));
                json!({ "kty": "RSA", "n": bare(key.modulus), "e": bare(key.exponent) })
            }
            Signer::Ec(algorithm, pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                let curve = match algorithm {
                    Algorithm::ES256 => "P-256",
                    Algorithm::ES384 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": curve, "x": base64(x), "y": base64(y) })
            }
            Signer::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key()) }),
        };
        if let Some(id) = id {
            jwk["kid"] = id.into();
        }
        jwk
    }

    /// Its public half in PEM.
    pub fn pem(&self) -> String {
        let der = match self {
            Signer::Secret(_) => panic!("a secret has no PEM"),
            Signer::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Signer::Ec(_, pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// The signature over these bytes.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Signer::Secret(secret) => {
                let key = hmac::Key::new(algorithm.hmac().unwrap_or(hmac::HMAC_SHA256), secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Signer::Rsa(pair) => {
                let encoding: &'static dyn signature::RsaEncoding = match algorithm {
                    Algorithm::RS256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signed).unwrap();
                signed
            }
            Signer::Ec(_, pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims, written as they are.
    pub fn token_of(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", base64(header), base64(claims));
        let signature = self.sign(algorithm, signed.as_bytes());
        format!("{signed}.{}", base64(signature))
    }

    /// A usual token.
    pub fn token(&self, algorithm: Algorithm, id: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": algorithm.as_str(), "typ": "JWT" });
        if let Some(id) = id {
            header["kid"] = id.into();
        }
        self.token_of(algorithm, &header.to_string(), &claims.to_string())
    }
}
