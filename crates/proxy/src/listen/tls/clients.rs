//! Client certificates: who may issue them, and what a verified one says.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use model::resource::{ClientCertificateMode, ClientCertificates};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::files::Files;
use super::{certificates, distinguished, provider};
use crate::exchange::ClientCertificate;
use crate::program::sha256;

/// Who verifies client certificates.
pub(super) struct Clients {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// What tells it from one that would verify others.
    pub(super) identity: String,
}

/// Who verifies a listener's client certificates.
pub(super) fn verifier(written: &ClientCertificates, files: &mut Files<'_, '_>) -> Option<Clients> {
    const AT: &str = "client_certificates.ca";
    let pem = files.read(&written.ca, AT)?;
    let mut roots = RootCertStore::empty();
    for authority in certificates::chain(&pem, &written.ca, AT, files)? {
        if roots.add(authority).is_err() {
            let message = format!("`{}` holds a certificate that is no authority's", *written.ca);
            files.error(&written.ca, AT, message, "give X.509 certificates of certificate authorities");
            return None;
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let (builder, mode) = match written.mode {
        ClientCertificateMode::Required => (builder, "required"),
        ClientCertificateMode::Requested => (builder.allow_unauthenticated(), "requested"),
    };
    match builder.build() {
        Ok(verifier) => Some(Clients { verifier, identity: format!("{mode}|{}", hex(&sha256(&pem))) }),
        Err(error) => {
            files.error(&written.ca, AT, format!("`{}` cannot be used: {error}", *written.ca), "give authorities, PEM");
            None
        }
    }
}

/// What a verified certificate says.
pub(crate) fn identity(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let names = match parsed.subject_alternative_name() {
        Ok(Some(alternative)) => alternative.value.general_names.iter().filter_map(name).collect(),
        Ok(None) | Err(_) => Vec::new(),
    };
    let serial = hex(parsed.raw_serial());
    Some(ClientCertificate {
        subject: distinguished::name(parsed.subject()),
        issuer: distinguished::name(parsed.issuer()),
        serial: match serial.trim_start_matches("00") {
            "" => "00".to_owned(),
            serial => serial.to_owned(),
        },
        names,
        fingerprint: hex(&sha256(der)),
        der: Bytes::copy_from_slice(der),
    })
}

/// DNS, URI (SPIFFE identities are these), email and IP names.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
