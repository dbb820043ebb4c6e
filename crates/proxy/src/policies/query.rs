//! Queries as forms write them (`a=1&b=2`, `+` for a space), and request targets with another path or query.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but what the URL standard's form encoding leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// The parameters of a query, raw: name and value as they stand.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A raw name or value as what it means. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decode(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(raw);
    }
    let spaced = raw.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// A name or value, encoded.
pub(crate) fn encoded(plain: &str) -> String {
    utf8_percent_encode(plain, FORM).to_string()
}

/// Adds `name=value` to a query, encoded.
pub(crate) fn push(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, FORM));
    query.push('=');
    query.extend(utf8_percent_encode(value, FORM));
}

/// The query without the parameters of these names; what stays is untouched.
pub(crate) fn without(query: &str, gone: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(query.len());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        if !gone(&decode(name)) {
            if !kept.is_empty() {
                kept.push('&');
            }
            kept.push_str(pair);
        }
    }
    kept
}

/// The same request target with this path and query; `None` when they are not ones.
pub(crate) fn with_path_and_query(uri: &Uri, path: &str, query: Option<&str>) -> Option<Uri> {
    let text = match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_written() {
        let read: Vec<_> = pairs("a=1&b&&c=x%3Dy&d=").map(|(n, v)| (decode(n), decode(v))).collect();
        let expected = [("a", "1"), ("b", ""), ("c", "x=y"), ("d", "")];
        assert_eq!(read, expected.map(|(n, v)| (n.into(), v.into())));
        let mut query = String::new();
        push(&mut query, "a b", "1&2");
        push(&mut query, "ü", "");
        assert_eq!(query, "a%20b=1%262&%C3%BC=");
        assert_eq!(decode("a+b%2Bc%zz%ff"), "a b+c%zz\u{fffd}");
    }

    #[test]
    fn parameters_are_taken_out_whatever_their_encoding() {
        for (query, kept) in [
            ("key=1", ""),
            ("a=1&key=1&b=%20", "a=1&b=%20"),
            ("k%65y=1&keys=2", "keys=2"),
            ("&&a=1&&key", "a=1"),
            ("key=1&key=2", ""),
        ] {
            assert_eq!(without(query, |name| name == "key"), kept, "{query}");
        }
    }

    #[test]
    fn a_target_gets_another_path() {
        let uri: Uri = "https://h:1/a?b".parse().unwrap();
        assert_eq!(with_path_and_query(&uri, "/x", Some("y=1")).unwrap(), "https://h:1/x?y=1");
        assert_eq!(with_path_and_query(&uri, "/x", None).unwrap(), "https://h:1/x");
        assert!(with_path_and_query(&uri, "/ x", None).is_none());
    }
}
