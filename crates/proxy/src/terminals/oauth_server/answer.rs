//! Answers in the forms of RFC 6749 section 5.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode, response};
use serde_json::{Value, json};

use super::super::reply;
use crate::exchange::{Body, Exchange};
use crate::policies::{Outcome, Reply, Verdict};

/// Why no token is given.
pub(super) enum Refused {
    /// The request has the wrong form.
    Request(&'static str),
    /// Nobody, or not who it says.
    Client,
    /// The refresh token is not good.
    Grant,
    /// Another grant.
    GrantType,
    /// It may not have that.
    Scope,
    /// No token could be made.
    Broken,
    /// What must be remembered cannot be.
    Unable,
}

fn head(status: u16, cache: &'static str) -> response::Parts {
    let mut head = Response::new(()).into_parts().0;
    head.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    head
}

/// A document.
pub(super) fn json<'a>(x: &Exchange, status: u16, document: &Value, cache: &'static str) -> Verdict<'a> {
    reply(x, head(status, cache), Bytes::from(document.to_string()))
}

fn outcome(mut head: response::Parts, body: String) -> Outcome {
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Outcome::Reply(Box::new(Reply { head, body: Body::from(body) }))
}

/// A token, or that one was taken back.
pub(super) fn told(document: &Value) -> Outcome {
    outcome(head(200, "no-store"), document.to_string())
}

/// A refusal.
pub(super) fn refused(refused: &Refused) -> Outcome {
    let (status, error, detail) = match refused {
        Refused::Request(detail) => (400, "invalid_request", *detail),
        Refused::Client => (401, "invalid_client", "The client is not known by this id and secret."),
        Refused::Grant => (400, "invalid_grant", "The refresh token is not good."),
        Refused::GrantType => (400, "unsupported_grant_type", "This grant is not given."),
        Refused::Scope => (400, "invalid_scope", "The client may not have these scopes."),
        Refused::Broken => (500, "server_error", "No token could be made."),
        Refused::Unable => (503, "temporarily_unavailable", "This cannot be done at this time; try again."),
    };
    let mut head = head(status, "no-store");
    if status == 401 {
        head.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"oauth\""));
    }
    if status == 503 {
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    outcome(head, json!({ "error": error, "error_description": detail }).to_string())
}
