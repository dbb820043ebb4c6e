//! Opening connections: TCP to the first address of a name that answers (Happy Eyeballs, RFC 8305), then TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure;
use super::stream::Stream;
use super::tls::TlsOut;
use crate::exchange::Error;

/// How long one address is waited for before the next is tried beside it (RFC 8305 section 8, "Connection Attempt
/// Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How connections to a target are opened.
pub(super) struct Dial {
    /// TCP connect and TLS handshake together.
    pub(super) timeout: Duration,
    /// TCP keepalive after this much silence.
    pub(super) keepalive: Option<Duration>,
    /// TLS and the name that is verified.
    pub(super) tls: Option<(TlsOut, ServerName<'static>)>,
}

/// A new connection.
pub(super) struct Opened {
    /// Its bytes.
    pub(super) stream: Stream,
    /// The address that answered.
    pub(super) address: SocketAddr,
    /// Whether TLS agreed on HTTP/2.
    pub(super) alpn_h2: bool,
    /// The addresses that did not answer, or not in time.
    pub(super) lost: Vec<SocketAddr>,
}

impl Dial {
    /// Opens a connection to one of these addresses, the first ones first.
    pub(super) async fn open(&self, addresses: &[SocketAddr]) -> Result<Opened, Error> {
        match tokio::time::timeout(self.timeout, self.establish(addresses)).await {
            Ok(opened) => opened,
            Err(_) => Err(failure::of_slow_connect()),
        }
    }

    async fn establish(&self, addresses: &[SocketAddr]) -> Result<Opened, Error> {
        let (tcp, address, lost) = match addresses {
            [only] => (connect(*only).await.map_err(failure::of_connect)?, *only, Vec::new()),
            several => race(&interleaved(several)).await.map_err(failure::of_connect)?,
        };
        self.prepare(&tcp).map_err(failure::of_connect)?;
        let Some((tls, name)) = &self.tls else {
            return Ok(Opened { stream: Stream::Plain(tcp), address, alpn_h2: false, lost });
        };
        let stream = TlsConnector::from(tls.config.clone()).connect(name.clone(), tcp).await;
        let stream = Box::new(stream.map_err(failure::of_tls)?);
        let alpn_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Opened { stream: Stream::Tls(stream), address, alpn_h2, lost })
    }

    fn prepare(&self, tcp: &TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        if let Some(silence) = self.keepalive {
            SockRef::from(tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(silence))?;
        }
        Ok(())
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

/// The addresses with their families in turn, beginning with the first one's (RFC 8305 section 4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (same, other): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(addresses.len());
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    loop {
        let pair = (same.next(), other.next());
        if pair == (None, None) {
            return ordered;
        }
        ordered.extend(pair.0);
        ordered.extend(pair.1);
    }
}

/// Connects to the first that answers; the next one is tried when one fails or takes its time.
async fn race(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr, Vec<SocketAddr>)> {
    let mut waiting = addresses.iter().copied();
    let mut trying = FuturesUnordered::new();
    let mut started = Vec::new();
    let mut failed = None;
    let mut begin = true;
    loop {
        if begin && let Some(address) = waiting.next() {
            started.push(address);
            trying.push(async move { (connect(address).await, address) });
        }
        let next = tokio::time::timeout(ATTEMPT_DELAY, trying.next()).await;
        begin = match next {
            Ok(Some((Ok(stream), address))) => {
                started.retain(|other| *other != address);
                return Ok((stream, address, started));
            }
            Ok(Some((Err(error), _))) => {
                failed.get_or_insert(error);
                true
            }
            Ok(None) => return Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
            Err(_) => true,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let cases: [(&[&str], &[&str]); 3] = [
            (&["[::1]:1", "[::2]:1", "1.1.1.1:1", "2.2.2.2:1"], &["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1"]),
            (&["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1", "[::1]:1"], &["1.1.1.1:1", "[::1]:1", "2.2.2.2:1", "3.3.3.3:1"]),
            (&["1.1.1.1:1"], &["1.1.1.1:1"]),
        ];
        for (given, expected) in cases {
            assert_eq!(interleaved(&all(given)), all(expected));
        }
    }

    #[tokio::test]
    async fn the_first_that_answers_wins_and_the_others_are_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dead = closed.local_addr().unwrap();
        drop(closed);
        let alive = listener.local_addr().unwrap();
        let (_, address, lost) = race(&[dead, alive]).await.unwrap();
        assert_eq!((address, lost), (alive, vec![dead]));
        assert_eq!(race(&[dead]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(race(&[]).await.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
