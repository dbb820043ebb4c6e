//! The fixed upstream: HTTP/1.1, keep-alive, prebuilt answers. `/bytes/N` answers with N bytes, a call of a model with a
//! model's answer, whole or as a stream, every other path with 1 KiB.

pub(crate) mod models;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem;

use self::models::{Call, Models, Stream};
use super::chunked::Chunked;
use super::clock::{self, Nanos};
use super::poll::{Poller, Ready, Token};
use super::slots::{Slot, Slots};

/// What a path without a size answers with.
const DEFAULT_BYTES: usize = 1024;
/// The largest answer; a larger `/bytes/N` gets this many.
const MAX_BYTES: usize = 16 << 20;
/// How many sizes are kept prebuilt; beyond it the default is answered.
const MAX_SIZES: usize = 64;
/// A request head larger than this closes the connection.
const MAX_HEAD: usize = 64 << 10;

/// What one that does not read may have waiting before it is dropped.
const MAX_PENDING: usize = 32 << 20;

/// The listening socket and what it accepted.
pub(crate) struct Upstream {
    listener: TcpListener,
    conns: Slots<Conn>,
    /// The next events of the streams under way.
    due: BinaryHeap<Reverse<(Nanos, Slot)>>,
    answers: Answers,
    scratch: Vec<u8>,
    /// Requests answered so far.
    pub(crate) served: u64,
}

struct Conn {
    socket: TcpStream,
    /// An incomplete head, from an earlier read.
    carry: Vec<u8>,
    body: Body,
    /// Answered once its body is behind.
    asked: Option<Asked>,
    /// The answer under way, where it is a stream.
    stream: Option<Stream>,
    /// What the socket did not take yet.
    pending: Vec<u8>,
    close: bool,
}

/// What is left of the current request's body.
enum Body {
    None,
    Length(usize),
    Chunked(Chunked),
}

impl Upstream {
    /// Listens on loopback; port 0 takes a free one.
    pub(crate) fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let answers = Answers::new();
        let scratch = vec![0; 64 << 10];
        Ok(Self { listener, conns: Slots::new(), due: BinaryHeap::new(), answers, scratch, served: 0 })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Has the listening socket watched.
    pub(crate) fn register(&self, poller: &Poller) -> io::Result<()> {
        poller.add(&self.listener, Token::Listener)
    }

    /// Takes every connection that waits.
    pub(crate) fn accept(&mut self, poller: &Poller) {
        while let Ok((socket, _)) = self.listener.accept() {
            if socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true)).is_err() {
                continue;
            }
            let slot = self.conns.insert(Conn::new(socket));
            let watched = self.conns.get_mut(slot).map(|conn| poller.add(&conn.socket, Token::Upstream(slot)));
            if !matches!(watched, Some(Ok(()))) {
                self.conns.remove(slot);
            }
        }
    }

    /// Answers what has arrived on one connection.
    pub(crate) fn ready(&mut self, slot: Slot, ready: Ready) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        let mut open = if ready.writable { conn.flush().is_ok() } else { true };
        if open && ready.readable {
            open = conn.serve(ready, &mut self.scratch, &mut self.answers, &mut self.served).unwrap_or(false);
        }
        if let Some(stream) = conn.stream.as_mut().filter(|stream| !stream.queued) {
            stream.queued = true;
            self.due.push(Reverse((stream.next, slot)));
        }
        if !open || conn.over() {
            self.conns.remove(slot);
        }
    }

    /// Sends the events that are due, and answers how long the next one is away.
    pub(crate) fn tick(&mut self) -> Option<Duration> {
        let &Reverse((mut next, mut slot)) = self.due.peek()?;
        let now = clock::now();
        while next <= now {
            self.due.pop();
            self.step(slot);
            Reverse((next, slot)) = *self.due.peek()?;
        }
        Some(Duration::from_nanos(next - now))
    }

    /// Sends one stream's next event.
    fn step(&mut self, slot: Slot) {
        // The connection may have ended since.
        let Some(conn) = self.conns.get_mut(slot) else { return };
        let Some(mut stream) = conn.stream.take() else { return };
        let sent = conn.send(self.answers.models.event(&mut stream)).is_ok();
        if stream.left > 0 {
            self.due.push(Reverse((stream.next, slot)));
            conn.stream = Some(stream);
        }
        if !sent || conn.over() {
            self.conns.remove(slot);
        }
    }
}

impl Conn {
    fn new(socket: TcpStream) -> Self {
        let (carry, pending) = (Vec::new(), Vec::new());
        Self { socket, carry, body: Body::None, asked: None, stream: None, pending, close: false }
    }

    /// Whether everything was said that will be.
    fn over(&self) -> bool {
        self.close && self.pending.is_empty() && self.stream.is_none()
    }

    /// Reads and answers until the socket is empty; `false` at its end.
    fn serve(&mut self, ready: Ready, scratch: &mut [u8], answers: &mut Answers, served: &mut u64) -> io::Result<bool> {
        loop {
            let read = match self.socket.read(scratch) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = scratch.get(..read).unwrap_or_default();
            if self.carry.is_empty() {
                let used = self.answer(bytes, answers, served)?;
                self.carry.extend_from_slice(bytes.get(used..).unwrap_or_default());
            } else {
                self.carry.extend_from_slice(bytes);
                let carry = std::mem::take(&mut self.carry);
                let used = self.answer(&carry, answers, served)?;
                self.carry.extend_from_slice(carry.get(used..).unwrap_or_default());
            }
            if self.carry.len() > MAX_HEAD {
                return Ok(false);
            }
            // A short read has emptied the socket: what comes next is a new edge.
            if read < scratch.len() && !ready.ending {
                return Ok(true);
            }
        }
    }

