//! Cheap random numbers for balancing and sampling; never for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0u8) | 1);
}

/// The next number of this thread (wyrand's step, seeded by the system).
pub fn next() -> u64 {
    STATE.with(|state| {
        let seed = state.get().wrapping_add(0x2d35_8dcc_aa6c_78a5);
        state.set(seed);
        let wide = u128::from(seed) * u128::from(seed ^ 0x8bb8_4b93_962e_acc9);
        (wide as u64) ^ ((wide >> 64) as u64)
    })
}

/// A number under `bound`, which must not be 0. The bias is under 2^-32.
pub fn below(bound: u32) -> u32 {
    (((next() >> 32) * u64::from(bound)) >> 32) as u32
}
