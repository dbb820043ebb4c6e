//! Bytes that pass as they are, whole event by whole event: so that what breaks off within an event can still be ended in
//! the caller's own words, and a sign of life never stands within one.

use bytes::{Bytes, BytesMut};

use crate::wire::scan::HideUsage;
use crate::wire::sse;

/// Bytes that pass as they are.
#[derive(Default)]
pub(in crate::terminal) struct Passing {
    /// Takes out the usage that the gateway asked for and the caller did not.
    hide: Option<HideUsage>,
    /// The beginning of an event whose end has not come.
    held: BytesMut,
}

impl Passing {
    /// All of it passes, but for the usage where that is hidden.
    pub(in crate::terminal) fn hiding(hide: Option<HideUsage>) -> Self {
        Self { hide, held: BytesMut::new() }
    }

    /// What goes on now.
    pub(super) fn pass(&mut self, came: Bytes) -> Bytes {
        let whole = self.whole(came);
        match &mut self.hide {
            Some(hide) if !whole.is_empty() => {
                let mut out = Vec::with_capacity(whole.len());
                hide.push(&whole, &mut out);
                out.into()
            }
            _ => whole,
        }
    }

    /// The bytes have ended well: what lacks only the empty line behind it goes on too.
    pub(super) fn rest(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held).freeze();
        match &mut self.hide {
            Some(hide) => {
                let mut out = Vec::new();
                hide.push(&held, &mut out);
                hide.finish(&mut out);
                out.into()
            }
            None => held,
        }
    }

    /// Up to the end of the last event. Nothing is copied where that is the end of what came.
    fn whole(&mut self, mut came: Bytes) -> Bytes {
        if self.held.is_empty() {
            let end = last_end(&came).unwrap_or_default();
            self.held.extend_from_slice(&came.split_off(end));
            return self.bounded(came);
        }
        self.held.extend_from_slice(&came);
        let end = last_end(&self.held).unwrap_or_default();
        let whole = self.held.split_to(end).freeze();
        self.bounded(whole)
    }

    /// An event that is longer than is read goes on as it comes.
    fn bounded(&mut self, whole: Bytes) -> Bytes {
        if self.held.len() <= sse::EVENT || !whole.is_empty() {
            return whole;
        }
        std::mem::take(&mut self.held).freeze()
    }
}

/// Behind the empty line of the last event that is whole.
fn last_end(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    loop {
        let at = memchr::memrchr2(b'\n', b'\r', bytes.get(..end)?)?;
        let before = bytes.get(..=at)?;
        if [b"\n\n".as_slice(), b"\r\n\r\n", b"\r\r", b"\n\r\n"].iter().any(|empty| before.ends_with(empty)) {
            return Some(at + 1);
        }
        end = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_events_pass_however_they_are_cut() {
        for text in
            ["data: a\n\nevent: x\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\n\n: c\n\ndata: \r\r"]
        {
            for size in 1..text.len() {
                let (mut passing, mut out) = (Passing::default(), Vec::new());
                for piece in text.as_bytes().chunks(size) {
                    out.extend_from_slice(&passing.pass(Bytes::copy_from_slice(piece)));
                    let whole = out.is_empty() || last_end(&out) == Some(out.len());
                    assert!(whole, "{size}: {:?}", String::from_utf8_lossy(&out));
                }
                assert_eq!(out, text.as_bytes(), "{size}");
                assert!(passing.rest().is_empty());
            }
        }
    }

    #[test]
    fn what_ends_on_an_event_is_not_copied_and_the_rest_waits() {
        let mut passing = Passing::default();
        let came = Bytes::from_static(b"data: a\n\n");
        assert_eq!(passing.pass(came.clone()).as_ptr(), came.as_ptr());
        let came = Bytes::from_static(b"data: b\n\ndata: c");
        let passed = passing.pass(came.clone());
        assert_eq!((passed.as_ptr(), &passed[..]), (came.as_ptr(), b"data: b\n\n".as_slice()));
        assert_eq!(passing.rest(), "data: c");
    }

    #[test]
    fn an_endless_event_is_not_held() {
        let mut passing = Passing::default();
        let mut out = 0;
        for _ in 0..(sse::EVENT / 65_536 + 2) {
            out += passing.pass(Bytes::from(vec![b'x'; 65_536])).len();
        }
        assert!(out > sse::EVENT && passing.held.len() <= sse::EVENT);
    }
}