    /// Answers every complete request in `bytes`; what is left over is an incomplete head.
    fn answer(&mut self, bytes: &[u8], answers: &mut Answers, served: &mut u64) -> io::Result<usize> {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            used += self.skip_body(rest)?;
            if !matches!(self.body, Body::None) {
                return Ok(used);
            }
            if let Some(asked) = self.asked.take() {
                *served += 1;
                self.reply(asked, answers)?;
            }
            let rest = bytes.get(used..).unwrap_or_default();
            let Some(end) = answers.head_end.find(rest) else { return Ok(used) };
            if self.stream.is_some() {
                // A second request before the answer's end: nobody does that here.
                return Err(ErrorKind::InvalidData.into());
            }
            let request = Request::read(rest.get(..end + 4).unwrap_or_default());
            used += end + 4;
            self.body = request.body;
            self.close |= request.close;
            self.asked = Some(request.asked);
        }
    }

    fn reply(&mut self, asked: Asked, answers: &mut Answers) -> io::Result<()> {
        match asked {
            Asked::Head(bytes) => self.send(answers.of(bytes).head()),
            Asked::Bytes(bytes) => self.send(&answers.of(bytes).wire),
            Asked::Call(Call { format, pacing: None }) => self.send(answers.models.whole(format)),
            Asked::Call(Call { format, pacing: Some(pacing) }) => {
                let (stream, opening) = answers.models.begin(format, pacing);
                self.stream = Some(stream);
                self.send(opening)
            }
        }
    }

    fn skip_body(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.body {
            Body::None => Ok(0),
            Body::Length(left) => {
                let here = bytes.len().min(*left);
                *left -= here;
                if *left == 0 {
                    self.body = Body::None;
                }
                Ok(here)
            }
            Body::Chunked(chunked) => {
                let used = chunked.take(bytes).ok_or(ErrorKind::InvalidData)?;
                if chunked.ended() {
                    self.body = Body::None;
                }
                Ok(used)
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.pending.is_empty() {
            sent = match self.socket.write(bytes) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
        }
        self.pending.extend_from_slice(bytes.get(sent..).unwrap_or_default());
        if self.pending.len() > MAX_PENDING { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.socket.write(&self.pending) {
                Ok(sent) => drop(self.pending.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What the upstream needs to know of a request.
struct Request {
    asked: Asked,
    close: bool,
    body: Body,
}

/// What it is to be answered with.
enum Asked {
    /// The head of so many bytes.
    Head(usize),
    Bytes(usize),
    Call(Call),
}

impl Asked {
    fn of(method: &[u8], path: &[u8]) -> Self {
        match Call::of(path) {
            _ if method == b"HEAD" => Self::Head(size_of(path)),
            Some(call) => Self::Call(call),
            None => Self::Bytes(size_of(path)),
        }
    }
}

impl Request {
    fn read(head: &[u8]) -> Self {
        let mut words = head.splitn(3, |&byte| byte == b' ');
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        let mut request = Self { asked: Asked::of(method, path), close: false, body: Body::None };
        for line in head.split(|&byte| byte == b'\n') {
            if let Some(value) = field(line, b"content-length:") {
                request.body = Body::Length(number(value)).filled();
            } else if field(line, b"transfer-encoding:").is_some() {
                request.body = Body::Chunked(Chunked::new());
            } else if let Some(value) = field(line, b"connection:") {
                request.close = value.eq_ignore_ascii_case(b"close");
            }
        }
        request
    }
}

impl Body {
    fn filled(self) -> Self {
        if matches!(self, Self::Length(0)) { Self::None } else { self }
    }
}

/// The value of the field line when it has this name (lower case, with its colon).
pub(crate) fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// The decimal number that `digits` starts with.
pub(crate) fn number(digits: &[u8]) -> usize {
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0usize, |sum, byte| sum.saturating_mul(10).saturating_add(usize::from(byte - b'0')))
}

fn size_of(path: &[u8]) -> usize {
    match memmem::find(path, b"/bytes/") {
        Some(at) => number(path.get(at + 7..).unwrap_or_default()).min(MAX_BYTES),
        None => DEFAULT_BYTES,
    }
}

/// A whole answer, ready to be sent.
struct Answer {
    wire: Vec<u8>,
    head: usize,
}

impl Answer {
    fn new(bytes: usize) -> Self {
        let mut wire =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {bytes}\r\n\r\n").into_bytes();
        let head = wire.len();
        wire.extend((0..bytes).map(|at| b'a' + (at % 26) as u8));
        Self { wire, head }
    }

    fn head(&self) -> &[u8] {
        self.wire.get(..self.head).unwrap_or_default()
    }
}

struct Answers {
    usual: Arc<Answer>,
    others: HashMap<usize, Arc<Answer>>,
    models: Models,
    head_end: memmem::Finder<'static>,
}

impl Answers {
    fn new() -> Self {
        let usual = Arc::new(Answer::new(DEFAULT_BYTES));
        let head_end = memmem::Finder::new(b"\r\n\r\n");
        Self { usual, others: HashMap::new(), models: Models::new(), head_end }
    }

    fn of(&mut self, bytes: usize) -> Arc<Answer> {
        if bytes == DEFAULT_BYTES || (self.others.len() >= MAX_SIZES && !self.others.contains_key(&bytes)) {
            return self.usual.clone();
        }
        self.others.entry(bytes).or_insert_with(|| Arc::new(Answer::new(bytes))).clone()
    }
}
