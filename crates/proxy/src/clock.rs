//! One clock for every limiter, breaker, health check and lease. It is read once an exchange; tests turn it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A moment: nanoseconds since the clock was made. Never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;
    fn add(self, by: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Where time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's monotonic clock.
    System {
        /// When this clock was made.
        zero: Instant,
        /// The same in nanoseconds of `CLOCK_MONOTONIC`.
        monotonic: u64,
        /// The wall clock then, since 1970.
        wall: Duration,
    },
    /// Turned by hand, in nanoseconds.
    Manual(Arc<AtomicU64>),
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock::System { zero: Instant::now(), monotonic: nanoseconds(ClockId::Monotonic), wall }
    }

    /// A clock that a test turns, and the hand that turns it.
    pub fn manual() -> (Self, Arc<AtomicU64>) {
        let hand = Arc::new(AtomicU64::new(0));
        (Clock::Manual(hand.clone()), hand)
    }

    /// Now.
    pub fn now(&self) -> Time {
        match self {
            Clock::System { zero, .. } => Time(u64::try_from(zero.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            Clock::Manual(hand) => Time(hand.load(Relaxed)),
        }
    }

    /// The moment zero by the wall clock, in nanoseconds since 1970, so that windows lie as people expect them. It stays
    /// as it was found, however the wall clock is corrected.
    pub fn zero(&self) -> u64 {
        match self {
            Clock::System { wall, .. } => u64::try_from(wall.as_nanos()).unwrap_or(0),
            Clock::Manual(_) => 0,
        }
    }

    /// Now, or a few milliseconds ago: read at a fifth of the cost, for what takes seconds. It may lag behind [`Clock::now`].
    pub fn lately(&self) -> Time {
        match self {
            Clock::System { monotonic, .. } => Time(nanoseconds(ClockId::MonotonicCoarse).saturating_sub(*monotonic)),
            Clock::Manual(hand) => Time(hand.load(Relaxed)),
        }
    }

    /// The runtime's moment of `at`, for timers. A clock that is turned by hand has none, so its timers count from now.
    pub fn instant(&self, at: Time) -> tokio::time::Instant {
        match self {
            Clock::System { zero, .. } => tokio::time::Instant::from_std(*zero + Duration::from_nanos(at.0)),
            Clock::Manual(_) => tokio::time::Instant::now(),
        }
    }

    /// What the wall clock said at a moment, since 1970, as if nobody had set it since the gateway started. Costs no look
    /// at the clock.
    pub fn wall_at(&self, at: Time) -> Duration {
        match self {
            Clock::System { wall, .. } => *wall + Duration::from_nanos(at.0),
            Clock::Manual(_) => Duration::from_nanos(at.0),
        }
    }

    /// The wall clock now, since 1970. Read anew from the machine, so that a corrected clock shows.
    pub fn wall(&self) -> Duration {
        match self {
            Clock::System { .. } => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Clock::Manual(hand) => Duration::from_nanos(hand.load(Relaxed)),
        }
    }
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default())
}
