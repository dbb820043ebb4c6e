//! A listener's certificates: loaded from files, found by the name the client asks for.

use std::sync::Arc;

use hashbrown::HashMap;
use model::load::Spanned;
use model::resource::Certificate;
use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::files::Files;
use super::provider;

/// A listener's certificates.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// In the order they were written, which is the order of preference.
    all: Vec<Arc<CertifiedKey>>,
    /// By name.
    exact: HashMap<String, Vec<usize>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Vec<usize>>,
}

impl Certificates {
    /// Loads them all; every problem is reported. `None` where one could not be loaded.
    pub(super) fn load(written: &[Certificate], files: &mut Files<'_, '_>) -> Option<Self> {
        let mut certificates = Self::default();
        let mut complete = true;
        for (at, pair) in written.iter().enumerate() {
            match load(pair, at, files) {
                Some((loaded, names)) => certificates.add(loaded, names),
                None => complete = false,
            }
        }
        if written.is_empty() {
            let help = "add `certificates: [{ certificate: chain.pem, key: key.pem }]`";
            files.error_of_all("certificates", "TLS needs a certificate".to_owned(), help);
        }
        (complete && !written.is_empty()).then_some(certificates)
    }

    fn add(&mut self, loaded: CertifiedKey, names: Vec<String>) {
        let at = self.all.len();
        self.all.push(Arc::new(loaded));
        for name in names {
            let places = match name.strip_prefix("*.") {
                Some(parent) => self.wildcard.entry(parent.to_owned()).or_default(),
                None => self.exact.entry(name).or_default(),
            };
            places.push(at);
        }
    }

    /// The one for a name: exact before wildcard before the first; of several, the first whose key the client can
    /// verify.
    fn find(&self, name: Option<&str>, verifies: impl Fn(&CertifiedKey) -> bool) -> Option<Arc<CertifiedKey>> {
        let best = |places: &Vec<usize>| {
            let mut known = places.iter().filter_map(|at| self.all.get(*at));
            known.find(|key| verifies(key)).cloned()
        };
        let by_name = name.and_then(|name| {
            let exact = self.exact.get(name).and_then(best);
            let parent = || name.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent));
            exact.or_else(|| parent().and_then(best))
        });
        by_name.or_else(|| self.all.iter().find(|key| verifies(key)).or(self.all.first()).cloned())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let verifies = |key: &CertifiedKey| key.key.choose_scheme(hello.signature_schemes()).is_some();
        match hello.server_name() {
            Some(name) if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.find(Some(&name.to_ascii_lowercase()), verifies)
            }
            name => self.find(name, verifies),
        }
    }
}

/// Loads a chain and its key, and the names it is good for.
fn load(pair: &Certificate, at: usize, files: &mut Files<'_, '_>) -> Option<(CertifiedKey, Vec<String>)> {
    let (chain_at, key_at) = (format!("certificates[{at}].certificate"), format!("certificates[{at}].key"));
    let chain = files.read(&pair.certificate, &chain_at);
    let key = files.read(&pair.key, &key_at);
    let chain = chain.and_then(|pem| self::chain(&pem, &pair.certificate, &chain_at, files));
    let key = key.and_then(|pem| self::key(&pem, &pair.key, &key_at, files));
    let (chain, key) = (chain?, key?);
    let names = chain.first().and_then(|leaf| check(leaf, &pair.certificate, &chain_at, files))?;
    match CertifiedKey::from_der(chain, key, &provider()) {
        Ok(certified) => Some((certified, names)),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let message = format!("`{}` is not the key of `{}`", *pair.key, *pair.certificate);
            files.error(&pair.key, &key_at, message, "give the key that the certificate was issued for");
            None
        }
        Err(error) => {
            let message = format!("`{}` cannot be used: {error}", *pair.key);
            files.error(&pair.key, &key_at, message, "use an RSA, ECDSA or Ed25519 key");
            None
        }
    }
}

