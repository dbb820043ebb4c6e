//! What a cache of answers had for a call of a model.

use std::fmt;

/// What a cache of answers had for a call of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cached {
    /// Nothing.
    Miss,
    /// The answer to the same request.
    Hit,
    /// The answer to one that is as near as this, from 0 to 1.
    Similar(f32),
}

impl Cached {
    /// How near it is in hundredths, rounded down: what is not the same is not told to be.
    fn hundredths(cosine: f32) -> u8 {
        (cosine * 100.0).clamp(0.0, 100.0) as u8
    }
}

/// As it is told to who calls: `miss`, `hit`, `hit, similarity=0.97`.
impl fmt::Display for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Miss => f.write_str("miss"),
            Self::Hit => f.write_str("hit"),
            Self::Similar(cosine) => {
                let hundredths = Self::hundredths(*cosine);
                write!(f, "hit, similarity={}.{:02}", hundredths / 100, hundredths % 100)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_hundredths() {
        for (cached, told) in [
            (Cached::Miss, "miss"),
            (Cached::Hit, "hit"),
            (Cached::Similar(0.9789), "hit, similarity=0.97"),
            (Cached::Similar(1.0), "hit, similarity=1.00"),
            (Cached::Similar(0.05), "hit, similarity=0.05"),
            (Cached::Similar(-0.5), "hit, similarity=0.00"),
        ] {
            assert_eq!(cached.to_string(), told);
        }
    }
}
