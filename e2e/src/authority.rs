//! Certificates of a test's own.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};

/// A certificate authority and what it signs, as PEM.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, that nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("it signs itself") }
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate and its key, for these names, addresses or URIs.
    pub fn sign(&self, common_name: &str, names: &[&str]) -> (String, String) {
        self.issue(common_name, names, 2999)
    }

    /// The same, but it was valid long ago.
    pub fn sign_expired(&self, common_name: &str, names: &[&str]) -> (String, String) {
        self.issue(common_name, names, 2001)
    }

    fn issue(&self, common_name: &str, names: &[&str], until: i32) -> (String, String) {
        let (uris, names): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.contains("://"));
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(names).expect("the names are good");
        let uris = uris.into_iter().map(|uri| SanType::URI(uri.try_into().expect("a URI is ASCII")));
        params.subject_alt_names.extend(uris);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("it is signed").pem(), key.serialize_pem())
    }
}
