//! `traceparent` (W3C Trace Context): passed on where a client sends a good one, begun where none does.

use std::cell::RefCell;

use bytes::BytesMut;
use http::HeaderValue;

use crate::random;

/// `00-` trace id (32) `-` parent id (16) `-` flags (2).
const LENGTH: usize = 55;
/// Values are cut from pieces of this size, so that one allocation serves many requests.
const PIECE: usize = 64 * LENGTH;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

thread_local! {
    static PIECES: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// A new trace that this request is the root of. It is marked as sampled: without a gateway, a target that traces would
/// have begun it, and "not sampled" would forbid it that.
pub(super) fn begin() -> HeaderValue {
    let text = PIECES.with_borrow_mut(|piece| {
        if piece.capacity() < LENGTH {
            *piece = BytesMut::with_capacity(PIECE);
        }
        piece.extend_from_slice(b"00-");
        hex(piece, non_zero());
        hex(piece, random::next());
        piece.extend_from_slice(b"-");
        hex(piece, non_zero());
        piece.extend_from_slice(b"-01");
        piece.split().freeze()
    });
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Ids of zeros only are not valid.
fn non_zero() -> u64 {
    random::next().max(1)
}

fn hex(to: &mut BytesMut, number: u64) {
    to.extend_from_slice(&digits((number >> 32) as u32));
    to.extend_from_slice(&digits(number as u32));
}

/// Eight digits at once: a half-byte is spread to each byte, and those above 9 are moved on to the letters.
fn digits(number: u32) -> [u8; 8] {
    let wide = u64::from(number);
    let wide = (wide << 16 | wide) & 0x0000_ffff_0000_ffff;
    let wide = (wide << 8 | wide) & 0x00ff_00ff_00ff_00ff;
    let wide = (wide << 4 | wide) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = ((wide + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    (wide + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

/// Whether a target can go on from this (section 2.2): lower-case digits, no id of zeros only, a version that is not `ff`;
/// versions after 00 may have more behind.
pub(crate) fn is_valid(text: &[u8]) -> bool {
    let Some((head, rest)) = text.split_at_checked(LENGTH) else { return false };
    let mut parts = head.split(|&byte| byte == b'-');
    let mut part = |length: usize| {
        parts.next().filter(|part| part.len() == length && part.iter().all(|byte| DIGITS.contains(byte)))
    };
    let (Some(version), Some(trace), Some(parent), Some(_)) = (part(2), part(32), part(16), part(2)) else {
        return false;
    };
    let zero = |id: &[u8]| id.iter().all(|&byte| byte == b'0');
    let tail = rest.is_empty() || (version != b"00" && rest.first() == Some(&b'-'));
    version != b"ff" && !zero(trace) && !zero(parent) && tail && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_is_valid_and_new_each_time() {
        let begun: Vec<_> = (0..1_000).map(|_| begin()).collect();
        assert!(begun.iter().all(|value| is_valid(value.as_bytes()) && value.as_bytes().starts_with(b"00-")));
        let distinct: std::collections::HashSet<_> = begun.iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(distinct.len(), 1_000);
    }

    #[test]
    fn numbers_are_written_as_their_digits() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX, 0xfedc_ba98_7654_3210, 0x9a9a_a9a9_0990_affa] {
            let mut text = BytesMut::new();
            hex(&mut text, number);
            assert_eq!(text, format!("{number:016x}"));
        }
    }

    #[test]
    fn only_what_a_target_can_go_on_from_is_valid() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let parent = "b7ad6b7169203331";
        let cases = [
            (format!("00-{trace}-{parent}-01"), true),
            (format!("00-{trace}-{parent}-00"), true),
            (format!("cc-{trace}-{parent}-01-what-the-future-holds"), true),
            (format!("00-{trace}-{parent}-01-more"), false),
            (format!("cc-{trace}-{parent}-01.more"), false),
            (format!("ff-{trace}-{parent}-01"), false),
            (format!("00-{}-{parent}-01", "0".repeat(32)), false),
            (format!("00-{trace}-{}-01", "0".repeat(16)), false),
            (format!("00-{}-{parent}-01", trace.to_uppercase()), false),
            (format!("00-{trace}-{parent}-0"), false),
            (format!("00-{trace}{parent}--01"), false),
            (String::new(), false),
        ];
        for (text, valid) in cases {
            assert_eq!(is_valid(text.as_bytes()), valid, "{text}");
        }
    }
}
