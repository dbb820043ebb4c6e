//! The response of a target as the client gets it: fields of the target's hop taken out, framing left to the client's
//! connection, the body with the connection that it comes by.

use http::header::CONTENT_LENGTH;
use http::{StatusCode, Version, response};

use super::fields::{self, Fields};
use super::lease::{Held, Leased};
use super::serve::{Limits, is_sending};
use super::tunnel;
use crate::exchange::{Body, Error, Exchange, Switched, codes};

/// A response head as it came.
pub(super) struct Received {
    pub(super) head: response::Parts,
    /// Which of the fields that matter it has.
    pub(super) found: Fields,
}

/// Fills in the response.
pub(super) fn fill(
    x: &mut Exchange,
    received: Received,
    mut held: Held,
    (has_body, upgrade): (bool, Option<(http::HeaderValue, Switched)>),
    limits: &Limits,
) -> Result<(), Error> {
    x.record.answered = Some(x.local.program.clock.now());
    let Received { mut head, found } = received;
    if found.has(Fields::CONNECTION) {
        fields::remove_named(&mut head.headers);
    }
    fields::remove_hop_by_hop(&mut head.headers, found);
    if found.has(Fields::TRANSFER_ENCODING) && found.has(Fields::CONTENT_LENGTH) {
        // The length is not that of the body (RFC 9112 section 6.3).
        head.headers.remove(CONTENT_LENGTH);
    }
    head.version = Version::HTTP_11;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let Some((protocol, client)) = upgrade else {
            held.in_flight.failed();
            return Err(Error::new(&codes::UPSTREAM_PROTOCOL, "The upstream changed the protocol unasked."));
        };
        fields::ask_upgrade(&mut head.headers, protocol);
        x.response = Some(head);
        x.response_body = Body::Empty;
        tunnel::open(x, held, client, limits.idle);
        return Ok(());
    }
    x.response = Some(head);
    if held.is_end_stream() {
        x.response_body = Body::Empty;
        held.give_back();
        return Ok(());
    }
    let mut sending = None;
    if has_body && is_sending(x.meter.as_ref()) {
        held = held.beside();
        sending = x.meter.clone();
    }
    x.response_body = Body::Upstream(Leased::new(held, sending, limits.idle, limits.total));
    Ok(())
}
