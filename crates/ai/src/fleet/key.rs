//! The keys of a provider, in turn; one that is refused or used up rests.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use http::HeaderValue;
use model::resource::Provider as Written;
use proxy::program::Compile;

use crate::providers::Auth;

/// A key of a provider.
pub(crate) struct Key {
    pub(super) value: HeaderValue,
    /// Outlives the program.
    pub(super) rest: Arc<Rest>,
}

/// How a key rests.
#[derive(Default)]
pub(super) struct Rest {
    /// Until when, in nanoseconds of the gateway's clock.
    pub(super) until: AtomicU64,
    /// Whether it was refused, and not only used up.
    pub(super) refused: AtomicBool,
}

/// That all keys of a provider rest.
pub(crate) struct Resting {
    /// When the first is back.
    pub(crate) until: u64,
    /// Whether all were refused.
    pub(crate) refused: bool,
}

impl Key {
    /// Lets it rest until then: it was refused, or else is used up.
    pub(crate) fn rest(&self, until: u64, refused: bool) {
        self.rest.refused.store(refused, Relaxed);
        self.rest.until.fetch_max(until, Relaxed);
    }
}

/// The keys of a provider, as they are shown.
pub(super) fn keys(written: &Written, auth: Auth, cx: &mut Compile<'_>) -> Option<Box<[Key]>> {
    let mut keys = Vec::with_capacity(written.keys.len());
    for key in written.keys.iter() {
        let text = match auth {
            Auth::Bearer => format!("Bearer {}", key.expose()),
            _ => key.expose().clone(),
        };
        let Some(mut value) = HeaderValue::try_from(text).ok().filter(|_| !key.expose().is_empty()) else {
            cx.problem(key.span, "a key is empty, or has bytes that a header must not have", "mend the key");
            return None;
        };
        value.set_sensitive(true);
        let what = format!("ai key {} {}", *written.name, keys.len());
        keys.push(Key { value, rest: cx.keep_for_all(&what, Rest::default) });
    }
    Some(keys.into())
}
