//! HTTP/1.1 and 1.0 on a connection (RFC 9112).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::connection::{goodbye, linger};
use super::service;
use super::transport::{Stream, Transport};
use super::watch::{Due, Holder, Watch};
use crate::telemetry::Refusal;

/// What a head that does not come in time is answered with.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/problem+json\r\n\
    content-length: 143\r\n\
    connection: close\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Request timeout\",\"status\":408,\
    \"detail\":\"The request head did not arrive in time.\",\"code\":\"request.head_timeout\"}";
/// How long that answer may take.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Serves exchanges until the connection is over, or quiet: then it is given back.
pub(super) async fn serve<S: Stream>(transport: Transport<S>, watch: &mut Watch) -> Option<Transport<S>> {
    let life = transport.life().clone();
    let served = life.clone();
    let answer = service_fn(move |request| service::call(&served, request));
    let mut http = life.rules.h1.serve_connection(TokioIo::new(transport), answer).with_upgrades();
    let end = poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut http).poll(cx) {
                return Poll::Ready(End::Over(ended));
            }
            match watch.poll(cx, &life, Holder::H1) {
                // The next answer says so; who has nothing to ask gets a moment.
                Poll::Ready(Due::Leave) => {}
                Poll::Ready(due) => return Poll::Ready(End::Due(due)),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    let end = end.await;
    // Nothing is left of it where it was upgraded.
    let parts = http.into_parts()?;
    let mut transport = parts.io.into_inner();
    match end {
        End::Over(ended) => {
            if let Err(error) = &ended {
                over(&transport, error);
            }
            linger(&mut transport).await;
            None
        }
        End::Due(Due::Park) => {
            transport.give_back(parts.read_buf);
            Some(transport)
        }
        End::Due(Due::Head) => {
            let _ = tokio::time::timeout(LAST_WORD, transport.write_all(TOO_SLOW)).await;
            goodbye(&mut transport).await;
            None
        }
        End::Due(Due::Idle | Due::Leave) => {
            goodbye(&mut transport).await;
            None
        }
        End::Due(Due::Cut) => None,
    }
}

enum End {
    Over(hyper::Result<()>),
    Due(Due),
}

/// Counts what hyper refused by itself: it answers 400, 414 or 431 to a head that it cannot read.
fn over<S>(transport: &Transport<S>, error: &hyper::Error) {
    let life = transport.life();
    if error.is_parse() || error.is_parse_too_large() {
        life.rules.metrics.refused(life.door.current.load().local.worker, Refusal::Malformed);
    }
    tracing::debug!(target: "tollgate::listen", peer = %life.connection.peer, %error, "connection ended");
}
