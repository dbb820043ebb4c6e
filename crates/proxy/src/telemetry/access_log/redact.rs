//! Names whose values are never written.

use super::write::Line;
use crate::policies::query;

/// What stands in place of a value.
pub const HIDDEN: &str = "***";

/// Headers and query parameters that carry credentials in common use. Lower case.
const ALWAYS: &[&str] = &[
    "access_key",
    "assertion",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "client_assertion",
    "code",
    "cookie",
    "id_token",
    "jwt",
    "key",
    "private_token",
    "proxy-authorization",
    "refresh_token",
    "session",
    "session_id",
    "sessionid",
    "set-cookie",
    "sig",
    "subscription-key",
    "token",
    "x-csrf-token",
    "x-xsrf-token",
];

/// Ends of names that say the same.
const ENDS: &[&str] = &[
    "access-token",
    "access_token",
    "accesstoken",
    "api-key",
    "api_key",
    "apikey",
    "auth-token",
    "auth_token",
    "credential",
    "passwd",
    "password",
    "secret",
    "security-token",
    "signature",
];

/// Names whose values are hidden, whatever their case.
pub struct Redact {
    /// Sorted by length, then text.
    names: Vec<Box<str>>,
}

impl Redact {
    /// Those that are always hidden, and these.
    pub fn new<'a>(more: impl IntoIterator<Item = &'a str>) -> Self {
        let more = more.into_iter().map(str::to_ascii_lowercase);
        let mut names: Vec<Box<str>> =
            ALWAYS.iter().map(|&name| name.into()).chain(more.map(String::into_boxed_str)).collect();
        names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        names.dedup();
        Self { names }
    }

    /// Whether the value of this header or query parameter is hidden.
    pub fn hides(&self, name: &str) -> bool {
        let from = self.names.partition_point(|known| known.len() < name.len());
        let same = self.names.iter().skip(from).take_while(|known| known.len() == name.len());
        same.into_iter().any(|known| known.eq_ignore_ascii_case(name)) || ENDS.iter().any(|end| ends_with(name, end))
    }

    /// The same for a name as it stands in a query, where it may be encoded.
    fn hides_encoded(&self, name: &str) -> bool {
        self.hides(name) || name.contains(['%', '+']) && self.hides(&query::decode(name))
    }

    /// Writes a query with the values of such parameters hidden.
    pub(super) fn query(&self, query: &str, line: &mut Line<'_>) {
        for pair in query.split_inclusive('&') {
            if self.hidden(pair, line) {
                continue;
            }
            // Servers disagree on `;`: hide what any of them would read.
            for part in pair.split_inclusive(';') {
                if !self.hidden(part, line) {
                    line.escape(part);
                }
            }
        }
    }

    /// Writes a parameter with its value hidden, if its name asks for that.
    fn hidden(&self, part: &str, line: &mut Line<'_>) -> bool {
        let Some((name, value)) = part.split_once('=').filter(|(name, _)| self.hides_encoded(name)) else {
            return false;
        };
        line.escape(name);
        line.out.push(b'=');
        line.out.extend_from_slice(HIDDEN.as_bytes());
        if let Some(end) = value.chars().next_back().filter(|end| ['&', ';'].contains(end)) {
            line.out.push(end as u8);
        }
        true
    }

    /// Writes the value of a header that is a URL, with its query and its credentials hidden.
    pub(super) fn url(&self, url: &str, line: &mut Line<'_>) {
        // The fragment is what follows the first `#` (RFC 3986 section 3.5), and tokens are passed in it too.
        let (url, fragment) = match url.split_once('#') {
            Some((url, _)) => (url, "#***"),
            None => (url, ""),
        };
        let (base, query) = match url.split_once('?') {
            Some((base, query)) => (base, Some(query)),
            None => (url, None),
        };
        line.quote();
        match base.split_once("//").map(|(scheme, rest)| (scheme, rest, rest.find('/').unwrap_or(rest.len()))) {
            Some((scheme, rest, end)) if rest.get(..end).is_some_and(|authority| authority.contains('@')) => {
                let at = rest.get(..end).and_then(|authority| authority.rfind('@')).unwrap_or(0);
                line.escape(scheme);
                line.out.extend_from_slice(b"//***");
                line.escape(rest.get(at..).unwrap_or_default());
            }
            _ => line.escape(base),
        }
        if let Some(query) = query {
            line.out.push(b'?');
            self.query(query, line);
        }
        line.out.extend_from_slice(fragment.as_bytes());
        line.quote();
    }
}

fn ends_with(name: &str, end: &str) -> bool {
    let from = name.len().checked_sub(end.len());
    from.and_then(|from| name.as_bytes().get(from..)).is_some_and(|last| last.eq_ignore_ascii_case(end.as_bytes()))
}
