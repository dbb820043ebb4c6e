//! What is said by most events of a stream, found without reading the rest.

use std::borrow::Cow;

use crate::wire::scan::{Cursor, once};

/// The block that goes on in an event of a stream, and with which text; nothing where the event tells anything else.
pub(super) fn goes_on(event: &[u8]) -> Option<(u64, Cow<'_, str>)> {
    std::str::from_utf8(event).ok()?;
    let mut cursor = Cursor::new(event);
    let (mut kind, mut index, mut said) = (None, None, None);
    cursor.members(|key, cursor| match key {
        b"type" => once(&mut kind, cursor.text()?),
        b"index" => once(&mut index, cursor.count()?),
        b"delta" => {
            let (mut kind, mut text) = (None, None);
            cursor.members(|key, cursor| match key {
                b"type" => once(&mut kind, cursor.text()?),
                b"text" => once(&mut text, cursor.text()?),
                _ => None,
            })?;
            if kind? == "text_delta" { once(&mut said, text?) } else { None }
        }
        _ => None,
    })?;
    (cursor.ended() && kind? == "content_block_delta").then_some((index?, said?))
}
