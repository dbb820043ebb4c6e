//! The keys of a provider, in turn; one that is refused or used up rests.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use model::resource::Provider as Written;
use proxy::program::Compile;

use super::rest::Rest;
use crate::providers::Auth;

/// A key of a provider.
pub(crate) struct Key {
    pub(super) value: HeaderValue,
    /// Outlives the program.
    pub(crate) rest: Arc<Rest>,
}

/// How long one call may try a key that was refused before another may.
pub(crate) const TRIES: Duration = Duration::from_secs(60);

/// That all keys of a provider rest.
pub(crate) struct Resting {
    /// When the first is back.
    pub(crate) until: u64,
    /// Whether all were refused.
    pub(crate) refused: bool,
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
