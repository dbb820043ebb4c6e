//! Upstreams: what takes requests. The way of a request is in [`serve`]; [`checkout`] gets it a connection from the
//! [`pool`] or opens one ([`connect`], [`tls`], [`dns`]); [`forward`] makes the request head, [`answer`] the response,
//! [`lease`] ties the response body to its connection and [`tunnel`] what comes after an upgrade.
//!
//! Nothing here is looked up by a name of the configuration when a request comes, and no two workers share a list of
//! connections. What outlives a program (pools, counters, resolved names) is found again by address, protocol and TLS.

mod again;
mod answer;
mod attempt;
mod balance;
#[doc(hidden)]
pub mod benching;
mod breaker;
mod budget;
mod call;
mod care;
mod checkout;
mod compile;
mod connect;
mod deadline;
mod dns;
mod endpoint;
mod failure;
mod fallback;
pub(crate) mod fields;
mod forward;
mod gate;
mod h1;
mod h2;
mod health;
mod hedge;
mod lease;
mod pool;
mod replay;
mod retry;
mod serve;
mod spare;
mod status;
mod stream;
mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
mod tunnel;
mod view;

use std::sync::Arc;

use http::HeaderValue;
use http::uri::Authority;
use model::load::Spanned;
use model::problem::Problems;
use model::resource::Timeouts;

pub use breaker::BreakerState;
pub use call::{Answer, CallLimits};
pub use compile::Around;
pub use deadline::Deadline;
pub use lease::Leased;
pub use status::{AddressStatus, TargetStatus, UpstreamStatus};
pub(crate) use tls::client_tls;
pub(crate) use trace::is_valid as is_traceparent;

use crate::clock::Clock;
use crate::program::UpstreamId;
use balance::Balance;
use breaker::Breaker;
use fallback::Fallback;
use health::Health;
use hedge::Hedge;
use pool::Terms;
use retry::{Extras, Retry};
use target::Target;
use view::{Changes, Seats};

/// An upstream at run time.
pub struct Upstream {
    /// Its place in its program.
    pub id: UpstreamId,
    /// Its name.
    pub name: Arc<str>,
    balance: Balance,
    spill: view::Terms,
    /// Where the gateway is.
    zone: Option<String>,
    seats: Seats,
    changes: Arc<Changes>,
    health: Health,
    retry: Option<Retry>,
    hedge: Option<Hedge>,
    breaker: Option<Breaker>,
    fallback: Option<Fallback>,
    extras: Arc<Extras>,
    targets: Box<[Arc<Target>]>,
    host: HostOut,
    timeouts: Timeouts,
    terms: Terms,
    clock: Clock,
}

impl Upstream {
    /// Host and port of its first target, as `Host` has it.
    pub(crate) fn first_authority(&self) -> &str {
        self.targets.first().map_or("", |target| target.authority.as_str())
    }
}

/// Host, port and authority of a target's URL; what is wrong with it is a problem.
pub(crate) fn target_url(written: &Spanned<String>, problems: &mut Problems) -> Option<(String, u16, String)> {
    let url = target::Url::parse(written, "", problems)?;
    Some((url.host, url.port, url.authority.to_string()))
}

/// The `Host` that targets see.
#[derive(Clone)]
enum HostOut {
    /// The target's own.
    Target,
    /// What the client sent.
    Preserve,
    /// This one, as a field and as `:authority`.
    Literal(HeaderValue, Authority),
}
