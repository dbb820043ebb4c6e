//! The operations port: health, readiness, metrics, state. Over TCP it is read-only and checks `Host`; over its Unix socket,
//! and for who shows its token, it also takes what changes state. It is served by the control thread, so that nothing asked here stalls traffic.

mod answer;
pub(crate) mod config;
mod host;
pub mod log;
mod pages;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use model::resource::Operations;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use crate::reload::Reloader;

/// Connections at a time; more wait to be accepted.
const MOST_CONNECTIONS: usize = 64;
/// How long a request head may take, and the last answer of a connection.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may be there.
const LONG: Duration = Duration::from_secs(300);

/// What a connection may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Look, if `Host` is good.
    Look,
    /// The same from this machine.
    Here,
    /// Look and change.
    Change,
}

/// Everything that the port tells of.
pub(crate) struct Port {
    reloader: Arc<Reloader>,
    level: log::LevelHandle,
}

impl Port {
    /// What the port tells of.
    pub(crate) fn new(reloader: Arc<Reloader>, level: log::LevelHandle) -> Arc<Self> {
        Arc::new(Self { reloader, level })
    }

    /// Listens, and serves from the current runtime. The address it got.
    pub(crate) async fn serve(self: &Arc<Self>, written: &Operations) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(written.address.as_str()).await.with_context(|| {
            format!("cannot listen at {} for the operations port (`operations.address`)", *written.address)
        })?;
        let address = listener.local_addr()?;
        tokio::spawn(self.clone().accept(listener));
        if let Some(path) = &written.socket {
            tokio::spawn(self.clone().accept_local(local(path)?));
        }
        Ok(address)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        while let Ok(place) = places.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let port = self.clone();
                    let reach = if peer.ip().to_canonical().is_loopback() { Reach::Here } else { Reach::Look };
                    tokio::spawn(async move {
                        port.connection(stream, reach).await;
                        drop(place);
                    });
                }
                Err(error) => back_off(&error).await,
            }
        }
    }

    async fn accept_local(self: Arc<Self>, listener: UnixListener) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        while let Ok(place) = places.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let port = self.clone();
                    // The file's mode comes a moment after the socket; this does not.
                    if !stream.peer_cred().is_ok_and(|peer| is_own(peer.uid())) {
                        continue;
                    }
                    tokio::spawn(async move {
                        port.connection(stream, Reach::Change).await;
                        drop(place);
                    });
                }
                Err(error) => back_off(&error).await,
            }
        }
    }

    async fn connection<S>(self: Arc<Self>, stream: S, reach: Reach)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let port = self.clone();
            async move { Ok::<_, std::convert::Infallible>(pages::answer(&port, reach, request).await) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 << 10);
        // Places are few: nobody keeps one for good, be it with requests or by reading slowly.
        let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        if tokio::time::timeout(LONG, served.as_mut()).await.is_err() {
            served.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(HEAD, served).await;
        }
    }
}

/// Whether this is the user that the gateway runs as, or root.
fn is_own(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

/// A socket that only this user can reach. A stale file of a gateway that is gone is replaced; a live one is not.
fn local(path: &str) -> anyhow::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        anyhow::bail!("another gateway serves {path} (`operations.socket`)");
    }
    if std::fs::symlink_metadata(path).is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()))
    {
        std::fs::remove_file(path)?;
    }
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen at {path} (`operations.socket`)"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn back_off(error: &std::io::Error) {
    tracing::warn!(target: "tollgate::operations", %error, "cannot accept");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
