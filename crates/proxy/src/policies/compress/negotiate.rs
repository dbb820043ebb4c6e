//! Which algorithm a client likes best (RFC 9110 section 12.5.3).

use http::HeaderValue;

use super::Algorithm;
use crate::policies::quality::items;

/// The algorithm with the highest weight; among equals the first of ours. None where the client would rather have the
/// answer as it is.
pub(super) fn choose(accepted: &HeaderValue, ours: &[Algorithm]) -> Option<Algorithm> {
    let accepted = accepted.to_str().unwrap_or_default();
    let weight = |name: &str| {
        let named = items(accepted).find(|(item, _)| is(item, name));
        named.or_else(|| items(accepted).find(|(item, _)| *item == "*")).map_or(0, |(_, weight)| weight)
    };
    let plain = items(accepted).find(|(item, _)| is(item, "identity")).map_or(0, |(_, weight)| weight);
    let mut best: Option<(Algorithm, u16)> = None;
    for algorithm in ours {
        let weight = weight(algorithm.as_str());
        if weight > 0 && weight >= plain && best.is_none_or(|(_, other)| weight > other) {
            best = Some((*algorithm, weight));
        }
    }
    best.map(|(algorithm, _)| algorithm)
}

/// Whether an item is this coding; `x-gzip` is `gzip` (RFC 9110 section 8.4.1.3).
fn is(item: &str, name: &str) -> bool {
    item.eq_ignore_ascii_case(name) || name == "gzip" && item.eq_ignore_ascii_case("x-gzip")
}

#[cfg(test)]
mod tests {
    use super::Algorithm::{Br, Gzip, Zstd};
    use super::*;

    #[test]
    fn the_clients_weights_come_first_and_our_order_second() {
        for (accepted, chosen) in [
            ("", None),
            ("identity", None),
            ("deflate", None),
            ("gzip", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("GZIP, BR", Some(Br)),
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip;q=1.0, br;q=0.9", Some(Gzip)),
            ("gzip;q=0.5, br;q=0.5", Some(Br)),
            ("gzip;q=0", None),
            ("*", Some(Zstd)),
            ("*;q=0.5, gzip", Some(Gzip)),
            ("*, zstd;q=0", Some(Br)),
            ("*;q=0, gzip", Some(Gzip)),
            ("gzip;q=0.5, identity;q=0.8", None),
            ("gzip, identity;q=0.5", Some(Gzip)),
            ("gzip;q=0.5, identity;q=0", Some(Gzip)),
            ("gzip;q=2", None),
        ] {
            assert_eq!(choose(&HeaderValue::from_static(accepted), &[Zstd, Br, Gzip]), chosen, "{accepted}");
        }
        assert_eq!(choose(&HeaderValue::from_static("br, gzip"), &[Gzip, Br]), Some(Gzip));
        assert_eq!(choose(&HeaderValue::from_static("br"), &[Gzip]), None);
    }
}
