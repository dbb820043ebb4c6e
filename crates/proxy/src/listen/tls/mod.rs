//! TLS of listeners, by rustls: 1.2 and 1.3, certificates by the name the client asks for, client certificates.

mod certificates;
mod clients;
mod distinguished;
mod files;
mod resumption;

use std::sync::{Arc, OnceLock};

use model::problem::Problem;
use model::resource::{ListenerTls, Protocol, SessionTickets, TlsVersion};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::{ProtocolVersion, ServerConfig, ServerConnection, version};

use super::rules::Speaks;
use crate::exchange::Tls;
use crate::program::Compile;
use certificates::Certificates;
pub(crate) use clients::identity;
use files::Files;
use resumption::Resumption;

/// The one provider of cryptography.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())).clone()
}

/// The TLS configuration of a listener, with certificates loaded. With `offline`, absent files are warnings, and there is
/// no configuration.
pub fn server_config(
    tls: &ListenerTls,
    protocols: &[Protocol],
    offline: bool,
    cx: &mut Compile<'_>,
) -> Option<Arc<ServerConfig>> {
    let mut files = Files::new(offline, cx);
    let certificates = Certificates::load(&tls.certificates, &mut files);
    let clients = match &tls.client_certificates {
        Some(written) => clients::verifier(written, &mut files).map(Some),
        None => Some(None),
    };
    let (certificates, clients) = (certificates?, clients?);
    let versions: &[_] = match tls.min_version {
        TlsVersion::V12 => &[&version::TLS13, &version::TLS12],
        TlsVersion::V13 => &[&version::TLS13],
    };
    let builder = match ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions) {
        Ok(builder) => builder,
        Err(error) => {
            cx.problem(cx.span, format!("TLS cannot be set up: {error}"), "this is a defect: please report it");
            return None;
        }
    };
    let (builder, trusted) = match clients {
        Some(clients) => (builder.with_client_cert_verifier(clients.verifier), clients.identity),
        None => (builder.with_no_client_auth(), String::new()),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = alpn(protocols);
    match tls.session_tickets {
        SessionTickets::On => match resumption(&trusted, cx) {
            Some(kept) => {
                config.ticketer = kept.clone();
                config.session_storage = kept;
            }
            None => return None,
        },
        SessionTickets::Off => {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
    }
    Some(Arc::new(config))
}

/// The protocols by name; of several that a client offers too, the first is taken.
fn alpn(protocols: &[Protocol]) -> Vec<Vec<u8>> {
    let preferred = [(Protocol::H2, &b"h2"[..]), (Protocol::H1, b"http/1.1")];
    preferred.iter().filter(|(protocol, _)| protocols.contains(protocol)).map(|(_, name)| name.to_vec()).collect()
}

/// Ticket keys and sessions outlive a program, so that a reload costs no client its resumption. Those whose client
/// certificates were verified by other authorities do not: a resumed session is not verified again.
fn resumption(trusted: &str, cx: &mut Compile<'_>) -> Option<Arc<Resumption>> {
    match Resumption::new() {
        Ok(new) => Some(cx.keep(&format!("resumption|{trusted}"), || new)),
        Err(error) => {
            let problem = Problem::error("config.tls", cx.span, format!("no session ticket keys can be made: {error}"));
            let path = cx.path().to_owned();
            cx.problems().push(problem.path(path).help("write `session_tickets: off`"));
            None
        }
    }
}

/// What a finished handshake says is spoken.
pub(super) fn speaks(session: &ServerConnection, speaks: Speaks) -> Speaks {
    match session.alpn_protocol() {
        Some(b"h2") => Speaks::H2,
        Some(_) => Speaks::H1,
        None if speaks == Speaks::Either => Speaks::H1,
        None => speaks,
    }
}

/// What a finished handshake agreed on.
pub(super) fn agreed(session: &ServerConnection) -> Tls {
    let suite = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    Tls {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        // rustls tells those of TLS 1.3 apart by name; IANA does not.
        cipher: suite.replacen("TLS13_", "TLS_", 1),
        server_name: session.server_name().map(Box::from),
        client: session.peer_certificates().and_then(|chain| clients::identity(chain.first()?)),
    }
}
