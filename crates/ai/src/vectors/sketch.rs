//! About where a vector points, in 256 bits: on which sides of 256 planes through the origin it lies. Two vectors are on
//! different sides of a random plane with the probability of their angle over pi (Charikar, "Similarity Estimation
//! Techniques from Rounding Algorithms", 2002). Instead of drawn planes, which would take 1.5 MiB to read, the vector is
//! turned by three rounds of random signs and a Walsh-Hadamard transform (Andoni et al., "Practical and Optimal LSH for
//! Angular Distance", 2015), and the signs of the first 256 coordinates are taken.

/// The bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sketch([u64; 4]);

const BITS: usize = 256;
const ROUNDS: u64 = 3;

impl Sketch {
    /// Of a vector.
    #[must_use]
    pub fn of(values: &[f32]) -> Self {
        let mut turned = values.to_vec();
        turned.resize(values.len().next_power_of_two().max(BITS), 0.0);
        for round in 0..ROUNDS {
            for (at, block) in (0_u64..).zip(turned.chunks_mut(64)) {
                let signs = random(round << 32 | at);
                for (bit, value) in block.iter_mut().enumerate() {
                    if signs >> bit & 1 == 1 {
                        *value = -*value;
                    }
                }
            }
            transform(&mut turned);
        }
        let mut bits = [0; 4];
        for (word, block) in bits.iter_mut().zip(turned.chunks(64)) {
            *word = (0..64).zip(block).fold(0, |word, (bit, value)| word | u64::from(*value < 0.0) << bit);
        }
        Self(bits)
    }

    /// In how many bits two differ.
    #[must_use]
    pub fn differs(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(one, other)| (one ^ other).count_ones()).sum()
    }

    /// In how many bits the sketches of two vectors differ at most whose cosine is at least this: the mean and six standard
    /// deviations, so that one of a thousand million is missed.
    #[must_use]
    pub fn most(cosine: f32) -> u32 {
        let share = f64::from(cosine).clamp(-1.0, 1.0).acos() / std::f64::consts::PI;
        let mean = share * BITS as f64;
        let most = mean + 6.0 * (mean * (1.0 - share)).sqrt() + 1.0;
        most.min(BITS as f64) as u32
    }
}

/// The Walsh-Hadamard transform, unscaled: only signs are wanted. The length is a power of two.
fn transform(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(half * 2) {
            let (left, right) = pair.split_at_mut(half);
            for (left, right) in left.iter_mut().zip(right) {
                (*left, *right) = (*left + *right, *left - *right);
            }
        }
        half *= 2;
    }
}

/// The same random bits for the same number, on every gateway (SplitMix64).
fn random(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
