//! `Vary` (RFC 9110 section 12.5.5): which request fields an answer depends on.

use http::HeaderMap;
use http::header::{HeaderValue, VARY};

/// Says that the answer depends on this request field, unless it says so already.
pub(crate) fn add(headers: &mut HeaderMap, field: &'static str) {
    if !headers.get_all(VARY).iter().any(|value| lists(value, field)) {
        headers.append(VARY, HeaderValue::from_static(field));
    }
}

fn lists(value: &HeaderValue, field: &str) -> bool {
    let names = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    names.into_iter().any(|name| name == b"*" || name.eq_ignore_ascii_case(field.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_once() {
        for (before, after) in [
            (vec![], vec!["origin"]),
            (vec!["Accept, Origin"], vec!["Accept, Origin"]),
            (vec!["*"], vec!["*"]),
            (vec!["x-origin", "accept"], vec!["x-origin", "accept", "origin"]),
        ] {
            let mut headers = HeaderMap::new();
            for value in before {
                headers.append(VARY, HeaderValue::from_static(value));
            }
            add(&mut headers, "origin");
            assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), after);
        }
    }
}
