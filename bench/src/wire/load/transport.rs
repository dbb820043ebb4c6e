//! A non-blocking TCP or TLS connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::Context;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, cipher_suite::TLS13_AES_128_GCM_SHA256, kx_group::X25519};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::{Fault, Protocol, Target};
use crate::wire::poll::Ready;

/// The connection's bytes.
pub(super) struct Transport {
    pub(super) socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    connected: bool,
    /// What the socket did not take yet (with TLS, the session keeps it).
    pending: Vec<u8>,
}

impl Transport {
    /// Begins to connect.
    pub(super) fn open(target: &Target) -> Result<Self, Fault> {
        let socket = connect(target.address).map_err(|_| Fault::Connect)?;
        let tls = match &target.tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(target.host.clone()).map_err(|_| Fault::Tls)?;
                Some(Box::new(ClientConnection::new(Arc::clone(config), name).map_err(|_| Fault::Tls)?))
            }
        };
        Ok(Self { socket, tls, connected: false, pending: Vec::new() })
    }

    /// Goes on connecting; `true` once bytes of the application may be sent.
    pub(super) fn progress(&mut self) -> Result<bool, Fault> {
        if !self.connected {
            match sockopt::socket_error(&self.socket) {
                Ok(Ok(())) => {}
                _ => return Err(Fault::Connect),
            }
            // Level with an early event: a socket that is not connected yet has no peer.
            if rustix::net::getpeername(&self.socket).is_err() {
                return Ok(false);
            }
            self.connected = true;
        }
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_write() && write_tls(tls, &mut self.socket).map_err(|_| Fault::Tls)? {}
        Ok(!tls.is_handshaking())
    }

    /// Whether TCP is up.
    pub(super) fn connected(&self) -> bool {
        self.connected
    }

    /// Reads what has arrived into `scratch` and passes it on; `Ok(false)` at the end of the stream.
    pub(super) fn read(
        &mut self,
        ready: Ready,
        scratch: &mut [u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        loop {
            let read = match self.socket.read(scratch) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(Fault::Closed),
            };
            let bytes = scratch.get(..read).unwrap_or_default();
            match &mut self.tls {
                None => sink(bytes)?,
                Some(tls) => decrypt(tls, bytes, sink)?,
            }
            if read == 0 {
                return Ok(false);
            }
            // A short read has emptied the socket: what comes next is a new edge.
            if read < scratch.len() && !ready.ending {
                return Ok(true);
            }
        }
    }

    /// Sends `bytes`, keeping what does not go at once.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes).map_err(|_| Fault::Tls)?;
            return self.flush();
        }
        let sent = if self.pending.is_empty() { try_write(&mut self.socket, bytes)? } else { 0 };
        self.pending.extend_from_slice(bytes.get(sent..).unwrap_or_default());
        Ok(())
    }

    /// Sends what was kept.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() && write_tls(tls, &mut self.socket).map_err(|_| Fault::Closed)? {}
        }
        if !self.pending.is_empty() {
            let sent = try_write(&mut self.socket, &self.pending)?;
            self.pending.drain(..sent);
        }
        Ok(())
    }

    /// Says good-bye; the socket closes when this is dropped.
    pub(super) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.flush();
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

fn try_write(socket: &mut TcpStream, bytes: &[u8]) -> Result<usize, Fault> {
    match socket.write(bytes) {
        Ok(sent) => Ok(sent),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(_) => Err(Fault::Closed),
    }
}

/// `false` when the socket takes no more.
fn write_tls(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<bool> {
    match tls.write_tls(socket) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

fn decrypt(
    tls: &mut ClientConnection,
    mut bytes: &[u8],
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut plain = [0; 4 << 10];
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes).map_err(|_| Fault::Tls)?;
        let state = tls.process_new_packets().map_err(|_| Fault::Tls)?;
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            let read = tls.reader().read(&mut plain).map_err(|_| Fault::Tls)?;
            sink(plain.get(..read).unwrap_or_default())?;
            left = left.saturating_sub(read.max(1));
        }
    }
    Ok(())
}

/// What a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// TLS 1.3 with one suite and one group, so that every peer does the same cryptography.
    One,
    /// Whatever the library has.
    All,
}

/// Sessions are never resumed, and the certificate is not checked: the load only ever goes to a server that the user
/// named, and spends its core on load.
pub(crate) fn client_config(protocol: Protocol, offer: Offer) -> anyhow::Result<Arc<ClientConfig>> {
    let mut provider = aws_lc_rs::default_provider();
    let newest = [&rustls::version::TLS13];
    let mut versions = rustls::ALL_VERSIONS;
    if offer == Offer::One {
        provider.cipher_suites = vec![TLS13_AES_128_GCM_SHA256];
        provider.kx_groups = vec![X25519];
        versions = &newest;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .context("TLS versions")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unchecked))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = match protocol {
        Protocol::H1 => vec![b"http/1.1".to_vec()],
        Protocol::H2 => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Unchecked;

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
