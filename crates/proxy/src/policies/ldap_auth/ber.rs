//! The part of ASN.1 BER that LDAP uses (RFC 4511 section 5.1): short tags and lengths that are said.
//!
//! Only what was asked for is taken apart, one level at a time, so that nesting costs no stack and no length is believed
//! beyond the bytes that there are.

/// A message is at most so long: an entry with many groups, and not a disk image.
pub(super) const MOST_MESSAGE: usize = 1 << 20;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;

/// Writes values.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// Bytes under a tag.
    pub(super) fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        match u8::try_from(bytes.len()) {
            Ok(short) if short < 0x80 => self.0.push(short),
            _ => {
                let length = (bytes.len() as u32).to_be_bytes();
                self.0.push(0x84);
                self.0.extend_from_slice(&length);
            }
        }
        self.0.extend_from_slice(bytes);
    }

    /// A number under a tag, in as few bytes as it needs.
    pub(super) fn number(&mut self, tag: u8, number: i32) {
        let bytes = number.to_be_bytes();
        let needless =
            |pair: &[u8]| matches!(pair, [0, next] if *next < 0x80) || matches!(pair, [0xff, next] if *next >= 0x80);
        let skipped = bytes.windows(2).take_while(|pair| needless(pair)).count();
        self.bytes(tag, bytes.get(skipped..).unwrap_or(&bytes));
    }

    /// Several values under a tag.
    pub(super) fn inside(&mut self, tag: u8, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.bytes(tag, &inner.0);
    }
}

/// Reads values one after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'m>(pub(super) &'m [u8]);

impl<'m> Reader<'m> {
    /// The next value with its tag; none at the end, and where it is broken.
    pub(super) fn next(&mut self) -> Option<(u8, &'m [u8])> {
        let (tag, length, rest) = head(self.0)?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The next value, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'m [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// The next value, a number.
    pub(super) fn number(&mut self, tag: u8) -> Option<i32> {
        let bytes = self.expect(tag)?;
        let (first, rest) = bytes.split_first().filter(|(_, rest)| rest.len() < 4)?;
        let start = i32::from(*first as i8);
        Some(rest.iter().fold(start, |number, byte| number << 8 | i32::from(*byte)))
    }
}

/// Tag, length and what follows.
fn head(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    // Tags above 30 have another form, which LDAP does not use.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&length, rest) = rest.split_first()?;
    if length < 0x80 {
        return Some((tag, usize::from(length), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
    Some((tag, length, rest))
}

/// How many bytes the first value has in all: none while that cannot be told, an error where it is none or too long.
pub(super) fn whole(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    match head(bytes) {
        Some((SEQUENCE, length, rest)) if length <= MOST_MESSAGE => Ok(Some(bytes.len() - rest.len() + length)),
        Some((SEQUENCE, _, _)) => Err("a message is too long"),
        Some(_) => Err("it does not speak LDAP"),
        None if bytes.len() >= 6 || bytes.first().is_some_and(|first| *first != SEQUENCE) => {
            Err("it does not speak LDAP")
        }
        None => Ok(None),
    }
}
