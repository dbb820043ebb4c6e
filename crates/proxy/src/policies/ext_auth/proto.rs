//! The wire format of protocol buffers, so far as one call needs it: varints, and fields of given length.

/// Writes messages.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number as u8 & 0x7f) | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// A number; 0 is left out.
    pub(super) fn number(&mut self, field: u32, number: u64) -> &mut Self {
        if number != 0 {
            self.varint(u64::from(field) << 3);
            self.varint(number);
        }
        self
    }

    /// Text or bytes; empty ones are left out.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        if !bytes.is_empty() {
            self.whole(field, bytes);
        }
        self
    }

    /// A message.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Writer)) -> &mut Self {
        let mut inner = Writer::default();
        write(&mut inner);
        self.whole(field, &inner.bytes);
        self
    }

    /// An entry of a map from text to text.
    pub(super) fn entry(&mut self, field: u32, key: &str, value: &str) -> &mut Self {
        self.message(field, |entry| {
            entry.bytes(1, key.as_bytes()).bytes(2, value.as_bytes());
        })
    }

    fn whole(&mut self, field: u32, bytes: &[u8]) {
        self.varint((u64::from(field) << 3) | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }
}

/// A field that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'m> {
    Number(u64),
    Bytes(&'m [u8]),
}

/// The fields of a message in order. Fields of fixed length are passed over; what is not a message ends with `None` where
/// [`Reader::is_good`] then says so.
pub(super) struct Reader<'m> {
    rest: &'m [u8],
    good: bool,
}

impl<'m> Reader<'m> {
    pub(super) fn new(message: &'m [u8]) -> Self {
        Self { rest: message, good: true }
    }

    /// Whether everything so far was a message.
    pub(super) fn is_good(&self) -> bool {
        self.good
    }

    fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u32, Option<Value<'m>>)> {
        let tag = self.varint()?;
        let field = u32::try_from(tag >> 3).ok().filter(|field| *field > 0)?;
        let value = match tag & 7 {
            0 => Some(Value::Number(self.varint()?)),
            1 => self.take(8).map(|_| None)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Some(Value::Bytes(self.take(length)?))
            }
            5 => self.take(4).map(|_| None)?,
            _ => return None,
        };
        Some((field, value))
    }
}

impl<'m> Iterator for Reader<'m> {
    type Item = (u32, Value<'m>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.field() {
                Some((field, Some(value))) => return Some((field, value)),
                Some((_, None)) => {}
                None => {
                    self.good = false;
                    return None;
                }
            }
        }
        None
    }
}
