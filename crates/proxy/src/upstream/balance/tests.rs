//! Targets are chosen as configured, exactly where that can be said, else within six standard deviations.

use std::sync::Arc;

use http::Request;

use super::{Tried, mixed, two_of};
use crate::clock::Time;
use crate::exchange::testing::exchange_of;
use crate::exchange::{Body, Exchange};
use crate::program::Program;
use crate::upstream::Upstream;
use crate::upstream::testing::program;
use crate::upstream::view::View;

/// Targets of these weights at addresses that nobody listens on.
fn targets(weights: &[u16]) -> String {
    let targets: Vec<String> = weights
        .iter()
        .enumerate()
        .map(|(at, weight)| format!("{{ url: 'http://10.0.0.{}', weight: {weight} }}", at + 1))
        .collect();
    format!("targets: [{}]", targets.join(", "))
}

struct Bed {
    program: Arc<Program>,
    now: Time,
}

impl Bed {
    fn new(upstream: &str) -> Self {
        Self { program: program(upstream), now: Time(1) }
    }

    fn upstream(&self) -> &Upstream {
        &self.program.upstreams[0]
    }

    fn view(&self) -> Arc<View> {
        self.upstream().view(0, self.now).unwrap()
    }

    fn exchange(&self, user: &str) -> Box<Exchange> {
        exchange_of(&self.program, Request::get("/").header("x-user", user).body(Body::Empty).unwrap())
    }

    /// How often each target is chosen, by the last number of its address.
    fn counts(&self, draws: usize) -> Vec<usize> {
        let view = self.view();
        let mut counts = vec![0; 1 + self.upstream().targets.len()];
        for draw in 0..draws {
            let x = self.exchange(&draw.to_string());
            let at =
                self.upstream().choose((0, self.upstream().balance.key(&x)), self.now, &view, &Tried::new()).unwrap();
            counts[number(&view, at)] += 1;
        }
        counts.remove(0);
        counts
    }

    /// Where each of so many keys goes.
    fn homes(&self, keys: usize) -> Vec<usize> {
        let view = self.view();
        let home = |key: usize| {
            let x = self.exchange(&format!("user-{key}"));
            number(
                &view,
                self.upstream().choose((0, self.upstream().balance.key(&x)), self.now, &view, &Tried::new()).unwrap(),
            )
        };
        (0..keys).map(home).collect()
    }
}

fn number(view: &View, at: usize) -> usize {
    let octets = view.members[at].endpoint.as_ref().unwrap().address;
    let std::net::IpAddr::V4(ip) = octets.ip() else { panic!("targets are of IPv4") };
    usize::from(ip.octets()[3])
}

/// Pearson's chi-square of what was counted against what these weights give.
fn chi_square(counts: &[usize], weights: &[u16]) -> f64 {
    let all: usize = counts.iter().sum();
    let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let terms = counts.iter().zip(weights).filter(|(_, weight)| **weight > 0).map(|(count, weight)| {
        let expected = all as f64 * f64::from(*weight) / sum;
        (*count as f64 - expected).powi(2) / expected
    });
    terms.sum()
}

#[test]
fn round_robin_is_smooth_and_exact() {
    let bed = Bed::new(&targets(&[5, 1, 1]));
    let view = bed.view();
    let x = bed.exchange("a");
    let order: Vec<usize> = (0..7)
        .map(|_| bed.upstream().choose((0, bed.upstream().balance.key(&x)), bed.now, &view, &Tried::new()).unwrap())
        .collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
    assert_eq!(bed.counts(700), [500, 100, 100]);
}

#[test]
fn each_way_follows_the_weights_and_leaves_zero_out() {
    for how in ["round_robin", "random", "{ hash: { header: x-user } }"] {
        let weights = [4, 0, 3, 2, 1];
        let counts = Bed::new(&format!("{}, balance: {how}", targets(&weights))).counts(20_000);
        assert_eq!(counts[1], 0, "{how}");
        // Three degrees of freedom: above 30 one time in a million.
        let chi = chi_square(&counts, &weights);
        assert!(chi < 30.0, "{how}: {counts:?} {chi}");
    }
}

#[test]
fn idle_targets_are_drawn_evenly_by_least_request_and_peak_ewma() {
    for how in ["least_request", "peak_ewma"] {
        let counts = Bed::new(&format!("{}, balance: {how}", targets(&[1, 1, 1, 1]))).counts(20_000);
        let chi = chi_square(&counts, &[1, 1, 1, 1]);
        assert!(chi < 30.0, "{how}: {counts:?} {chi}");
    }
}

