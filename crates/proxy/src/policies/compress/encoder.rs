//! The algorithms as transforms of a stream: chunks in, what is ready out.

use std::collections::VecDeque;
use std::io::{self, Write};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Algorithm, FAILED};
use crate::exchange::{BodyError, Error, Transform};

/// The windows of Brotli and zstd as powers of two: 256 KiB and 1 MiB, so that an answer costs no more memory than that
/// and a few tables.
const BROTLI_WINDOW: u32 = 18;
const ZSTD_WINDOW: u32 = 20;
/// What Brotli writes at once.
const BROTLI_BUFFER: usize = 4 << 10;

/// An answer being compressed.
pub(super) struct Encoder {
    state: State,
    /// Whether something went in that was not flushed out yet.
    held: bool,
}

enum State {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Br(Box<CompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    Ended,
}

impl Encoder {
    pub(super) fn new(algorithm: Algorithm, level: u32) -> io::Result<Self> {
        let state = match algorithm {
            Algorithm::Gzip => State::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::new(level)))),
            Algorithm::Br => {
                State::Br(Box::new(CompressorWriter::new(Vec::new(), BROTLI_BUFFER, level, BROTLI_WINDOW)))
            }
            Algorithm::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), i32::try_from(level).unwrap_or(3))?;
                encoder.window_log(ZSTD_WINDOW)?;
                State::Zstd(Box::new(encoder))
            }
        };
        Ok(Self { state, held: false })
    }

    fn writer(&mut self) -> Option<&mut dyn Write> {
        match &mut self.state {
            State::Gzip(encoder) => Some(encoder),
            State::Br(encoder) => Some(encoder),
            State::Zstd(encoder) => Some(encoder),
            State::Ended => None,
        }
    }

    /// Gives out what is written so far.
    fn give(&mut self, out: &mut VecDeque<Bytes>) {
        let written = match &mut self.state {
            State::Gzip(encoder) => encoder.get_mut(),
            State::Br(encoder) => encoder.get_mut(),
            State::Zstd(encoder) => encoder.get_mut(),
            State::Ended => return,
        };
        if !written.is_empty() {
            out.push_back(Bytes::from(std::mem::take(written)));
        }
    }

    /// Ends the stream and gives the rest.
    fn end(&mut self) -> io::Result<Vec<u8>> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Gzip(encoder) => encoder.finish(),
            State::Br(encoder) => Ok(encoder.into_inner()),
            State::Zstd(encoder) => encoder.finish(),
            State::Ended => Ok(Vec::new()),
        }
    }
}

impl Transform for Encoder {
    fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        if let Some(writer) = self.writer() {
            writer.write_all(&chunk).map_err(failed)?;
            self.held |= !chunk.is_empty();
        }
        self.give(out);
        Ok(())
    }

    fn flush(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        if !std::mem::take(&mut self.held) {
            return Ok(());
        }
        if let Some(writer) = self.writer() {
            writer.flush().map_err(failed)?;
        }
        self.give(out);
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        let rest = self.end().map_err(failed)?;
        if !rest.is_empty() {
            out.push_back(Bytes::from(rest));
        }
        Ok(())
    }
}

fn failed(error: io::Error) -> BodyError {
    Box::new(Error::new(&FAILED, "The answer could not be compressed.").because(error))
}
