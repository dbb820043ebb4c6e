//! Keys that signatures of requests are checked with.

use model::value::Secret;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::der_parser::asn1_rs::Oid;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What a signature is checked with.
#[derive(Debug)]
pub enum SigningKey {
    /// A secret that both sides know.
    Secret(Secret<Box<[u8]>>),
    /// An ECDSA public key on P-256: the point, uncompressed.
    P256(Box<[u8]>),
    /// An Ed25519 public key, 32 bytes.
    Ed25519(Box<[u8]>),
}

impl SigningKey {
    /// A public key (RFC 5280 section 4.1.2.7, PEM).
    pub(super) fn from_pem(text: &str) -> Option<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?;
        let (rest, info) = SubjectPublicKeyInfo::from_der(&der).ok()?;
        let key = &*info.subject_public_key.data;
        let algorithm: &Oid<'_> = info.algorithm.oid();
        let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        if !rest.is_empty() {
            None
        } else if *algorithm == OID_SIG_ED25519 {
            (key.len() == 32).then(|| Self::Ed25519(key.into()))
        } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256) {
            (key.len() == 65 && key.first() == Some(&4)).then(|| Self::P256(key.into()))
        } else {
            None
        }
    }
}
