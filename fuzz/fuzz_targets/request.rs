//! Any bytes as what a client and the proxies before it say: path, host, forwarding fields.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use model::resource::{EncodedSlashRule, PathHandling, PathRule, SlashRule};
use proxy::exchange::{forwarded, host, path};

fuzz_target!(|text: &str| {
    for dot_segments in [PathRule::Normalize, PathRule::Reject, PathRule::Keep] {
        for slashes in [SlashRule::Keep, SlashRule::Merge, SlashRule::Reject] {
            for encoded_slashes in [EncodedSlashRule::Keep, EncodedSlashRule::Reject] {
                let rules = PathHandling { dot_segments, slashes, encoded_slashes };
                let written = format!("/{}", text.split(['?', '#']).next().unwrap_or_default());
                if let Ok(plain) = path::normalize(&written, &rules) {
                    assert!(plain.is_ascii() && plain.len() <= written.len() * 3);
                    assert_eq!(path::normalize(&plain, &rules).as_deref(), Ok(&*plain), "the plain form is plain");
                }
            }
        }
    }
    if let Ok((name, _)) = host::parse(text) {
        assert_eq!(host::parse(&name), Ok((name.clone(), None)), "the plain form is plain");
    }
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    for field in ["forwarded", "x-forwarded-for", "x-forwarded-proto"] {
        let mut headers = HeaderMap::new();
        for line in text.lines() {
            headers.extend(HeaderValue::from_bytes(line.as_bytes()).ok().map(|value| {
                (http::HeaderName::from_static(field), value)
            }));
        }
        let _ = forwarded::origin([10, 0, 0, 1].into(), &headers, &trusted);
    }
});
