//! Side-by-side benchmark.
fn main() {}
