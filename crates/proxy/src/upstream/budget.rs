//! How much may be sent beside the requests themselves, so that retries and hedges do not become a load of their own.

use parking_lot::Mutex;

use crate::clock::Time;

/// So many a second there may always be.
const ALWAYS: f64 = 10.0;
/// So many seconds' worth are saved up.
const SAVED: f64 = 10.0;

/// A share of the requests, or ten a second where that is more. It is looked at only when something is spent.
#[derive(Debug, Default)]
pub(super) struct Budget(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    left: f64,
    /// When it was last looked at, and after how many requests.
    at: Option<(Time, u64)>,
    /// Requests a second, of late, and from when and how many requests on they are counted.
    rate: f64,
    counted: (Time, u64),
}

impl Budget {
    /// Whether there may be one more now, after so many requests.
    pub(super) fn spend(&self, now: Time, requests: u64, share: f64) -> bool {
        let mut account = self.0.lock();
        account.earn(now, requests, share);
        let may = account.left >= 1.0;
        if may {
            account.left -= 1.0;
        }
        may
    }
}

impl Account {
    fn earn(&mut self, now: Time, requests: u64, share: f64) {
        let Some((at, seen)) = self.at.replace((now, requests)) else {
            (self.left, self.counted) = (ALWAYS, (now, requests));
            return;
        };
        let (from, counted) = self.counted;
        let seconds = now.since(from).as_secs_f64();
        if seconds >= 1.0 {
            self.rate = requests.saturating_sub(counted) as f64 / seconds;
            self.counted = (now, requests);
        }
        let earned = (ALWAYS * now.since(at).as_secs_f64()).max(share * requests.saturating_sub(seen) as f64);
        let most = SAVED * ALWAYS.max(share * self.rate);
        self.left = (self.left + earned).min(most.max(ALWAYS));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However requests and retries come, no more are spent than the floor and the share allow, with what was there at
        /// first.
        #[test]
        fn no_more_is_spent_than_is_earned(
            share in 0.0..0.5_f64,
            steps in prop::collection::vec((0_u64..2_000_000_000, 0_u64..500, 0_usize..200), 1..60),
        ) {
            let budget = Budget::default();
            let (mut now, mut requests, mut spent, mut allowed) = (Time(1), 0, 0_u32, ALWAYS);
            for (at, (passes, more, tries)) in steps.into_iter().enumerate() {
                if at > 0 {
                    now = Time(now.0 + passes);
                    requests += more;
                    allowed += (ALWAYS * passes as f64 / 1e9).max(share * more as f64);
                }
                // Once is looked at it in each step, so that steps are what is earned by.
                for _ in 0..=tries {
                    spent += u32::from(budget.spend(now, requests, share));
                }
                prop_assert!(f64::from(spent) <= allowed + 1e-6, "{spent} {allowed}");
            }
        }
    }

    #[test]
    fn a_fifth_of_many_requests_and_ten_a_second_of_few() {
        for (requests, share, expected) in [(100_000_u64, 0.2, 20_000), (100, 0.2, 1_000), (100_000, 0.0, 1_000)] {
            let budget = Budget::default();
            let mut spent = 0;
            for step in 0..10_000_u64 {
                let (now, seen) = (Time(step * 10_000_000), requests * step / 10_000);
                spent += (0..5).filter(|_| budget.spend(now, seen, share)).count();
            }
            assert!((expected - 30..=expected + 30).contains(&spent), "{requests} {share}: {spent}");
        }
    }
}
