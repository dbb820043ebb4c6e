//! The HTTP/2 side of one connection: enough of RFC 9113 to ask and to count answers.
//!
//! Header blocks are not decoded: a status is right when it is the static table's `:status: 200`, which is how every
//! peer encodes it.

use super::{Done, Expect, Fault, Request};
use crate::wire::clock::Nanos;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const WINDOW: u32 = 0x7fff_ffff;
/// Received bytes are given back to the connection's window in steps of this size.
const CREDIT: u32 = 16 << 20;
const MAX_FRAME: usize = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

pub(super) struct Client {
    streams: Vec<Stream>,
    room: usize,
    next_id: u32,
    /// An incomplete frame, from an earlier read.
    carry: Vec<u8>,
    received: u32,
    last: bool,
}

struct Stream {
    id: u32,
    intended: Nanos,
    /// Whether the status was 200; unknown before the head.
    ok: Option<bool>,
    length: u64,
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl Client {
    /// With its preface and settings put into `out`: windows as wide as they go, no push.
    pub(super) fn new(room: usize, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(PREFACE);
        let mut settings = Vec::new();
        for (id, value) in [(2u16, 0u32), (4, WINDOW)] {
            settings.extend_from_slice(&id.to_be_bytes());
            settings.extend_from_slice(&value.to_be_bytes());
        }
        frame(out, SETTINGS, 0, 0, &settings);
        frame(out, WINDOW_UPDATE, 0, 0, &(WINDOW - 65_535).to_be_bytes());
        Self { streams: Vec::new(), room, next_id: 1, carry: Vec::new(), received: 0, last: false }
    }

    pub(super) fn free(&self) -> usize {
        if self.last { 0 } else { self.room.saturating_sub(self.streams.len()) }
    }

    pub(super) fn flying(&self) -> impl Iterator<Item = Nanos> {
        self.streams.iter().map(|stream| stream.intended)
    }

    /// The server takes no more requests on this connection.
    pub(super) fn last(&self) -> bool {
        self.last
    }

    pub(super) fn begin(&mut self, request: &Request, intended: Nanos, out: &mut Vec<u8>) {
        self.streams.push(Stream { id: self.next_id, intended, ok: None, length: 0 });
        let end = if request.body.is_empty() { END_STREAM } else { 0 };
        frame(out, HEADERS, end | END_HEADERS, self.next_id, &request.wire);
        if !request.body.is_empty() {
            frame(out, DATA, END_STREAM, self.next_id, &request.body);
        }
        self.next_id += 2;
        self.last |= self.next_id > WINDOW - 2;
    }

    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        expect: &Expect,
        done: &mut Vec<Done>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let carried = std::mem::take(&mut self.carry);
        let joined;
        let mut rest = if carried.is_empty() {
            bytes
        } else {
            joined = [&carried, bytes].concat();
            &joined
        };
        while let Some((frame, after)) = split(rest)? {
            self.frame(&frame, expect, done, out)?;
            rest = after;
        }
        self.carry.extend_from_slice(rest);
        Ok(())
    }

    fn frame(&mut self, frame: &Frame, expect: &Expect, done: &mut Vec<Done>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match frame.kind {
            DATA => {
                self.credit(frame.payload.len() as u32, out);
                let padding = match frame.payload.first() {
                    Some(&padding) if frame.flags & PADDED != 0 => usize::from(padding) + 1,
                    _ => 0,
                };
                let length = frame.payload.len().checked_sub(padding).ok_or(Fault::Malformed)?;
                if let Some(stream) = self.stream(frame.stream) {
                    stream.length += length as u64;
                }
                self.end_if(frame.flags & END_STREAM != 0, frame.stream, expect, done);
            }
            HEADERS => {
                let ok = status_is_200(frame)?;
                if let Some(stream) = self.stream(frame.stream) {
                    stream.ok.get_or_insert(ok);
                }
                self.end_if(frame.flags & END_STREAM != 0, frame.stream, expect, done);
            }
            RST_STREAM => {
                if let Some(stream) = self.take(frame.stream) {
                    done.push(Done {
                        intended: stream.intended,
                        fault: Some(Fault::Reset),
                        marked: false,
                        first: None,
                    });
                }
            }
            SETTINGS if frame.flags & ACK == 0 => {
                self.settings(frame.payload);
                self::frame(out, SETTINGS, ACK, 0, &[]);
            }
            PING if frame.flags & ACK == 0 => self::frame(out, PING, ACK, 0, frame.payload),
            GOAWAY => self.last = true,
            _ => {}
        }
        Ok(())
    }

    fn settings(&mut self, payload: &[u8]) {
        let (entries, _) = payload.as_chunks::<6>();
        for &[id_high, id_low, a, b, c, d] in entries {
            // SETTINGS_MAX_CONCURRENT_STREAMS
            if u16::from_be_bytes([id_high, id_low]) == 3 {
                self.room = self.room.min(u32::from_be_bytes([a, b, c, d]) as usize);
            }
        }
    }

    fn credit(&mut self, bytes: u32, out: &mut Vec<u8>) {
        self.received += bytes;
        if self.received >= CREDIT {
            frame(out, WINDOW_UPDATE, 0, 0, &self.received.to_be_bytes());
            self.received = 0;
        }
    }

    fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.id == id)
    }

    fn take(&mut self, id: u32) -> Option<Stream> {
        let at = self.streams.iter().position(|stream| stream.id == id)?;
        Some(self.streams.swap_remove(at))
    }

    fn end_if(&mut self, ended: bool, id: u32, expect: &Expect, done: &mut Vec<Done>) {
        if ended && let Some(stream) = self.take(id) {
            let fault = expect.fault(stream.ok == Some(true), stream.length);
            done.push(Done { intended: stream.intended, fault, marked: false, first: None });
        }
    }
}

/// Splits off one whole frame.
fn split(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, Fault> {
    let Some((&[a, b, c, kind, flags, s0, s1, s2, s3], rest)) = bytes.split_first_chunk::<9>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > MAX_FRAME {
        return Err(Fault::Malformed);
    }
    let stream = u32::from_be_bytes([s0, s1, s2, s3]) & WINDOW;
    Ok(rest.split_at_checked(length).map(|(payload, after)| (Frame { kind, flags, stream, payload }, after)))
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Whether the block begins with the static `:status: 200`, after any change of the dynamic table's size.
fn status_is_200(frame: &Frame) -> Result<bool, Fault> {
    let skip = usize::from(frame.flags & PADDED != 0) + if frame.flags & PRIORITY != 0 { 5 } else { 0 };
    let mut block = frame.payload.get(skip..).ok_or(Fault::Malformed)?;
    while let Some((&first, mut rest)) = block.split_first()
        && first & 0xe0 == 0x20
    {
        if first & 0x1f == 0x1f {
            while let Some((&byte, after)) = rest.split_first() {
                rest = after;
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        block = rest;
    }
    Ok(block.first() == Some(&0x88))
}

#[cfg(test)]
mod tests;
