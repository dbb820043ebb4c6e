//! One key and the algorithms that it is for. A token's `alg` chooses among these and nothing else, so that an RSA key's
//! public half is never taken for an HMAC secret (RFC 8725 section 2.1).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject, SectionKind};
use serde_json::{Map, Value};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::algorithm::Algorithm;
use super::{base64, unbase64};
use crate::program::sha256;

/// A key that signatures are checked with.
pub struct Key {
    /// Its name (`kid`), if it has one.
    pub id: Option<Box<str>>,
    material: Vec<(Algorithm, Material)>,
}

enum Material {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

/// The bits of RSA keys that are taken.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// A secret above this has no use, and costs.
const MOST_SECRET: usize = 4096;

/// Why a key is not taken: a sentence without the key.
pub type Refused = String;

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let algorithms: Vec<_> = self.algorithms().map(Algorithm::as_str).collect();
        f.debug_struct("Key").field("id", &self.id).field("algorithms", &algorithms).finish_non_exhaustive()
    }
}

impl Key {
    /// A shared secret. RFC 7518 section 3.2: it is at least as long as the hash.
    pub fn secret(secret: &[u8], algorithm: Algorithm, id: Option<&str>) -> Result<Self, Refused> {
        let Some(hmac) = algorithm.hmac() else {
            return Err(format!("{} is not signed with a secret", algorithm.as_str()));
        };
        let least = hmac.digest_algorithm().output_len();
        if secret.len() < least {
            let (found, name) = (secret.len(), algorithm.as_str());
            return Err(format!("a secret for {name} has at least {least} bytes, and this one {found}"));
        }
        if secret.len() > MOST_SECRET {
            return Err(format!("a secret has at most {MOST_SECRET} bytes"));
        }
        let material = vec![(algorithm, Material::Secret(Box::new(hmac::Key::new(hmac, secret))))];
        Ok(Self { id: id.map(Into::into), material })
    }

