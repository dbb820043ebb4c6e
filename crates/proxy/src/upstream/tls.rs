//! TLS towards targets: verified against the system's authorities or an own file, with a client certificate if one is
//! given. Built once when an upstream is compiled.

use std::sync::Arc;

use model::load::Spanned;
use model::problem::{Problem, Problems};
use model::resource::{UpstreamProtocol, UpstreamTls, VerifyServer};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::program::{Environment, sha256};

/// TLS towards the targets of an upstream.
#[derive(Clone)]
pub(super) struct TlsOut {
    /// The configuration, ALPN included.
    pub(super) config: Arc<ClientConfig>,
    /// The name that is sent and verified instead of the target's host.
    pub(super) server_name: Option<ServerName<'static>>,
    /// What it was made of: connections of another make are not used.
    pub(super) hash: String,
}

/// Compiles the TLS of an upstream. Absent files are warnings where `env.offline` says so.
pub(super) fn compile(
    written: &UpstreamTls,
    protocol: UpstreamProtocol,
    path: &str,
    env: &Environment,
    problems: &mut Problems,
) -> Option<TlsOut> {
    let mut files = Files { path, env, problems, content: Vec::new() };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = verifier(written, &provider, &mut files)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client_certificate(written, &mut files)? {
        None => builder.with_no_client_auth(),
        Some((chain, key, span)) => match builder.with_client_auth_cert(chain, key) {
            Ok(config) => config,
            Err(error) => {
                let message = format!("the client certificate is not usable: {error}");
                return files.refuse(span, "certificate", message, "check that `key` is the key of `certificate`");
            }
        },
    };
    config.alpn_protocols = match protocol {
        UpstreamProtocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        UpstreamProtocol::H1 => vec![b"http/1.1".to_vec()],
        UpstreamProtocol::H2 => vec![b"h2".to_vec()],
    };
    let server_name = match &written.server_name {
        None => None,
        Some(name) => match ServerName::try_from(name.value.clone()) {
            Ok(name) => Some(name),
            Err(_) => {
                let message = format!("`{}` is not a host name", **name);
                return files.refuse(name.span, "server_name", message, "write a DNS name or an IP address");
            }
        },
    };
    let mut content = files.content;
    content.extend_from_slice(format!("|{:?}|{server_name:?}", written.verify).as_bytes());
    let hash = sha256(&content).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Some(TlsOut { config: Arc::new(config), server_name, hash })
}

/// TLS towards a server that speaks no HTTP, and the name that it is to have if that is not its host's.
pub(crate) fn client_tls(
    written: &UpstreamTls,
    path: &str,
    env: &Environment,
    problems: &mut Problems,
) -> Option<(Arc<ClientConfig>, Option<ServerName<'static>>)> {
    let tls = compile(written, UpstreamProtocol::H1, path, env, problems)?;
    let mut config = (*tls.config).clone();
    config.alpn_protocols.clear();
    Some((Arc::new(config), tls.server_name))
}

fn verifier(
    written: &UpstreamTls,
    provider: &Arc<CryptoProvider>,
    files: &mut Files<'_>,
) -> Option<Arc<dyn ServerCertVerifier>> {
    if written.verify == VerifyServer::Off {
        return Some(Arc::new(Blanket { trust: Trust::Anyone, provider: provider.clone() }));
    }
    let roots = match &written.ca {
        Some(ca) => {
            let Some(pem) = files.read(ca, "ca") else {
                // A program that is only checked: it must not trust anyone either.
                return files.env.offline.then(|| nobody(provider));
            };
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
            if roots.is_empty() {
                let message = format!("`{}` holds no certificate", **ca);
                return files.refuse(ca.span, "ca", message, "give a PEM file of certificate authorities");
            }
            Arc::new(roots)
        }
        None => files.env.keep.get("tls|system authorities", system_authorities),
    };
    if roots.is_empty() {
        // Nothing would verify, so that every request would fail: said when it is compiled, not then.
        files.problems.push(
            Problem::warning("config.tls", None, "this machine has no certificate authorities")
                .path(files.path)
                .help("install `ca-certificates`, or name a file in `tls.ca`"),
        );
        return Some(nobody(provider));
    }
    match WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build() {
        Ok(verifier) => Some(verifier),
        Err(error) => {
            let span = written.ca.as_ref().map(|ca| ca.span).unwrap_or_default();
            files.refuse(span, "ca", format!("not usable: {error}"), "give a PEM file of certificate authorities")
        }
    }
}

fn nobody(provider: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Blanket { trust: Trust::Nobody, provider: provider.clone() })
}

/// The machine's certificate authorities.
fn system_authorities() -> RootCertStore {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(target: "tollgate::upstream", %error, "a certificate authority of this machine was not read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    roots
}

type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, model::load::Span);

/// The certificate shown to targets: `None` with a problem, `Some(None)` where none is to be shown.
fn client_certificate(written: &UpstreamTls, files: &mut Files<'_>) -> Option<Option<Shown>> {
    let (certificate, key) = match (&written.certificate, &written.key) {
        (None, None) => return Some(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(only), None) => return files.refuse(only.span, "certificate", "its key is missing".into(), "add `key`"),
        (None, Some(only)) => {
            return files.refuse(only.span, "key", "its certificate is missing".into(), "add `certificate`");
        }
    };
    let (chain, secret) = (files.read(certificate, "certificate"), files.read(key, "key"));
    let (Some(chain), Some(secret)) = (chain, secret) else { return files.env.offline.then_some(None) };
    let Ok(chain) = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>() else {
        let message = format!("`{}` is not a PEM certificate chain", **certificate);
        return files.refuse(certificate.span, "certificate", message, "give a PEM file, leaf first");
    };
    let Ok(secret) = PrivateKeyDer::from_pem_slice(&secret) else {
        let message = format!("`{}` is not a PEM private key", **key);
        return files.refuse(key.span, "key", message, "give a PKCS#8, PKCS#1 or SEC1 key in PEM");
    };
    Some(Some((chain, secret, certificate.span)))
}

/// Reads the files that TLS names, and reports what is wrong with them.
struct Files<'a> {
    path: &'a str,
    env: &'a Environment,
    problems: &'a mut Problems,
    /// Everything that was read, for the hash.
    content: Vec<u8>,
}

impl Files<'_> {
    fn read(&mut self, file: &Spanned<String>, field: &str) -> Option<Vec<u8>> {
        match std::fs::read(file.as_str()) {
            Ok(content) => {
                self.content.extend_from_slice(&content);
                self.content.push(b'|');
                Some(content)
            }
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", **file);
                let problem = if self.env.offline {
                    Problem::warning("config.file", file.span, message)
                } else {
                    Problem::error("config.file", file.span, message)
                };
                self.problems.push(problem.path(format!("{}.{field}", self.path)).help("check path and permissions"));
                None
            }
        }
    }

    fn refuse<T>(&mut self, at: model::load::Span, field: &str, message: String, help: &str) -> Option<T> {
        let problem = Problem::error("config.tls", at, message);
        self.problems.push(problem.path(format!("{}.{field}", self.path)).help(help));
        None
    }
}

/// The same answer for every certificate. Signatures are checked all the same: the other end has the key.
#[derive(Debug)]
struct Blanket {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

#[derive(Clone, Copy, Debug)]
enum Trust {
    /// By the user's choice.
    Anyone,
    /// There is no authority that could vouch for a certificate.
    Nobody,
}

impl ServerCertVerifier for Blanket {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.trust {
            Trust::Anyone => Ok(ServerCertVerified::assertion()),
            Trust::Nobody => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
