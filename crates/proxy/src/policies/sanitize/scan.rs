//! A body that is scanned as it streams, less what is stripped.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::REFUSED;
use super::json::Json;
use super::xml::Xml;
use crate::exchange::{BodyError, Error, Transform};

/// What is wrong with a body, and where: the byte, counted from 0.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: u64,
    pub(super) what: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(at: u64, what: impl Into<Cow<'static, str>>) -> Self {
        Self { at, what: what.into() }
    }
}

/// What is to be taken out.
pub(super) type Cuts = Vec<Range<u64>>;

/// Reads a body of some format.
pub(super) enum Scanner {
    Json(Json),
    Xml(Xml),
}

impl Scanner {
    fn feed(&mut self, bytes: &[u8], cuts: &mut Cuts) -> Result<(), Fault> {
        match self {
            Scanner::Json(json) => json.feed(bytes, cuts),
            Scanner::Xml(xml) => xml.feed(bytes, cuts),
        }
    }

    /// Up to where all is decided.
    fn decided(&self) -> u64 {
        match self {
            Scanner::Json(json) => json.decided(),
            Scanner::Xml(xml) => xml.decided(),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self {
            Scanner::Json(json) => json.end(),
            Scanner::Xml(xml) => xml.end(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Scanner::Json(_) => "JSON",
            Scanner::Xml(_) => "XML",
        }
    }
}

/// A body being scanned.
pub(super) struct Scan {
    scanner: Scanner,
    /// What came last and is not decided yet: less than an escape or a reference.
    held: Bytes,
    /// Where what is held begins.
    from: u64,
}

impl Scan {
    pub(super) fn new(scanner: Scanner) -> Self {
        Self { scanner, held: Bytes::new(), from: 0 }
    }

    fn refuse(&self, fault: &Fault) -> BodyError {
        let detail =
            format!("The request body is refused as {}: {} (byte {}).", self.scanner.name(), fault.what, fault.at);
        Box::new(Error::new(&REFUSED, detail))
    }

    /// Takes so many bytes off the front of what is held.
    fn take(&mut self, until: u64) -> Bytes {
        let length = usize::try_from(until.saturating_sub(self.from)).unwrap_or(usize::MAX).min(self.held.len());
        self.from += length as u64;
        self.held.split_to(length)
    }
}

impl Transform for Scan {
    fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        let mut cuts = Cuts::new();
        if let Err(fault) = self.scanner.feed(&chunk, &mut cuts) {
            return Err(self.refuse(&fault));
        }
        self.held = if self.held.is_empty() {
            chunk
        } else {
            let mut joined = BytesMut::from(&*self.held);
            joined.extend_from_slice(&chunk);
            joined.freeze()
        };
        for cut in cuts {
            let kept = self.take(cut.start);
            out.push_back(kept);
            self.take(cut.end);
        }
        let kept = self.take(self.scanner.decided());
        out.push_back(kept);
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        if let Err(fault) = self.scanner.end() {
            return Err(self.refuse(&fault));
        }
        let kept = self.take(u64::MAX);
        out.push_back(kept);
        Ok(())
    }
}
