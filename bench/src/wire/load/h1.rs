//! The HTTP/1.1 side of one connection: no pipelining, bodies counted and dropped.

use memchr::memmem;

use super::says::Says;
use super::{Done, Expect, Fault, Got, Request};
use crate::wire::chunked::Chunked;
use crate::wire::clock::Nanos;
use crate::wire::upstream::{field, number};

const MAX_HEAD: usize = 64 << 10;

pub(super) struct Client {
    flying: Option<Nanos>,
    /// An incomplete head, from an earlier read.
    carry: Vec<u8>,
    state: State,
    answer: Answer,
    says: Says,
    last: bool,
}

enum State {
    Head,
    Length(u64),
    Chunked(Chunked),
}

/// What is known of the answer that is being read.
#[derive(Clone, Copy, Default)]
struct Answer {
    ok: bool,
    length: u64,
    marked: bool,
    first: Option<Nanos>,
}

impl Client {
    pub(super) fn new() -> Self {
        let (answer, says) = (Answer::default(), Says::default());
        Self { flying: None, carry: Vec::new(), state: State::Head, answer, says, last: false }
    }

    pub(super) fn free(&self) -> usize {
        usize::from(self.flying.is_none() && !self.last)
    }

    pub(super) fn flying(&self) -> impl Iterator<Item = Nanos> {
        self.flying.into_iter()
    }

    /// The server takes no more requests on this connection.
    pub(super) fn last(&self) -> bool {
        self.last
    }

    pub(super) fn begin(&mut self, request: &Request, intended: Nanos, out: &mut Vec<u8>) {
        self.flying = Some(intended);
        out.extend_from_slice(&request.wire);
    }

    pub(super) fn receive(&mut self, bytes: &[u8], expect: &Expect, got: &mut Got) -> Result<(), Fault> {
        if self.carry.is_empty() {
            let used = self.read(bytes, expect, got)?;
            self.carry.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            self.carry.extend_from_slice(bytes);
            let carry = std::mem::take(&mut self.carry);
            let used = self.read(&carry, expect, got)?;
            self.carry.extend_from_slice(carry.get(used..).unwrap_or_default());
        }
        if self.carry.len() > MAX_HEAD { Err(Fault::Malformed) } else { Ok(()) }
    }

    fn read(&mut self, bytes: &[u8], expect: &Expect, got: &mut Got) -> Result<usize, Fault> {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let ended = match &mut self.state {
                State::Head => {
                    let Some(end) = memmem::find(rest, b"\r\n\r\n") else { return Ok(used) };
                    used += end + 4;
                    self.head(rest.get(..end + 2).unwrap_or_default(), expect)?
                }
                State::Length(left) => {
                    let here = (rest.len() as u64).min(*left);
                    *left -= here;
                    self.says.hear(rest.get(..here as usize).unwrap_or_default(), expect, &mut got.tokens);
                    if here > 0 {
                        self.answer.first.get_or_insert(got.now);
                    }
                    used += here as usize;
                    *left == 0
                }
                State::Chunked(chunked) => {
                    let (says, tokens) = (&mut self.says, &mut got.tokens);
                    let taken = chunked.take_with(rest, |data| says.hear(data, expect, tokens));
                    used += taken.ok_or(Fault::Malformed)?;
                    self.answer.length = chunked.data;
                    if chunked.data > 0 {
                        self.answer.first.get_or_insert(got.now);
                    }
                    chunked.ended()
                }
            };
            if ended {
                let intended = self.flying.take().ok_or(Fault::Malformed)?;
                let Answer { ok, length, marked, first } = self.answer;
                let said = self.says.end(expect, &mut got.tokens);
                let fault = expect.fault(ok, length).or((!said).then_some(Fault::Words));
                got.done.push(Done { intended, fault, marked, first });
                self.state = State::Head;
            } else if used == bytes.len() {
                return Ok(used);
            }
        }
    }

    /// Reads a head; `true` when the answer has no body.
    fn head(&mut self, head: &[u8], expect: &Expect) -> Result<bool, Fault> {
        if self.flying.is_none() {
            // Such as a 408 on an idle connection: not an answer to anything.
            return Err(Fault::Closed);
        }
        let (protocol, rest) = head.split_at_checked(9).ok_or(Fault::Malformed)?;
        if !protocol.starts_with(b"HTTP/1.") {
            return Err(Fault::Malformed);
        }
        let status = number(rest);
        if (100..200).contains(&status) {
            return Ok(false);
        }
        let marked = expect.marker.as_ref().is_some_and(|marker| marker.find(head).is_some());
        self.answer = Answer { ok: status == 200, length: 0, marked, first: None };
        let mut length = matches!(status, 204 | 304).then_some(0);
        let mut chunked = false;
        for line in head.split(|&byte| byte == b'\n') {
            if let Some(value) = field(line, b"content-length:") {
                length = Some(number(value) as u64);
            } else if field(line, b"transfer-encoding:").is_some() {
                chunked = true;
            } else if let Some(value) = field(line, b"connection:") {
                self.last |= value.eq_ignore_ascii_case(b"close");
            }
        }
        if chunked {
            self.state = State::Chunked(Chunked::new());
            return Ok(false);
        }
        let length = length.ok_or(Fault::Malformed)?;
        self.answer.length = length;
        self.state = State::Length(length);
        Ok(length == 0)
    }
}

#[cfg(test)]
mod tests;
