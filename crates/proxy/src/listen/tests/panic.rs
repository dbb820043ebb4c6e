//! A defect costs one exchange.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::kit::{Gate, echo, until};
use crate::exchange::{Body, BodyError, Exchange, response_head};
use crate::policies::{Outcome, Verdict};
use crate::terminals::Answer;

/// Where it panics.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Call,
    Await,
    Body,
    Nowhere,
}

struct Panics;

/// Gives chunks for ever, or panics.
struct Chunks(Where, u8);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BodyError;
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.1 = self.1.saturating_add(1);
        assert!(!(self.0 == Where::Body && self.1 > 2), "in a body");
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16_384])))))
    }
}

impl Answer for Panics {
    fn kind(&self) -> &'static str {
        "panics"
    }
    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let place = match x.request.uri.path() {
            "/call" => Where::Call,
            "/await" => Where::Await,
            "/body" => Where::Body,
            _ => Where::Nowhere,
        };
        assert!(place != Where::Call, "in a call: {}", x.request.uri);
        x.response = Some(response_head(http::StatusCode::OK));
        x.response_body = match place {
            Where::Body => Body::Stream(Box::pin(Chunks(place, 0))),
            _ => Body::from("fine".to_owned()),
        };
        Verdict::Await(Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(place != Where::Await, "after waiting");
            Outcome::Next
        }))
    }
}

struct Endless;

impl Answer for Endless {
    fn kind(&self) -> &'static str {
        "endless"
    }
    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        x.response = Some(response_head(http::StatusCode::OK));
        x.response_body = Body::Stream(Box::pin(Chunks(Where::Nowhere, 0)));
        Verdict::NEXT
    }
}

/// A terminal whose body never ends.
pub(super) fn endless() -> Arc<dyn Answer> {
    Arc::new(Endless)
}

struct Refuses;

impl Answer for Refuses {
    fn kind(&self) -> &'static str {
        "refuses"
    }
    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        x.response = Some(response_head(http::StatusCode::PAYLOAD_TOO_LARGE));
        x.response_body = Body::from("too large".to_owned());
        Verdict::NEXT
    }
}

/// A terminal that answers without reading what comes.
pub(super) fn refuses() -> Arc<dyn Answer> {
    Arc::new(Refuses)
}

#[test]
fn a_panic_costs_one_exchange() {
    let gate = Gate::answering(&echo(""), Arc::new(Panics));
    let mut client = gate.connect("main");
    for path in ["/call", "/await"] {
        let response = client.get(path);
        assert_eq!(response.status(), 500, "{path}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert!(response.body.contains("gateway.internal"), "{}", response.body);
        // The same connection goes on.
        assert_eq!(client.get("/fine").body, "fine");
    }
    client.send("GET /body HTTP/1.1\r\nHost: gate\r\n\r\n");
    assert!(client.try_response("GET").is_none(), "a body that broke off does not look whole");
    assert_eq!(gate.connect("main").get("/fine").body, "fine");
    until("all exchanges are over", || gate.gateway.in_flight() == 0);
    assert_eq!(gate.metric("tollgate_panics_total"), 3);
    assert!(gate.gateway.dead_workers().is_empty());
}
