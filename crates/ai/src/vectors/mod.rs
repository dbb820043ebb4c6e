//! What is alike: vectors of texts, and which of those that are remembered is nearest to another.
//!
//! A lookup reads a sketch of 256 bits of each vector ([`Sketch`]), and the vectors themselves only of those whose sketch is
//! near: 50,000 vectors of 1,536 dimensions are 300 MiB to read, their sketches 2 MiB.

mod ring;
mod sketch;
#[cfg(test)]
mod tests;

pub use self::ring::{Placed, Ring};
pub use self::sketch::Sketch;

/// The most dimensions of a vector.
const MOST: usize = 8192;
/// So many sums are taken side by side, which processors do at once.
const LANES: usize = 16;

/// A vector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    sketch: Sketch,
    values: Box<[f32]>,
}

impl Vector {
    /// Of these values, brought to length 1; none where they have no direction, are not finite, or are more than 8192.
    #[must_use]
    pub fn of(mut values: Vec<f32>) -> Option<Self> {
        let length = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if values.len() > MOST || !length.is_normal() {
            return None;
        }
        values.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        Some(Self { sketch: Sketch::of(&values), values: values.into() })
    }

    /// The cosine of the angle between two; none where they have not the same dimensions.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> Option<f32> {
        let same = self.values.len() == other.values.len();
        same.then(|| dot(&self.values, &other.values).clamp(-1.0, 1.0))
    }

    /// About where it points.
    #[must_use]
    pub const fn sketch(&self) -> &Sketch {
        &self.sketch
    }

    /// The bytes of memory that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.values) + size_of::<Self>()
    }
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest: f32 = ones.remainder().iter().zip(others.remainder()).map(|(one, other)| one * other).sum();
    for (one, other) in ones.zip(others) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    sums.iter().sum::<f32>() + rest
}
