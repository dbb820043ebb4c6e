//! The codings as transforms of a stream: what comes out is counted as it is written, so that no bomb goes off.

use std::collections::VecDeque;
use std::io::{self, Write};

use brotli::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use zstd::stream::raw::{DParameter, Operation};

use super::{Bounds, Coding, MALFORMED, TOO_LARGE};
use crate::exchange::{BodyError, Error, Transform};

/// So much may come out whatever the ratio: small bodies of one letter are no bombs.
const GRACE: u64 = 64 << 10;
/// What is written at once.
const BUFFER: usize = 16 << 10;
/// The largest window of zstd as a power of two: 8 MiB, what RFC 8878 section 3.1.1.1.2 asks decoders for.
const ZSTD_WINDOW: u32 = 23;

/// A body whose coding is taken off.
pub(super) struct Decoder {
    state: State,
    bounds: Bounds,
    /// Bytes that came in.
    read: u64,
}

enum State {
    Gzip(Box<MultiGzDecoder<Sink>>),
    Deflate(Box<ZlibDecoder<Sink>>),
    Br(Box<DecompressorWriter<Sink>>),
    Zstd(Box<Frames>),
}

/// What comes out, up to what is allowed by now.
#[derive(Default)]
struct Sink {
    out: Vec<u8>,
    written: u64,
    allowed: u64,
}

impl Sink {
    fn is_full(&self) -> bool {
        self.written > self.allowed
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len() as u64;
        if self.is_full() {
            return Err(io::Error::other("over the bound"));
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Frames of zstd, one after the other.
struct Frames {
    decoder: zstd::stream::raw::Decoder<'static>,
    sink: Sink,
    buffer: Box<[u8]>,
    /// Whether the last frame is whole.
    whole: bool,
}

impl Frames {
    fn new() -> io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
        Ok(Self { decoder, sink: Sink::default(), buffer: vec![0; BUFFER].into(), whole: true })
    }
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        loop {
            let status = self.decoder.run_on_buffers(rest, &mut self.buffer)?;
            self.sink.write_all(self.buffer.get(..status.bytes_written).unwrap_or_default())?;
            rest = rest.get(status.bytes_read..).unwrap_or_default();
            self.whole = status.remaining == 0;
            if rest.is_empty() && status.bytes_written < self.buffer.len() {
                return Ok(bytes.len());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    pub(super) fn new(coding: Coding, bounds: Bounds) -> io::Result<Self> {
        let state = match coding {
            Coding::Gzip => State::Gzip(Box::new(MultiGzDecoder::new(Sink::default()))),
            Coding::Deflate => State::Deflate(Box::new(ZlibDecoder::new(Sink::default()))),
            Coding::Br => State::Br(Box::new(DecompressorWriter::new(Sink::default(), BUFFER))),
            Coding::Zstd => State::Zstd(Box::new(Frames::new()?)),
        };
        Ok(Self { state, bounds, read: 0 })
    }

    fn sink(&mut self) -> &mut Sink {
        match &mut self.state {
            State::Gzip(decoder) => decoder.get_mut(),
            State::Deflate(decoder) => decoder.get_mut(),
            State::Br(decoder) => decoder.get_mut(),
            State::Zstd(frames) => &mut frames.sink,
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.state {
            State::Gzip(decoder) => decoder,
            State::Deflate(decoder) => decoder,
            State::Br(decoder) => decoder,
            State::Zstd(frames) => frames,
        }
    }

    /// Ends the stream, which must be whole.
    fn end(&mut self) -> io::Result<()> {
        match &mut self.state {
            _ if self.read == 0 => Ok(()),
            State::Gzip(decoder) => decoder.try_finish(),
            State::Deflate(decoder) => decoder.try_finish(),
            State::Br(decoder) => decoder.close(),
            State::Zstd(frames) if frames.whole => Ok(()),
            State::Zstd(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Gives out what there is, or says what is wrong.
    fn give(&mut self, done: io::Result<()>, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        let most = self.bounds.size;
        let sink = self.sink();
        match done {
            Ok(()) => {}
            Err(_) if sink.is_full() => {
                let detail = if sink.written > most {
                    format!("The request body is larger than {most} bytes without its coding.")
                } else {
                    "The request body is much larger without its coding than with it.".to_owned()
                };
                return Err(Box::new(Error::new(&TOO_LARGE, detail)));
            }
            Err(error) => return Err(Box::new(malformed(error))),
        }
        if !sink.out.is_empty() {
            out.push_back(Bytes::from(std::mem::take(&mut sink.out)));
        }
        Ok(())
    }
}

impl Transform for Decoder {
    fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        self.read += chunk.len() as u64;
        let Bounds { size, ratio } = self.bounds;
        self.sink().allowed = size.min(GRACE.max(ratio.saturating_mul(self.read)));
        // What follows the end of a stream is taken by none of them.
        let done = self.writer().write_all(&chunk);
        self.give(done, out)
    }

    fn flush(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        let done = if self.read == 0 { Ok(()) } else { self.writer().flush() };
        self.give(done, out)
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        let done = self.end();
        self.give(done, out)
    }
}

/// The refusal of a body that is not what it says.
pub(super) fn malformed(error: io::Error) -> Error {
    Error::new(&MALFORMED, "The request body is not in the content coding that it says, or not whole.").because(error)
}
