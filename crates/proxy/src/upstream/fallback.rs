//! What takes a request that an upstream cannot.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::exchange::{Body, Exchange};
use crate::program::UpstreamId;

/// What takes a request that an upstream cannot.
pub(super) enum Fallback {
    Upstream(UpstreamId),
    Respond(Respond),
}

/// An answer that is always the same.
pub(super) struct Respond {
    pub(super) status: StatusCode,
    pub(super) content_type: HeaderValue,
    pub(super) body: Bytes,
}

impl Respond {
    /// Fills it in.
    pub(super) fn fill(&self, x: &mut Exchange) {
        let mut head = Response::new(()).into_parts().0;
        head.status = self.status;
        head.headers.insert(CONTENT_TYPE, self.content_type.clone());
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        x.response = Some(head);
        x.response_body = Body::from(self.body.clone());
    }
}