#[test]
fn the_slow_one_gets_less_by_peak_ewma() {
    let bed = Bed::new(&format!("{}, balance: peak_ewma", targets(&[1, 1, 1])));
    let view = bed.view();
    for (at, millis) in [(0, 10), (1, 10), (2, 200)] {
        let endpoint = view.members[at].endpoint.as_ref().unwrap();
        endpoint.vitals.took(bed.now, std::time::Duration::from_millis(millis));
    }
    let counts = bed.counts(3_000);
    assert_eq!(counts[2], 0, "one of any two is faster: {counts:?}");
}

#[test]
fn what_was_tried_is_left_out_until_nothing_is_left() {
    for how in ["round_robin", "least_request", "peak_ewma", "random", "{ hash: { header: x-user } }"] {
        let bed = Bed::new(&format!("{}, balance: {how}", targets(&[1, 2, 3])));
        let (view, x) = (bed.view(), bed.exchange("a"));
        let mut tried = Tried::new();
        for _ in 0..3 {
            let place = bed.upstream().choose((0, bed.upstream().balance.key(&x)), bed.now, &view, &tried).unwrap();
            assert!(!tried.contains(&place), "{how}");
            tried.push(place);
        }
        assert_eq!(bed.upstream().choose((0, bed.upstream().balance.key(&x)), bed.now, &view, &tried), None, "{how}");
    }
}

/// Ideal is that the keys of the one that left move, and no others; and that they spread over those that stay.
#[test]
fn only_the_keys_of_a_target_that_leaves_move() {
    let keys = 20_000;
    let ten = [1_u16; 10];
    let before = Bed::new(&format!("{}, balance: {{ hash: {{ header: x-user }} }}", targets(&ten))).homes(keys);
    let mut left = ten;
    left[3] = 0;
    let after = Bed::new(&format!("{}, balance: {{ hash: {{ header: x-user }} }}", targets(&left))).homes(keys);
    let mut counts = vec![0; 11];
    let mut moved = 0;
    for (before, after) in before.iter().zip(&after) {
        if *before == 4 {
            counts[*after] += 1;
            moved += 1;
        } else {
            assert_eq!(before, after);
        }
    }
    let ideal = keys as f64 / 10.0;
    assert!((f64::from(moved) - ideal).abs() < ideal * 0.1, "{moved}");
    counts.remove(0);
    let chi = chi_square(&counts, &left);
    assert!(chi < 45.0, "eight degrees of freedom: {counts:?} {chi}");
}

#[test]
fn a_bound_sends_what_is_over_it_to_the_next() {
    let bed = Bed::new(&format!("{}, balance: {{ hash: {{ header: x-user, bound: 1.25 }} }}", targets(&[1, 1, 1, 1])));
    let (view, x) = (bed.view(), bed.exchange("everybody is the same"));
    let mut held = Vec::new();
    let mut counts = vec![0; 4];
    for sent in 1..=400 {
        let at = bed.upstream().choose((0, bed.upstream().balance.key(&x)), bed.now, &view, &Tried::new()).unwrap();
        counts[at] += 1;
        held.push(crate::upstream::endpoint::InFlight::on(view.members[at].lane(0).unwrap()));
        let most = (1.25 * f64::from(sent) / 4.0).ceil() as usize;
        assert!(counts.iter().all(|count| *count <= most), "{sent}: {counts:?}");
    }
    assert!(counts.contains(&125), "{counts:?}");
}

#[test]
fn least_request_keeps_away_from_the_busy_and_fills_by_weight() {
    let bed = Bed::new(&format!("{}, balance: least_request", targets(&[1, 3])));
    let (view, x) = (bed.view(), bed.exchange("a"));
    let mut held = Vec::new();
    for _ in 0..400 {
        let at = bed.upstream().choose((0, bed.upstream().balance.key(&x)), bed.now, &view, &Tried::new()).unwrap();
        held.push(crate::upstream::endpoint::InFlight::on(view.members[at].lane(0).unwrap()));
    }
    let busy = view.members[0].in_flight();
    assert!((95..=105).contains(&busy), "{busy}");
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

#[test]
fn a_mixed_number_depends_on_every_bit() {
    for bit in 0..64 {
        let changed = (mixed(7) ^ mixed(7 ^ (1 << bit))).count_ones();
        assert!((12..=52).contains(&changed), "{bit}: {changed}");
    }
}
