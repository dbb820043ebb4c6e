//! Bytes for a token, learnt.
//!
//! A vocabulary of 100,000 to 200,000 tokens makes one token of 4 to 4.5 bytes of English prose, of some 3 bytes of code and
//! JSON, and of 2 to 3 bytes of other languages in UTF-8; so the usual is 4 until a provider tells, and what a call is held
//! for is 2.5. Both follow what providers tell: the usual as a moving average, the least as a mark that falls at once to the
//! lowest seen and rises slowly again, so that few calls turn out larger than what was held for them.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// In these, bytes for a token are kept.
const ONE: u32 = 1 << 12;
/// What is taken until something is known.
const USUAL: u32 = 4 * ONE;
const LEAST: u32 = ONE * 5 / 2;
/// No vocabulary has less or more: a token is at least one byte of text, and JSON around it adds some.
const BOUNDS: (u32, u32) = (ONE, 32 * ONE);
/// Fewer tokens than this say little: most of them are the frame of a request.
const TELLING: u64 = 16;

/// Bytes for a token of one target's texts. Learning is lock-free, and a lost step does no harm.
#[derive(Debug)]
pub struct Calibration {
    usual: AtomicU32,
    least: AtomicU32,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { usual: AtomicU32::new(USUAL), least: AtomicU32::new(LEAST) }
    }
}

impl Calibration {
    /// So many bytes were so many tokens.
    pub fn learn(&self, bytes: u64, tokens: u64) {
        if tokens < TELLING || bytes == 0 {
            return;
        }
        let found = u128::from(bytes) * u128::from(ONE) / u128::from(tokens);
        let found = u32::try_from(found).unwrap_or(u32::MAX).clamp(BOUNDS.0, BOUNDS.1);
        let usual = self.usual.load(Relaxed);
        self.usual.store(toward(usual, found, 16), Relaxed);
        let least = self.least.load(Relaxed);
        // What was seen below it counts at once; the way up takes some hundred calls.
        self.least.store(if found < least { found } else { toward(least, found, 128) }, Relaxed);
    }

    /// How many tokens so many bytes usually are.
    pub fn usual(&self, bytes: u64) -> u64 {
        tokens(bytes, self.usual.load(Relaxed))
    }

    /// How many they are at most, as far as is known: what a call is held for.
    pub fn most(&self, bytes: u64) -> u64 {
        tokens(bytes, self.least.load(Relaxed))
    }
}

/// A step of one in so many.
fn toward(from: u32, to: u32, steps: i64) -> u32 {
    let (from, to) = (i64::from(from), i64::from(to));
    let step = (to - from) / steps;
    // Rounding must not keep it from getting there.
    let step = if step == 0 { (to - from).signum() } else { step };
    u32::try_from(from + step).unwrap_or(BOUNDS.0)
}

fn tokens(bytes: u64, each: u32) -> u64 {
    let tokens = (u128::from(bytes) * u128::from(ONE)).div_ceil(u128::from(each.max(BOUNDS.0)));
    u64::try_from(tokens).unwrap_or(u64::MAX)
}