/// The certificates of a PEM file.
pub(super) fn chain(
    pem: &[u8],
    path: &Spanned<String>,
    at: &str,
    files: &mut Files<'_, '_>,
) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let message = match read {
        Ok(chain) if !chain.is_empty() => return Some(chain),
        Ok(_) => format!("`{}` holds no certificate", **path),
        Err(_) => format!("`{}` is not well-formed PEM", **path),
    };
    files.error(path, at, message, "name a file with `-----BEGIN CERTIFICATE-----` blocks, the leaf first");
    None
}

fn key(pem: &[u8], path: &Spanned<String>, at: &str, files: &mut Files<'_, '_>) -> Option<PrivateKeyDer<'static>> {
    // The error of a key file is not shown: it quotes what it could not read.
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Some(key);
    }
    let encrypted = memchr::memmem::find(pem, b"ENCRYPTED").is_some();
    let (message, help) = if encrypted {
        (format!("`{}` is encrypted", **path), "decrypt it with `openssl pkey`, and guard it with file permissions")
    } else {
        let help = "name a file with a `-----BEGIN PRIVATE KEY-----` block (PKCS#8, PKCS#1 or SEC1)";
        (format!("`{}` holds no private key", **path), help)
    };
    files.error(path, at, message, help);
    None
}

/// Checks a leaf's dates and gives its names, lower case.
fn check(
    leaf: &CertificateDer<'_>,
    path: &Spanned<String>,
    at: &str,
    files: &mut Files<'_, '_>,
) -> Option<Vec<String>> {
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
        files.error(path, at, format!("`{}` is not an X.509 certificate", **path), "issue it anew");
        return None;
    };
    let (from, to) = (&parsed.validity().not_before, &parsed.validity().not_after);
    if files.now() > to.timestamp() {
        files.warning(path, at, format!("`{}` expired on {to}", **path), "renew it: clients refuse it");
    } else if files.now() < from.timestamp() {
        files.warning(path, at, format!("`{}` is not valid before {from}", **path), "check its dates, and the clock");
    }
    Some(names(&parsed))
}

/// The names a certificate is good for. The common name counts only without alternative names (RFC 6125 section 6.4.4).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        let names = alternative.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        return names.collect();
    }
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    common.map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates(all: &[&[&str]]) -> Certificates {
        let mut certificates = Certificates::default();
        for names in all {
            let made = rcgen::generate_simple_self_signed(["x".to_owned()]).expect("a certificate");
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
            let loaded = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider()).expect("they match");
            certificates.add(loaded, names.iter().map(|name| (*name).to_owned()).collect());
        }
        certificates
    }

    #[test]
    fn exact_names_go_before_wildcards_before_the_first() {
        let known = certificates(&[
            &["first.example"],
            &["*.example.com"],
            &["api.example.com", "example.com"],
            &["*.api.example.com"],
        ]);
        for (asked, found) in [
            (Some("api.example.com"), 2),
            (Some("example.com"), 2),
            (Some("www.example.com"), 1),
            (Some("a.api.example.com"), 3),
            (Some("a.www.example.com"), 0),
            (Some("elsewhere.org"), 0),
            (Some("com"), 0),
            (None, 0),
        ] {
            let chosen = known.find(asked, |_| true).expect("there is always one");
            assert!(Arc::ptr_eq(&chosen, &known.all[found]), "{asked:?}");
        }
    }

    #[test]
    fn of_two_for_a_name_the_client_gets_one_it_can_verify() {
        let known = certificates(&[&["a.example"], &["b.example"], &["b.example"]]);
        let last = known.all[2].clone();
        let chosen = known.find(Some("b.example"), |key| std::ptr::eq(key, &*last)).expect("there is one");
        assert!(Arc::ptr_eq(&chosen, &last));
        let none = known.find(Some("b.example"), |_| false).expect("the first, and the handshake says why");
        assert!(Arc::ptr_eq(&none, &known.all[0]));
    }
}
