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

impl Sticky {
    /// Where this client stays, if it does and its target is well.
    pub(super) fn find(&self, x: &Exchange, view: &View) -> Option<usize> {
        let id = self.said(x)?;
        view.members.iter().position(|member| member.id == id && member.well && !member.is_full())
    }

    fn said(&self, x: &Exchange) -> Option<u64> {
        let found = cookies::cookies(&x.request.headers).find(|(name, _)| *name == self.cookie.as_bytes());
        let value = std::str::from_utf8(found?.1).ok()?;
        let (id, _) = value.split_at_checked(DIGITS)?;
        let id = u64::from_str_radix(id, 16).ok()?;
        aws_lc_rs::constant_time::verify_slices_are_equal(self.value(id).as_bytes(), value.as_bytes()).ok()?;
        Some(id)
    }

    /// Tells the client where it stays from now on, unless it knows.
    pub(in crate::upstream) fn tell(&self, said: Option<u64>, x: &mut Exchange, id: u64) {
        if said == Some(id) {
            return;
        }
        let cookie = format!("{}={}{}", self.cookie, self.value(id), self.attributes);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            x.reply_headers.push((SET_COOKIE, cookie));
        }
    }

    /// What the client says, before its request goes.
    pub(in crate::upstream) fn says(&self, x: &Exchange) -> Option<u64> {
        self.said(x)
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
