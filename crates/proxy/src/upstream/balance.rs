//! Which target takes the next request.

use model::resource::Balance;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::random;

/// Targets that were tried for an exchange already, by place.
pub(super) type Tried = SmallVec<[usize; 4]>;

/// Chooses among targets by weight.
pub(super) struct Balancer {
    how: Balance,
    weights: Box<[u32]>,
    /// Targets with a weight, by place.
    active: Box<[usize]>,
    /// The state of smooth weighted round robin, a worker each: they need not agree, as each is fair for itself.
    turns: Box<[Mutex<Vec<i64>>]>,
}

impl Balancer {
    /// A balancer over targets of these weights.
    pub(super) fn new(how: Balance, weights: Vec<u16>, workers: usize) -> Self {
        let weights: Box<[u32]> = weights.into_iter().map(u32::from).collect();
        let active = weights.iter().enumerate().filter(|(_, weight)| **weight > 0).map(|(at, _)| at).collect();
        let turns = (0..workers.max(1)).map(|_| Mutex::new(vec![0; weights.len()])).collect();
        let balancer = Self { how, weights, active, turns };
        if how == Balance::RoundRobin {
            // Workers begin at different places, so that the first requests of all of them do not meet at one target.
            for worker in 0..workers.max(1) {
                for _ in 0..worker % balancer.active.len().max(1) {
                    balancer.in_turn(worker, &balancer.active);
                }
            }
        }
        balancer
    }

    /// The next target, by place: none that was tried, and none where all were.
    pub(super) fn choose(&self, worker: usize, tried: &Tried, in_flight: impl Fn(usize) -> u64) -> Option<usize> {
        if tried.is_empty() {
            return self.among(&self.active, worker, in_flight);
        }
        let left: SmallVec<[usize; 16]> = self.active.iter().filter(|at| !tried.contains(at)).copied().collect();
        self.among(&left, worker, in_flight)
    }

    fn among(&self, places: &[usize], worker: usize, in_flight: impl Fn(usize) -> u64) -> Option<usize> {
        if let [] | [_] = places {
            return places.first().copied();
        }
        match self.how {
            Balance::RoundRobin => self.in_turn(worker, places),
            Balance::LeastRequest => self.less_busy(places, in_flight),
            Balance::Random => self.at_random(places),
        }
    }

    fn weight(&self, place: usize) -> u32 {
        self.weights.get(place).copied().unwrap_or(0)
    }

    /// Smooth weighted round robin: each gains its weight, the richest is taken and pays for all.
    fn in_turn(&self, worker: usize, places: &[usize]) -> Option<usize> {
        let mut turns = self.turns.get(worker).or_else(|| self.turns.first())?.lock();
        let mut sum = 0;
        let mut best: Option<(usize, i64)> = None;
        for &place in places {
            let weight = i64::from(self.weight(place));
            let turn = turns.get_mut(place)?;
            *turn += weight;
            sum += weight;
            if best.is_none_or(|(_, most)| *turn > most) {
                best = Some((place, *turn));
            }
        }
        let (place, _) = best?;
        *turns.get_mut(place)? -= sum;
        Some(place)
    }

    /// Of two drawn at random, the one with less in flight for its weight.
    fn less_busy(&self, places: &[usize], in_flight: impl Fn(usize) -> u64) -> Option<usize> {
        let (first, second) = two_of(places.len());
        let (&first, &second) = (places.get(first)?, places.get(second)?);
        // With the request that is to come, so that a weight counts among idle targets too.
        let load = |place, other| (in_flight(place) + 1) * u64::from(self.weight(other));
        Some(if load(second, first) < load(first, second) { second } else { first })
    }

    fn at_random(&self, places: &[usize]) -> Option<usize> {
        let sum: u32 = places.iter().map(|&place| self.weight(place)).sum();
        let mut drawn = random::below(sum.max(1));
        for &place in places {
            let weight = self.weight(place);
            if drawn < weight {
                return Some(place);
            }
            drawn -= weight;
        }
        None
    }
}

