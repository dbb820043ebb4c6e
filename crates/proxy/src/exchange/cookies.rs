//! The cookies of a request (RFC 6265 section 5.4), read in one way by routes, expressions and policies.

use http::header::{COOKIE, HeaderMap, HeaderValue};

/// Name and value of each cookie, in order. White space around both and a pair of quotes around the value are taken
/// off; what has no `=` is no cookie.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.get_all(COOKIE).iter().flat_map(|line| crumbs(line.as_bytes())).filter_map(cookie)
}

/// The parts of a field line, whatever they are.
pub(crate) fn crumbs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b';')
}

/// Name and value of a part, if it is a cookie.
pub(crate) fn cookie(crumb: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = crumb.split_at_checked(memchr::memchr(b'=', crumb)?)?;
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some((name.trim_ascii(), bare.unwrap_or(value)))
}

/// Whether a cookie's name is this one, or goes on from it with a dot.
pub(crate) fn is_of(name: &[u8], own: &str) -> bool {
    name.strip_prefix(own.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'.', ..]))
}

/// Takes the cookies of these names out. Where there are none the fields stay as they came.
pub(crate) fn strip(headers: &mut HeaderMap, gone: impl Fn(&[u8]) -> bool) {
    let is_gone = |crumb: &[u8]| cookie(crumb).is_some_and(|(name, _)| gone(name));
    if !headers.get_all(COOKIE).iter().any(|line| crumbs(line.as_bytes()).any(is_gone)) {
        return;
    }
    let mut kept = Vec::new();
    for line in headers.get_all(COOKIE) {
        for crumb in
            crumbs(line.as_bytes()).map(<[u8]>::trim_ascii).filter(|crumb| !crumb.is_empty() && !is_gone(crumb))
        {
            let between: &[u8] = if kept.is_empty() { b"" } else { b"; " };
            kept.extend_from_slice(between);
            kept.extend_from_slice(crumb);
        }
    }
    headers.remove(COOKIE);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept)) {
        headers.insert(COOKIE, value);
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn cookies_are_read() {
        let mut headers = HeaderMap::new();
        for line in ["a=1; b = 2 ;c=\"3 \";", "a=x=y; flag; d=; =e; f=\"; g=\"\""] {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        let read: Vec<_> =
            cookies(&headers).map(|(name, value)| [name, value].map(|part| part.escape_ascii().to_string())).collect();
        let expected =
            [["a", "1"], ["b", "2"], ["c", "3 "], ["a", "x=y"], ["d", ""], ["", "e"], ["f", "\\\""], ["g", ""]];
        assert_eq!(read, expected);
    }
}
