//! A client stays with its target by a cookie. It says which target, and is signed, so that nobody chooses one.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use http::HeaderValue;
use http::header::SET_COOKIE;

use super::super::view::View;
use crate::exchange::{Exchange, cookies};

/// Digits of the target's number and of the signature.
const DIGITS: usize = 16;

/// The cookie that says where a client stays.
pub(in crate::upstream) struct Sticky {
    pub(in crate::upstream) cookie: Box<str>,
    /// What follows the value.
    pub(in crate::upstream) attributes: Box<str>,
    pub(in crate::upstream) key: hmac::Key,
}

/// The target that a client stays with, if it is well.
pub(super) fn find(id: u64, view: &View) -> Option<usize> {
    view.members.iter().position(|member| member.id == id && member.well && !member.is_full())
}

impl Sticky {
    /// Where this client says that it stays.
    pub(super) fn says(&self, x: &Exchange) -> Option<u64> {
        let found = cookies::cookies(&x.request.headers).find(|(name, _)| *name == self.cookie.as_bytes());
        let value = std::str::from_utf8(found?.1).ok()?;
        let (id, _) = value.split_at_checked(DIGITS)?;
        let id = u64::from_str_radix(id, 16).ok()?;
        aws_lc_rs::constant_time::verify_slices_are_equal(self.value(id).as_bytes(), value.as_bytes()).ok()?;
        Some(id)
    }

    /// Tells the client where it stays from now on, unless it knows.
    pub(in crate::upstream) fn tell(&self, said: u64, x: &mut Exchange, id: u64) {
        if said == id {
            return;
        }
        let cookie = format!("{}={}{}", self.cookie, self.value(id), self.attributes);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            x.reply_headers.push((SET_COOKIE, cookie));
        }
    }

    fn value(&self, id: u64) -> String {
        let id = format!("{id:016x}");
        let mut value = id.clone();
        for byte in hmac::sign(&self.key, id.as_bytes()).as_ref().iter().take(DIGITS / 2) {
            let _ = write!(value, "{byte:02x}");
        }
        value
    }
}