/// Two different places under `count`, which is at least 2.
pub(super) fn two_of(count: usize) -> (usize, usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let first = random::below(count);
    let second = random::below(count.saturating_sub(1).max(1));
    let second = if second >= first { second + 1 } else { second };
    (first as usize, second as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(balancer: &Balancer, draws: usize, in_flight: impl Fn(usize) -> u64 + Copy) -> Vec<usize> {
        let mut counts = vec![0; balancer.weights.len()];
        for _ in 0..draws {
            counts[balancer.choose(0, &Tried::new(), in_flight).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn round_robin_is_smooth_and_exact() {
        let balancer = Balancer::new(Balance::RoundRobin, vec![5, 1, 1], 1);
        let order: Vec<usize> = (0..7).map(|_| balancer.choose(0, &Tried::new(), |_| 0).unwrap()).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(counts(&balancer, 700, |_| 0), [500, 100, 100]);
    }

    #[test]
    fn workers_begin_at_different_targets() {
        let balancer = Balancer::new(Balance::RoundRobin, vec![1, 1, 1], 4);
        let first: Vec<usize> = (0..4).map(|worker| balancer.choose(worker, &Tried::new(), |_| 0).unwrap()).collect();
        assert_eq!(first, [0, 1, 2, 0]);
    }

    #[test]
    fn a_weight_of_zero_gets_nothing() {
        for how in [Balance::RoundRobin, Balance::LeastRequest, Balance::Random] {
            let balancer = Balancer::new(how, vec![0, 3, 0, 1], 1);
            let counts = counts(&balancer, 1000, |_| 0);
            assert_eq!((counts[0], counts[2]), (0, 0), "{how:?}");
            assert!(counts[1] > 0, "{how:?}");
        }
    }

    #[test]
    fn what_was_tried_is_left_out_until_nothing_is_left() {
        for how in [Balance::RoundRobin, Balance::LeastRequest, Balance::Random] {
            let balancer = Balancer::new(how, vec![1, 2, 3], 1);
            let mut tried = Tried::new();
            for _ in 0..3 {
                let place = balancer.choose(0, &tried, |_| 0).unwrap();
                assert!(!tried.contains(&place), "{how:?}");
                tried.push(place);
            }
            assert_eq!(balancer.choose(0, &tried, |_| 0), None, "{how:?}");
        }
    }

    #[test]
    fn random_follows_the_weights() {
        let counts = counts(&Balancer::new(Balance::Random, vec![1, 9], 1), 20_000, |_| 0);
        assert!((1_700..2_300).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn least_request_avoids_the_busy_one() {
        let balancer = Balancer::new(Balance::LeastRequest, vec![1, 1, 1], 1);
        let counts = counts(&balancer, 3_000, |place| if place == 1 { 10 } else { 0 });
        assert_eq!(counts[1], 0, "one of any two is always less busy than it: {counts:?}");
        assert!(counts[0] > 1_000 && counts[2] > 1_000, "{counts:?}");
    }

    #[test]
    fn least_request_fills_by_weight() {
        let balancer = Balancer::new(Balance::LeastRequest, vec![1, 3], 1);
        let busy = std::cell::RefCell::new(vec![0u64; 2]);
        for _ in 0..400 {
            let place = balancer.choose(0, &Tried::new(), |place| busy.borrow()[place]).unwrap();
            busy.borrow_mut()[place] += 1;
        }
        assert!((95..=105).contains(&busy.borrow()[0]), "{busy:?}");
    }

    #[test]
    fn two_draws_differ_and_reach_every_place() {
        let mut reached = [false; 5];
        for _ in 0..1_000 {
            let (first, second) = two_of(5);
            assert!(first != second && first < 5 && second < 5);
            reached[second] = true;
        }
        assert_eq!(reached, [true; 5]);
    }
}
