use std::sync::Arc;

use proptest::prelude::*;

use super::{Placed, Ring, Sketch, Vector};

struct Thing(u32, Vector);

impl Placed for Thing {
    fn vector(&self) -> Option<&Vector> {
        Some(&self.1)
    }
}

/// A vector in some direction.
fn drawn(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    // Sums of evenly spread numbers are nearly those of a normal distribution, which has no direction of its own.
    (0..dimensions).map(|_| (0..6).map(|_| next()).sum::<f32>() - 3.0).collect()
}

/// One whose cosine to `from` is about this.
fn near(from: &[f32], cosine: f32, seed: u64) -> Vec<f32> {
    let other = drawn(seed, from.len());
    let length = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>().sqrt();
    let (one, two) = (length(from), length(&other));
    let share = cosine / (1.0 - cosine * cosine).sqrt().max(1e-4);
    from.iter().zip(&other).map(|(from, other)| from / one * share + other / two).collect()
}

#[test]
fn vectors_have_length_one_and_a_direction() {
    for (values, good) in [
        (vec![3.0, 4.0], true),
        (vec![1e-30, 0.0], true),
        (vec![], false),
        (vec![0.0, 0.0], false),
        (vec![f32::NAN, 1.0], false),
        (vec![f32::INFINITY, 1.0], false),
        (vec![1.0; 8192], true),
        (vec![1.0; 8193], false),
    ] {
        let vector = Vector::of(values.clone());
        assert_eq!(vector.is_some(), good, "{:?}", values.first());
        if let Some(vector) = vector {
            assert!((vector.cosine(&vector).unwrap() - 1.0).abs() < 1e-5);
        }
    }
    let of = |values: &[f32]| Vector::of(values.to_vec()).unwrap();
    for (one, other, cosine) in
        [([1.0, 0.0], [0.0, 5.0], 0.0), ([1.0, 1.0], [-2.0, -2.0], -1.0), ([1.0, 0.0], [3.0, 4.0], 0.6)]
    {
        assert!((of(&one).cosine(&of(&other)).unwrap() - cosine).abs() < 1e-6);
    }
    assert_eq!(of(&[1.0, 0.0]).cosine(&of(&[1.0, 0.0, 0.0])), None);
}

#[test]
fn sketches_differ_as_their_vectors_do() {
    for dimensions in [3, 64, 384, 1536] {
        let from = drawn(7, dimensions);
        let sketch = Sketch::of(&from);
        assert_eq!(sketch.differs(&Sketch::of(&from)), 0);
        let scaled: Vec<f32> = from.iter().map(|value| value * 2.0).collect();
        assert_eq!(sketch.differs(&Sketch::of(&scaled)), 0);
        let opposite: Vec<f32> = from.iter().map(|value| -value).collect();
        assert_eq!(sketch.differs(&Sketch::of(&opposite)), 256);
        // Directions that have nothing to do with each other differ in half of the bits.
        let others: u32 = (0..20).map(|seed| sketch.differs(&Sketch::of(&drawn(seed + 100, dimensions)))).sum();
        assert!((64..192).contains(&(others / 20)), "{dimensions}: {}", others / 20);
    }
    assert!(Sketch::most(1.0) < 4 && Sketch::most(0.95) < 64 && Sketch::most(-1.0) == 256);
}

#[test]
fn the_newest_takes_the_place_of_the_oldest() {
    let ring = Ring::new(3);
    let things: Vec<Arc<Thing>> =
        (0..5).map(|at| Arc::new(Thing(at, Vector::of(drawn(u64::from(at), 32)).unwrap()))).collect();
    things.iter().for_each(|thing| ring.push(1, thing));
    assert_eq!(ring.len(), 3);
    for (at, thing) in (0..).zip(&things) {
        let found = ring.nearest(1, &thing.1, 0.99, |_| true).map(|(found, _)| found.0);
        assert_eq!(found, (at >= 2).then_some(at));
        assert!(ring.nearest(2, &thing.1, 0.99, |_| true).is_none(), "another space");
        assert!(ring.nearest(1, &thing.1, 0.99, |found| found.0 != at).is_none(), "not good");
    }
    let last = things.into_iter().next_back().unwrap();
    let vector = last.1.clone();
    drop(last);
    assert!(ring.nearest(1, &vector, 0.99, |_| true).is_none(), "let go of");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A lookup finds what a look at every vector finds.
    #[test]
    fn nothing_near_is_missed(seed in 0_u64..u64::MAX / 2, dimensions in 2_usize..700, least in 0.7_f32..0.99) {
        let ring = Ring::new(60);
        let from = drawn(seed, dimensions);
        let to = Vector::of(from.clone()).unwrap();
        let things: Vec<Arc<Thing>> = (0..80_u32)
            .map(|at| {
                let cosine = 0.5 + 0.5 * (at * 37 % 80) as f32 / 80.0;
                let values = near(&from, cosine, seed.wrapping_add(u64::from(at) + 1));
                Arc::new(Thing(at, Vector::of(values).unwrap()))
            })
            .collect();
        things.iter().for_each(|thing| ring.push(9, thing));
        let naive = things[20..]
            .iter()
            .map(|thing| thing.1.cosine(&to).unwrap())
            .filter(|cosine| *cosine >= least)
            .max_by(f32::total_cmp);
        let found = ring.nearest(9, &to, least, |_| true).map(|(_, cosine)| cosine);
        prop_assert_eq!(found, naive);
    }
}
