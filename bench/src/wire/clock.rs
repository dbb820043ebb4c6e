//! One clock for both ends, so that what the upstream says of a time can be held against when the load hears it.

use std::sync::LazyLock;
use std::time::Instant;

/// Nanoseconds since the epoch.
pub(crate) type Nanos = u64;

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When the clock began: the first time that somebody looked.
pub(crate) fn epoch() -> Instant {
    *EPOCH
}

/// The time now.
pub(crate) fn now() -> Nanos {
    u64::try_from(EPOCH.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