    /// A key as a JWK (RFC 7517). A set may hold keys for other ends: those are refused too.
    pub fn jwk(jwk: &Map<String, Value>) -> Result<Self, Refused> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| {
            let value = text(name).ok_or_else(|| format!("`{name}` is missing"))?;
            unbase64(value).ok_or_else(|| format!("`{name}` is not base64url"))
        };
        if text("use").is_some_and(|end| end != "sig") {
            return Err("the key is not for signatures".to_owned());
        }
        if let Some(operations) = jwk.get("key_ops").and_then(Value::as_array)
            && !operations.iter().any(|operation| operation == "verify")
        {
            return Err("the key is not for verifying".to_owned());
        }
        let kind = text("kty").ok_or("`kty` is missing")?;
        if kind != "oct" && jwk.contains_key("d") {
            return Err("it is a private key; give the public one".to_owned());
        }
        let named = match text("alg") {
            None => None,
            Some(name) => {
                Some(Algorithm::parse(name).ok_or_else(|| format!("`{name}` is not an algorithm for tokens"))?)
            }
        };
        let id = text("kid");
        match (kind, text("crv")) {
            ("oct", _) => {
                let algorithm = named.ok_or("a secret needs `alg`, such as HS256")?;
                Self::secret(&bytes("k")?, algorithm, id)
            }
            ("RSA", _) => Self::rsa(&bytes("n")?, &bytes("e")?, named, id),
            ("EC", Some(curve)) => {
                let (algorithm, length) = curve_of(curve).ok_or_else(|| format!("the curve `{curve}` is not taken"))?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != length || y.len() != length {
                    return Err(format!("coordinates on {curve} have {length} bytes"));
                }
                Self::public(algorithm, &[&[4], &*x, &*y].concat(), named, id)
            }
            ("OKP", Some("Ed25519")) => Self::public(Algorithm::EdDSA, &bytes("x")?, named, id),
            ("OKP" | "EC", curve) => Err(format!("the curve `{}` is not taken", curve.unwrap_or_default())),
            (other, _) => Err(format!("`{other}` is not a kind of key")),
        }
    }

    /// A key in PEM: a public key (SPKI, or RSA's own form) or a certificate.
    pub fn pem(pem: &[u8], algorithm: Option<Algorithm>, id: Option<&str>) -> Result<Self, Refused> {
        let found = <(SectionKind, Vec<u8>)>::from_pem_slice(pem).map_err(|_| "it is not PEM".to_owned())?;
        match found {
            (SectionKind::PublicKey, der) => Self::spki(&der, algorithm, id),
            (SectionKind::Certificate, der) => {
                let der = CertificateDer::from(der);
                let (_, certificate) = x509_parser::parse_x509_certificate(&der)
                    .map_err(|_| "the certificate cannot be read".to_owned())?;
                Self::spki(certificate.public_key().raw, algorithm, id)
            }
            (SectionKind::RsaPrivateKey | SectionKind::PrivateKey | SectionKind::EcPrivateKey, _) => {
                Err("it is a private key; give the public one".to_owned())
            }
            _ => Err("it is neither a public key nor a certificate".to_owned()),
        }
    }

    /// A public key as SubjectPublicKeyInfo.
    fn spki(der: &[u8], named: Option<Algorithm>, id: Option<&str>) -> Result<Self, Refused> {
        let unreadable = "the public key cannot be read";
        let (_, spki) = SubjectPublicKeyInfo::from_der(der).map_err(|_| unreadable)?;
        let oid = spki.algorithm.algorithm.to_id_string();
        match (oid.as_str(), spki.parsed()) {
            (_, Ok(PublicKey::RSA(key))) => Self::rsa(key.modulus, key.exponent, named, id),
            ("1.2.840.10045.2.1", _) => {
                let curve = spki.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
                let algorithm = match curve.map(|oid| oid.to_id_string()).as_deref() {
                    Some("1.2.840.10045.3.1.7") => Algorithm::ES256,
                    Some("1.3.132.0.34") => Algorithm::ES384,
                    Some("1.3.132.0.35") => Algorithm::ES512,
                    _ => return Err("the key's curve is not taken; P-256, P-384 and P-521 are".to_owned()),
                };
                Self::public(algorithm, &spki.subject_public_key.data, named, id)
            }
            ("1.3.101.112", _) => Self::public(Algorithm::EdDSA, &spki.subject_public_key.data, named, id),
            _ => Err("the key is neither RSA, EC nor Ed25519".to_owned()),
        }
    }

    fn rsa(modulus: &[u8], exponent: &[u8], named: Option<Algorithm>, id: Option<&str>) -> Result<Self, Refused> {
        let [n, e] = [modulus, exponent].map(|number| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number.get(zeros..).unwrap_or_default()
        });
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(format!("an RSA key has from 2048 to 8192 bits, and this one {bits}"));
        }
        // An even exponent is none, and 1 would make every signature its own message.
        if e == [1] || e.last().is_none_or(|last| last % 2 == 0) {
            return Err("the RSA key's exponent is not usable".to_owned());
        }
        let algorithms = match named {
            Some(named) => vec![named],
            None => Algorithm::RSA.to_vec(),
        };
        let mut material = Vec::with_capacity(algorithms.len());
        for algorithm in algorithms {
            let rsa = algorithm.rsa().ok_or_else(|| format!("{} is not for an RSA key", algorithm.as_str()))?;
            let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa);
            material.push((algorithm, Material::Public(parsed.map_err(|_| "the RSA key is not usable")?)));
        }
        Ok(Self { id: id.map(Into::into), material })
    }

    /// A key whose kind leaves it one algorithm.
    fn public(only: Algorithm, key: &[u8], named: Option<Algorithm>, id: Option<&str>) -> Result<Self, Refused> {
        if let Some(named) = named.filter(|named| *named != only) {
            return Err(format!("the key is for {}, not {}", only.as_str(), named.as_str()));
        }
        let algorithm = only.verification().ok_or("the key is not usable")?;
        let parsed = ParsedPublicKey::new(algorithm, key).map_err(|_| "the public key is not usable")?;
        Ok(Self { id: id.map(Into::into), material: vec![(only, Material::Public(parsed))] })
    }

    /// The algorithms it is for.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.material.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Keeps it for these algorithms alone; none left is a key for nothing.
    pub fn narrow(&mut self, to: &[Algorithm]) {
        self.material.retain(|(algorithm, _)| to.contains(algorithm));
    }

    /// Whether `signature` is this key's, by this algorithm, over `message`. HMACs are compared in constant time.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self.material.iter().find(|(known, _)| *known == algorithm) {
            Some((_, Material::Secret(key))) => hmac::verify(key, message, signature).is_ok(),
            Some((_, Material::Public(key))) => key.verify_sig(message, signature).is_ok(),
            None => false,
        }
    }
}

fn curve_of(name: &str) -> Option<(Algorithm, usize)> {
    match name {
        "P-256" => Some((Algorithm::ES256, 32)),
        "P-384" => Some((Algorithm::ES384, 48)),
        "P-521" => Some((Algorithm::ES512, 66)),
        _ => None,
    }
}

/// The thumbprint of a public JWK (RFC 7638): SHA-256 over its required members in order, base64url.
pub fn thumbprint(jwk: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let members: &[&str] = match text("kty")? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut required = Map::new();
    for name in members {
        required.insert((*name).to_owned(), text(name)?.into());
    }
    Some(base64(sha256(Value::Object(required).to_string().as_bytes())))
}
