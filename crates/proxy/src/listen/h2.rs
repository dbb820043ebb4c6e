//! HTTP/2 on a connection (RFC 9113).

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::FutureExt;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::service;
use super::transport::{Stream, Transport};
use super::watch::{Due, Holder, Watch};
use crate::exchange::Body;

/// Serves exchanges until the connection is over.
pub(super) async fn serve<S: Stream>(transport: Transport<S>, mut watch: Watch) {
    let life = transport.life().clone();
    let served = life.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        service::serve(service::begin(&served, parts, None, Body::from(body), None)).map(Ok::<_, Infallible>)
    });
    let mut http = pin!(life.rules.h2.serve_connection(TokioIo::new(transport), answer));
    let ended = poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = http.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            match watch.poll(cx, &life, Holder::H2) {
                // GOAWAY: what has begun completes.
                Poll::Ready(Due::Leave) => http.as_mut().graceful_shutdown(),
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    if let Err(error) = ended.await {
        tracing::debug!(target: "tollgate::listen", peer = %life.connection.peer, %error, "connection ended");
    }
}
