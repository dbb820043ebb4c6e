//! The plain form of a path: reached in one step, of the same meaning, and with nothing in it that a server could read
//! as another path.

use model::resource::{EncodedSlashRule, PathHandling, PathRule, SlashRule};
use percent_encoding::percent_decode_str;
use proxy::exchange::path::normalize;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let written = format!("/{}", text.split(['?', '#']).next().unwrap_or_default());
    for dot_segments in [PathRule::Normalize, PathRule::Reject, PathRule::Keep] {
        for slashes in [SlashRule::Keep, SlashRule::Merge, SlashRule::Reject] {
            for encoded_slashes in [EncodedSlashRule::Keep, EncodedSlashRule::Reject] {
                check(&written, &PathHandling { dot_segments, slashes, encoded_slashes });
            }
        }
    }
}

fn check(written: &str, rules: &PathHandling) {
    let Ok(plain) = normalize(written, rules) else { return };
    assert!(plain.starts_with('/') && plain.is_ascii() && plain.len() <= written.len() * 3, "{plain}");
    assert_eq!(normalize(&plain, rules).as_deref(), Ok(&*plain), "the plain form is plain");
    let upper = |escape: &str| escape.bytes().take(2).all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    assert!(plain.split('%').skip(1).all(upper), "{plain}: escapes have one form");
    assert!(http::uri::PathAndQuery::try_from(&*plain).is_ok_and(|target| target.path() == plain), "{plain}");
    if rules.encoded_slashes == EncodedSlashRule::Reject {
        assert!(!plain.contains("%2F") && !plain.contains("%5C"));
    }
    if rules.slashes != SlashRule::Keep {
        assert!(!plain.contains("//"), "{plain}");
    }
    if rules.dot_segments != PathRule::Keep {
        let decoded = percent_decode_str(&plain).decode_utf8_lossy();
        assert!(!decoded.split(['/', '\\']).any(|part| matches!(part, "." | "..")), "{plain}: a server could climb");
    }
    // The same by the long way round: what is written, taken step by step.
    let keep = PathHandling {
        dot_segments: PathRule::Keep,
        slashes: SlashRule::Keep,
        encoded_slashes: EncodedSlashRule::Keep,
    };
    let escaped = normalize(written, &keep).expect("rules that keep refuse least");
    let same = percent_decode_str(&escaped).eq(percent_decode_str(written));
    assert!(same, "{written} and {escaped} mean the same");
    let merged = if rules.slashes == SlashRule::Merge { merge(&escaped) } else { escaped.into_owned() };
    let expected = if rules.dot_segments == PathRule::Normalize { without_dots(&merged) } else { merged };
    assert_eq!(plain, expected, "{written} by {rules:?}");
}

fn merge(path: &str) -> String {
    let mut merged = path.to_owned();
    while merged.contains("//") {
        merged = merged.replace("//", "/");
    }
    merged
}

/// RFC 3986 section 5.2.4 with a stack of segments.
fn without_dots(path: &str) -> String {
    let mut stack: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        match *segment {
            "." => {}
            ".." => drop(stack.pop()),
            segment => {
                stack.push(segment);
                continue;
            }
        }
        if last {
            stack.push("");
        }
    }
    format!("/{}", stack.join("/"))
}
