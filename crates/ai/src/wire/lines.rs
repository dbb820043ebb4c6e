//! A stream of lines, each a JSON text, read from any cut of the bytes.

use super::sse::{EVENT, TooLong};

/// Reads lines.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    held: Vec<u8>,
}

impl Reader {
    /// Takes the bytes that came, and gives each line that they end; empty ones are passed over.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), TooLong> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.held.len() + line.len() > EVENT {
                return Err(TooLong);
            }
            self.held.extend_from_slice(line);
            self.finish(&mut each);
        }
        if self.held.len() + bytes.len() > EVENT {
            return Err(TooLong);
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// The bytes have ended: what is held is a line too.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        let line = self.held.trim_ascii();
        if !line.is_empty() {
            each(line);
        }
        self.held.clear();
    }
}
