//! Upstreams: pools, balance, timeouts, TLS out, DNS.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use model::problem::Problems;

use crate::exchange::{BodyError, Error, Exchange};
use crate::program::{Environment, RoutePlan, UpstreamId};

/// An upstream at run time.
pub struct Upstream {
    /// Its place in its program.
    pub id: UpstreamId,
    /// Its name.
    pub name: Arc<str>,
}

impl Upstream {
    /// Compiles an upstream. Its pools and counters are those of its predecessor where addresses stay.
    pub fn compile(
        id: UpstreamId,
        written: &model::resource::Upstream,
        _path: &str,
        _env: &Environment,
        _problems: &mut Problems,
    ) -> Option<Arc<Self>> {
        Some(Arc::new(Self { id, name: written.name.to_string().into() }))
    }

    /// Sends the exchange's request and fills in the response head and body.
    pub async fn serve(&self, _x: &mut Exchange, _plan: &RoutePlan) -> Result<(), Error> {
        Err(Error::new(&crate::exchange::codes::NO_TARGET, "The upstream has no target."))
    }
}

/// A response body with the connection it comes by, which goes back to its pool when the body ends.
pub struct Leased {}

impl Leased {
    /// The next frame.
    pub fn poll_frame(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(None)
    }

    /// Whether there is no more.
    pub fn is_end_stream(&self) -> bool {
        true
    }

    /// How much is to come.
    pub fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}
