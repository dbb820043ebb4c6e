//! Client certificates by what tells them.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::CredentialId;
use crate::exchange::ClientCertificate;

/// What tells a certificate.
#[derive(Debug)]
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
pub(super) struct Certificates {
    fingerprints: HashMap<Box<str>, CredentialId>,
    names: HashMap<Box<str>, CredentialId>,
    subjects: HashMap<Box<str>, CredentialId>,
}

impl Certificates {
    /// Adds one; the credential that it tells already, where it does.
    pub(super) fn add(&mut self, sign: Sign, credential: CredentialId) -> Result<(), CredentialId> {
        let (map, key) = match sign {
            Sign::Fingerprint(key) => (&mut self.fingerprints, key),
            Sign::Name(key) => (&mut self.names, key),
            Sign::Subject(key) => (&mut self.subjects, key),
        };
        match map.get(&key) {
            Some(owner) => Err(*owner),
            None => {
                map.insert(key, credential);
                Ok(())
            }
        }
    }

    /// Whose certificate it is: the most exact sign decides.
    pub(super) fn find(&self, shown: &ClientCertificate) -> SmallVec<[CredentialId; 2]> {
        let mut found = SmallVec::new();
        if let Some(exact) = self.fingerprints.get(shown.fingerprint.as_str()) {
            found.push(*exact);
            return found;
        }
        for named in shown.names.iter().filter_map(|name| self.names.get(name.as_str())) {
            if !found.contains(named) {
                found.push(*named);
            }
        }
        if found.is_empty() {
            found.extend(self.subjects.get(shown.subject.as_str()).copied());
        }
        found
    }
}
