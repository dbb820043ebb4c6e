//! The connection an exchange came by.

use std::net::SocketAddr;
use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderValue;

use crate::program::ListenerSlot;

/// A client's connection, once its handshake is done.
#[derive(Debug)]
pub struct Connection {
    /// The listener's slot, which stays the same over reloads.
    pub listener: ListenerSlot,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// The address it came to.
    pub local: SocketAddr,
    /// What TLS agreed on, if it is TLS.
    pub tls: Option<Box<Tls>>,
    /// The peer's address as `X-Forwarded-For` has it: made once, sent with every request.
    pub peer_text: HeaderValue,
    /// The port it came to, as `X-Forwarded-Port` has it.
    pub port_text: HeaderValue,
    /// The client's certificate as `Client-Cert` has it, made when it is first passed on.
    pub client_cert: OnceLock<HeaderValue>,
}

impl Connection {
    /// A connection from `peer` to `local`, by this listener.
    pub fn new(listener: ListenerSlot, peer: SocketAddr, local: SocketAddr, tls: Option<Box<Tls>>) -> Self {
        let address = peer.ip().to_canonical().to_string();
        let peer_text = HeaderValue::try_from(address).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self {
            listener,
            peer,
            local,
            tls,
            peer_text,
            port_text: HeaderValue::from(local.port()),
            client_cert: OnceLock::new(),
        }
    }
}

/// What a TLS handshake agreed on.
#[derive(Debug)]
pub struct Tls {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: String,
    /// The name the client asked for.
    pub server_name: Option<Box<str>>,
    /// The client's certificate, verified.
    pub client: Option<ClientCertificate>,
}

/// A verified client certificate.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The certificate, DER.
    pub der: Bytes,
    /// Its subject, RFC 4514 text.
    pub subject: String,
    /// Its issuer, RFC 4514 text.
    pub issuer: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// DNS, URI, email and IP names of its subject.
    pub names: Vec<String>,
    /// SHA-256 of the DER form, hexadecimal.
    pub fingerprint: String,
}
