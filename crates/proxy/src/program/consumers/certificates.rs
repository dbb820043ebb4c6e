//! Client certificates by what tells them.

use std::collections::HashMap;

use super::CredentialId;
use crate::exchange::ClientCertificate;

/// What tells a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sign {
    /// SHA-256 of its DER form, hexadecimal.
    Fingerprint(Box<str>),
    /// One of its names.
    Name(Box<str>),
    /// Its subject (RFC 4514).
    Subject(Box<str>),
}

/// Client certificates by what tells them.
#[derive(Default)]
pub(super) struct Certificates(HashMap<Sign, CredentialId>);

impl Certificates {
    /// Adds one; the credential that it tells already, where it does.
    pub(super) fn add(&mut self, sign: Sign, credential: CredentialId) -> Result<(), CredentialId> {
        match self.0.insert(sign.clone(), credential) {
            Some(owner) => {
                self.0.insert(sign, owner);
                Err(owner)
            }
            None => Ok(()),
        }
    }

    /// Whose certificate it is: the most exact sign decides.
    pub(super) fn find(&self, shown: &ClientCertificate) -> Vec<CredentialId> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let get = |sign: Sign| self.0.get(&sign).copied();
        if let Some(found) = get(Sign::Fingerprint(shown.fingerprint.as_str().into())) {
            return vec![found];
        }
        let mut named = Vec::new();
        for found in shown.names.iter().filter_map(|name| get(Sign::Name(name.as_str().into()))) {
            if !named.contains(&found) {
                named.push(found);
            }
        }
        if named.is_empty() {
            named.extend(get(Sign::Subject(shown.subject.as_str().into())));
        }
        named
    }
}
