//! Counts through a chunked body (RFC 9112, 7.1) without keeping it.

/// Where in the body the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Size,
    Extension,
    Data(u64),
    AfterData,
    /// In the trailer section; whether the current line has a byte yet.
    Trailer(bool),
    End,
}

/// Reads a chunked body as it arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunked {
    place: Place,
    size: u64,
    /// Bytes of data seen so far, framing not counted.
    pub(crate) data: u64,
}

impl Chunked {
    /// At the start of a body.
    pub(crate) fn new() -> Self {
        Self { place: Place::Size, size: 0, data: 0 }
    }

    /// Whether the last chunk and the trailers are behind.
    pub(crate) fn ended(&self) -> bool {
        self.place == Place::End
    }

    /// Takes what belongs to the body and answers how many bytes that was; `None` is a malformed body.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        self.take_with(bytes, |_| {})
    }

    /// The same, and passes the data on.
    pub(crate) fn take_with(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> Option<usize> {
        let mut used = 0;
        while let Some(&byte) = bytes.get(used)
            && !self.ended()
        {
            if let Place::Data(left) = self.place {
                let here = left.min((bytes.len() - used) as u64);
                self.data += here;
                data(bytes.get(used..used + here as usize).unwrap_or_default());
                used += here as usize;
                self.place = if here == left { Place::AfterData } else { Place::Data(left - here) };
                continue;
            }
            used += 1;
            self.place = self.step(byte)?;
        }
        Some(used)
    }

    fn step(&mut self, byte: u8) -> Option<Place> {
        Some(match (self.place, byte) {
            (Place::Size, b'\r') | (Place::Extension, b'\r') => self.place,
            (Place::Size | Place::Extension, b'\n') => match std::mem::take(&mut self.size) {
                0 => Place::Trailer(false),
                size => Place::Data(size),
            },
            (Place::Size, b';' | b' ' | b'\t') => Place::Extension,
            (Place::Size, digit) => {
                let digit = char::from(digit).to_digit(16)?;
                self.size = self.size.checked_mul(16)?.checked_add(u64::from(digit))?;
                Place::Size
            }
            (Place::Extension, _) => Place::Extension,
            (Place::AfterData, b'\n') => Place::Size,
            (Place::AfterData, b'\r') => Place::AfterData,
            (Place::Trailer(false), b'\n') => Place::End,
            (Place::Trailer(_), b'\n') => Place::Trailer(false),
            (Place::Trailer(line), b'\r') => Place::Trailer(line),
            (Place::Trailer(_), _) => Place::Trailer(true),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
