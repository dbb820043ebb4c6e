//! TLS towards targets: who is believed, what is shown, what is agreed on.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::program::Program;
use crate::upstream::testing::{Upstream, addresses, code, get, in_flight, program, request, text};

/// A certificate authority.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// A chain and its key for this name, PEM.
    pub(super) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// What serves as this name; asks clients for a certificate of `clients` if given.
    fn server(&self, name: &str, clients: Option<&Authority>, alpn: &[&str]) -> ServerConfig {
        let (chain, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.as_ref().der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// An upstream that answers with the HTTP version it was spoken to in.
async fn versions(config: ServerConfig) -> Upstream {
    Upstream::tls(config, async |request| text(format!("{:?}", request.version()))).await
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn to(upstream: &Upstream, more: &str) -> Arc<Program> {
    program(&format!("targets: [{{ url: 'https://localhost:{}' }}], {more}", upstream.address.port()))
}

#[tokio::test]
async fn a_certificate_is_believed_if_its_authority_and_name_are() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = write(folder.path(), "ca.pem", &ours.pem());
    const REFUSED: Result<&str, &str> = Err("502 upstream.certificate");
    let cases = [
        (&ours, "localhost", format!("tls: {{ ca: '{ca}' }}"), Ok("HTTP/1.1")),
        (&theirs, "localhost", format!("tls: {{ ca: '{ca}' }}"), REFUSED),
        (&ours, "other.example", format!("tls: {{ ca: '{ca}' }}"), REFUSED),
        (&ours, "other.example", format!("tls: {{ ca: '{ca}', server_name: other.example }}"), Ok("HTTP/1.1")),
        (&ours, "localhost", "tls: {}".to_owned(), REFUSED),
        (&theirs, "other.example", "tls: { verify: off }".to_owned(), Ok("HTTP/1.1")),
    ];
    for (authority, name, tls, expected) in cases {
        let upstream = versions(authority.server(name, None, &[])).await;
        let program = to(&upstream, &tls);
        match expected {
            Ok(body) => assert_eq!(get(&program, "/").await, (200, body.to_owned()), "{name} {tls}"),
            Err(refused) => {
                assert_eq!(code(&program, request("/")).await, refused, "{name} {tls}");
                assert!(addresses(&program).iter().all(|address| address.connections == 0), "{name} {tls}");
            }
        }
        assert_eq!(in_flight(&program), 0);
    }
}

#[tokio::test]
async fn an_address_is_a_name_too() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca = write(folder.path(), "ca.pem", &authority.pem());
    for (name, expected) in [("127.0.0.1", 200), ("localhost", 502)] {
        let upstream = versions(authority.server(name, None, &[])).await;
        let program = program(&format!("targets: [{{ url: 'https://{}' }}], tls: {{ ca: '{ca}' }}", upstream.address));
        assert_eq!(get(&program, "/").await.0, expected, "{name}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new(), Authority::new());
    let ca = write(folder.path(), "ca.pem", &servers.pem());
    let shown = |authority: &Authority, name: &str| {
        let (chain, key) = authority.issue("gateway.example");
        let chain = write(folder.path(), &format!("{name}.pem"), &chain);
        let key = write(folder.path(), &format!("{name}.key"), &key);
        format!(", certificate: '{chain}', key: '{key}'")
    };
    let (good, bad) = (shown(&clients, "good"), shown(&servers, "bad"));
    // TLS 1.3 refuses a client's certificate only after the handshake; its alert may come too late to be read.
    let refused = ["502 upstream.tls", "502 upstream.reset"];
    for (shown, is_good) in [(good, true), (bad, false), (String::new(), false)] {
        let upstream = versions(servers.server("localhost", Some(&clients), &[])).await;
        let program = to(&upstream, &format!("tls: {{ ca: '{ca}'{shown} }}"));
        if is_good {
            assert_eq!(get(&program, "/").await.0, 200);
        } else {
            let code = code(&program, request("/")).await;
            assert!(refused.contains(&code.as_str()), "{code} {shown}");
        }
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_on_or_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let tls = format!("tls: {{ ca: '{}', server_name: localhost }}", write(folder.path(), "ca.pem", &authority.pem()));
    let cases: [(&[&str], &str, Result<&str, &str>); 7] = [
        (&["h2", "http/1.1"], "auto", Ok("HTTP/2.0")),
        (&["http/1.1"], "auto", Ok("HTTP/1.1")),
        (&[], "auto", Ok("HTTP/1.1")),
        (&["h2", "http/1.1"], "h1", Ok("HTTP/1.1")),
        (&["h2", "http/1.1"], "h2", Ok("HTTP/2.0")),
        (&["http/1.1"], "h2", Err("502 upstream.tls")),
        (&[], "h2", Err("502 upstream.protocol")),
    ];
    for (alpn, protocol, expected) in cases {
        let upstream = versions(authority.server("localhost", None, alpn)).await;
        // By address: a name may have two, with a connection to each.
        let program =
            program(&format!("targets: [{{ url: 'https://{}' }}], {tls}, protocol: {protocol}", upstream.address));
        match expected {
            Ok(version) => {
                // The first to learn, then several at once.
                assert_eq!(get(&program, "/").await, (200, version.to_owned()), "{alpn:?} {protocol}");
                let all = futures_util::future::join_all((0..8).map(|_| get(&program, "/"))).await;
                assert!(all.iter().all(|(status, body)| (*status, body.as_str()) == (200, version)), "{all:?}");
                if version == "HTTP/2.0" {
                    assert_eq!(upstream.seen.connections(), 1, "{alpn:?} {protocol}");
                }
            }
            Err(refused) => assert_eq!(code(&program, request("/")).await, refused, "{alpn:?} {protocol}"),
        }
    }
}

#[tokio::test]
async fn what_does_not_speak_tls_is_found_out() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = to(&upstream, "tls: { verify: off }");
    assert_eq!(code(&program, request("/")).await, "502 upstream.tls");
}

#[tokio::test]
async fn a_changed_authority_does_not_meet_old_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = write(folder.path(), "ca.pem", &ours.pem());
    let upstream = versions(ours.server("localhost", None, &[])).await;
    let written =
        format!("targets: [{{ url: 'https://localhost:{}' }}], tls: {{ ca: '{ca}' }}", upstream.address.port());
    let env = crate::upstream::testing::environment();
    let first = crate::upstream::testing::program_with(&written, &env);
    assert_eq!(get(&first, "/").await.0, 200);
    std::fs::write(&ca, theirs.pem()).unwrap();
    let second = crate::upstream::testing::program_with(&written, &env);
    assert_eq!(code(&second, request("/")).await, "502 upstream.certificate");
    assert_eq!(get(&first, "/").await.0, 200);
}
