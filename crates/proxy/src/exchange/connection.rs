//! The connection an exchange came by.

use std::net::SocketAddr;

use bytes::Bytes;

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
