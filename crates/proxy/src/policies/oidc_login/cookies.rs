//! The cookies of this policy: their names, what a request shows of them, and the fields that set and end them.
//!
//! `NAME` holds the session, `NAME.1` and on what of it is too long for one cookie, `NAME.l.…` one login that is under way
//! (a tab each), and `NAME.n` how many logins led to nothing. All begin with `__Host-` wherever a browser is told that it
//! may send them over TLS alone: then no other host, and no page in the clear, can have set them.

use http::header::{HeaderMap, HeaderValue};

use crate::exchange::cookies;

/// Bytes of a cookie's value. Browsers keep 4096 of name, value and attributes together (RFC 6265 section 6.1).
const MOST_VALUE: usize = 3800;
/// Cookies that a session may be in.
const MOST_PARTS: usize = 4;
/// Logins under way in one browser.
pub(super) const MOST_LOGINS: usize = 8;
const HOST: &str = "__Host-";

/// The names of this policy's cookies, as they are towards one client.
#[derive(Debug)]
pub(super) struct Names {
    /// The session's.
    pub(super) session: Box<str>,
    /// How many logins led to nothing.
    pub(super) count: Box<str>,
    /// What the name of a login under way begins with.
    login: Box<str>,
    /// What every field that sets one ends with.
    attributes: &'static str,
}

/// Cookies of a request that are this policy's.
#[derive(Default)]
pub(super) struct Shown {
    /// The session, its parts joined.
    pub(super) session: Option<Vec<u8>>,
    /// How many cookies the session was in, good or not.
    parts: usize,
    /// Logins under way: the end of the name, and the value.
    pub(super) logins: Vec<(String, Vec<u8>)>,
    /// How many logins led to nothing.
    pub(super) count: Option<Vec<u8>>,
}

/// A session that is too large for cookies.
pub(super) struct TooLarge;

impl Names {
    /// The names for clients that are told `Secure`.
    pub(super) fn secure(name: &str) -> Self {
        Self::of(&format!("{HOST}{name}"), "; Path=/; HttpOnly; SameSite=Lax; Secure")
    }

    /// The names for the others.
    pub(super) fn plain(name: &str) -> Self {
        Self::of(name, "; Path=/; HttpOnly; SameSite=Lax")
    }

    fn of(name: &str, attributes: &'static str) -> Self {
        let [count, login] = ["n", "l."].map(|end| format!("{name}.{end}").into());
        Self { session: name.into(), count, login, attributes }
    }

    /// What a request shows.
    pub(super) fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut shown = Shown::default();
        let mut parts: [Option<&[u8]>; MOST_PARTS] = [None; MOST_PARTS];
        for (name, value) in cookies::cookies(headers) {
            let Some(end) = self.end_of(name) else { continue };
            if let Some(login) = end.strip_prefix(".l.") {
                // More than are ever made are somebody else's doing.
                if shown.logins.len() < 4 * MOST_LOGINS {
                    shown.logins.push((login.to_owned(), value.to_vec()));
                }
            } else if end == ".n" {
                shown.count.get_or_insert_with(|| value.to_vec());
            } else if let Some(part) = part_of(end).and_then(|at| parts.get_mut(at))
                && value.len() <= MOST_VALUE + 1
            {
                part.get_or_insert(value);
            }
        }
        shown.parts = parts.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        shown.session = join(&parts);
        shown
    }

    /// Takes this policy's cookies out of what the upstream sees.
    pub(super) fn hide(&self, headers: &mut HeaderMap) {
        cookies::strip(headers, |name| cookies::is_of(name, &self.session));
    }

    /// The fields that set the session, and end the cookies of a longer one.
    pub(super) fn set_session(&self, value: &str, shown: &Shown) -> Result<Vec<HeaderValue>, TooLarge> {
        let parts = value.len().div_ceil(MOST_VALUE).max(1);
        if parts > MOST_PARTS {
            return Err(TooLarge);
        }
        let mut fields = Vec::with_capacity(parts);
        let mut rest = value;
        for at in 0..parts {
            // Base64url is ASCII, so any place is one to split at.
            let (part, more) = rest.split_at_checked(MOST_VALUE).unwrap_or((rest, ""));
            rest = more;
            let count = if at == 0 { parts.to_string() } else { String::new() };
            fields.extend(self.field(&self.part(at), &format!("{count}{part}"), None));
        }
        fields.extend((parts..shown.parts).filter_map(|at| self.field(&self.part(at), "", Some(0))));
        Ok(fields)
    }

    /// The fields that end the session.
    pub(super) fn end_session(&self, shown: &Shown) -> Vec<HeaderValue> {
        (0..shown.parts).filter_map(|at| self.field(&self.part(at), "", Some(0))).collect()
    }

    /// The field that remembers a login under way for so many seconds; 0 forgets it.
    pub(super) fn login(&self, id: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
        self.field(&format!("{}{id}", self.login), value, Some(seconds))
    }

    /// The field that counts logins that led to nothing, for so many seconds; 0 forgets them.
    pub(super) fn count(&self, value: &str, seconds: u64) -> Option<HeaderValue> {
        self.field(&self.count, value, Some(seconds))
    }

    fn field(&self, name: &str, value: &str, seconds: Option<u64>) -> Option<HeaderValue> {
        let life = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let mut field = HeaderValue::try_from(format!("{name}={value}{life}{}", self.attributes)).ok()?;
        field.set_sensitive(true);
        Some(field)
    }

    fn part(&self, at: usize) -> String {
        if at == 0 { self.session.to_string() } else { format!("{}.{at}", self.session) }
    }

    /// What of a cookie's name comes behind the policy's own; none where it is not the policy's.
    fn end_of<'n>(&self, name: &'n [u8]) -> Option<&'n str> {
        let end = std::str::from_utf8(name.strip_prefix(self.session.as_bytes())?).ok()?;
        (end.is_empty() || end.starts_with('.')).then_some(end)
    }
}

/// Which part of a session has a name with this end.
fn part_of(end: &str) -> Option<usize> {
    match end.strip_prefix('.') {
        None => Some(0),
        Some(number) => number.parse().ok().filter(|at| (1..MOST_PARTS).contains(at) && number.len() == 1),
    }
}

/// The parts as one, if all are there that the first one speaks of.
fn join(parts: &[Option<&[u8]>]) -> Option<Vec<u8>> {
    let (count, first) = parts.first().copied().flatten()?.split_first()?;
    let count = usize::from(count.checked_sub(b'0')?);
    let mut whole = first.to_vec();
    for part in parts.get(1..count)? {
        whole.extend_from_slice((*part)?);
    }
    (!whole.is_empty()).then_some(whole)
}
