//! `Connection`: what it names goes no further, and nothing else is touched.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let mut headers = kit::with_field("connection", std::str::from_utf8(input).unwrap_or_default()).headers().clone();
    for name in ["x-a", "x-b", "te", "upgrade", "authorization", "keep-alive", "http2-settings", "content-length"] {
        headers.append(name, HeaderValue::from_static("v"));
    }
    let before = headers.clone();
    proxy::fuzzing::remove_named(&mut headers);
    for name in before.keys() {
        let kept =
            ["close", "keep-alive", "upgrade", "te", "http2-settings", "content-length"].contains(&name.as_str());
        let gone = names(&before).contains(name) && !kept;
        assert_eq!(headers.contains_key(name), !gone, "{name} of {before:?}");
    }
}

/// The names that the field lists.
fn names(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines: Vec<&[u8]> = headers.get_all("connection").iter().map(HeaderValue::as_bytes).collect();
    let all = lines.join(&b","[..]);
    all.split(|byte| *byte == b',').filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}
