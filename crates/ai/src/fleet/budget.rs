//! How much may be asked beside the calls themselves: so that retries and hedges do not become a load of their own.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use model::value::Percent;

/// In millionths: one call more.
const ONE: u64 = 1_000_000;
/// The most that is saved up, and what there is in the beginning.
const MOST: u64 = 10 * ONE;

/// A share of the calls. It outlives the program.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: AtomicU64::new(MOST) }
    }
}

impl Budget {
    /// There is a call, which is good for this share of another.
    pub(crate) fn earn(&self, share: Percent) {
        let left = self.left.load(Relaxed);
        if left < MOST {
            self.left.fetch_add(u64::from(share.millionths()), Relaxed);
        }
    }

    /// Whether there may be another.
    pub(crate) fn spend(&self) -> bool {
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(ONE)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_share_of_the_calls_and_a_little_to_begin_with() {
        let budget = Budget::default();
        let mut spent = 0;
        for _ in 0..1000 {
            budget.earn(Percent::new(20));
            spent += u32::from(budget.spend());
        }
        assert!((205..=212).contains(&spent), "{spent}");
    }
}
