//! Drives one connection from its first byte to its last.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::wire::Wire;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::door::{Door, Permit};
use super::life::Life;
use super::service;
use crate::exchange::Connection;

/// Serves a connection until it is over.
pub(super) async fn serve(door: Arc<Door>, stream: TcpStream, peer: SocketAddr, _permit: Permit) {
    let Ok(local) = stream.local_addr() else { return };
    let connection = Arc::new(Connection::new(door.slot, peer, local, None));
    let life = Life::new(door, connection);
    let served = http1::Builder::new()
        .half_close(false)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(Wire(stream)), service_fn(|request| service::call(&life, request)))
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    tokio::select! {
        ended = &mut served => drop(ended),
        () = life.door.closing() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}
