//! The one concrete body, streaming transforms over it, and the response body that carries its exchange to the end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::error::{Code, Error, codes};
use super::record::Finish;
use super::{Blame, Exchange};
use crate::clock::Time;
use crate::h1::ClientBody;
use crate::upstream::Leased;

/// Why a body ended early. Boxed, as it is rare and frames are many.
pub type BodyError = Box<Error>;

/// A body of a request or a response.
#[derive(Default)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// All at once.
    Full(Bytes),
    /// Several parts that are all here, then trailers.
    Parts(VecDeque<Bytes>, Option<HeaderMap>),
    /// From a client that speaks HTTP/1.
    Client(ClientBody),
    /// From a client that speaks HTTP/2.
    Incoming(Incoming),
    /// From an upstream, with the connection it comes by.
    Upstream(Leased),
    /// Anything else.
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Body::Empty => "Empty",
            Body::Full(_) => "Full",
            Body::Parts(..) => "Parts",
            Body::Client(_) => "Client",
            Body::Incoming(_) => "Incoming",
            Body::Upstream(_) => "Upstream",
            Body::Stream(_) => "Stream",
        })
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Body::Empty } else { Body::Full(bytes) }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        if http_body::Body::is_end_stream(&incoming) { Body::Empty } else { Body::Incoming(incoming) }
    }
}

/// A failure to read what the client sends.
fn from_client(error: hyper::Error) -> BodyError {
    unreadable(if error.is_timeout() { &codes::BODY_TIMEOUT } else { &codes::BAD_REQUEST }, error)
}

fn unreadable(code: &'static Code, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BodyError {
    Box::new(Error::new(code, "The request body could not be read.").because(cause))
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Body::Empty => Poll::Ready(None),
            Body::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Body::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Body::Parts(parts, trailers) => Poll::Ready(match parts.pop_front() {
                Some(part) => Some(Ok(Frame::data(part))),
                None => trailers.take().map(|fields| Ok(Frame::trailers(fields))),
            }),
            Body::Client(body) => body.poll_frame(cx).map_err(|fault| unreadable(&codes::BAD_REQUEST, fault)),
            Body::Incoming(incoming) => Pin::new(incoming).poll_frame(cx).map_err(from_client),
            Body::Upstream(leased) => leased.poll_frame(cx),
            Body::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(bytes) => bytes.is_empty(),
            Body::Parts(parts, trailers) => parts.is_empty() && trailers.is_none(),
            Body::Client(body) => body.is_end_stream(),
            Body::Incoming(incoming) => incoming.is_end_stream(),
            Body::Upstream(leased) => leased.is_end_stream(),
            Body::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Parts(parts, trailers) => {
                let length = parts.iter().map(|part| part.len() as u64).sum();
                // A length would leave the trailers out: only a chunked body of HTTP/1.1 has them.
                if trailers.is_none() {
                    return SizeHint::with_exact(length);
                }
                let mut hint = SizeHint::new();
                hint.set_lower(length);
                hint
            }
            Body::Client(body) => body.size_hint(),
            Body::Incoming(incoming) => incoming.size_hint(),
            Body::Upstream(leased) => leased.size_hint(),
            Body::Stream(stream) => stream.size_hint(),
        }
    }
}

/// Changes a body as it streams. Chunks go in as they come; what comes out is put into `out`.
pub trait Transform: Send {
    /// Takes the next chunk.
    fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), BodyError>;
    /// The source pauses: give out what can be given, so that streams do not stall.
    fn flush(&mut self, _out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        Ok(())
    }
    /// The source ended: give out the rest.
    fn finish(&mut self, _out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        Ok(())
    }
}

/// Streaming transforms in running order, and what they gave out and nobody took yet.
///
/// Most exchanges have none, so it is a box where there are some.
#[derive(Default)]
pub struct Transforms(Option<Box<Chain>>);

#[derive(Default)]
struct Chain {
    transforms: Vec<Box<dyn Transform>>,
    ready: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    state: Source,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Source {
    /// Gives chunks.
    #[default]
    Open,
    /// Pauses, and the transforms have been flushed for it.
    Flushed,
    /// Ended.
    Ended,
}

impl Transforms {
    /// Adds one behind the others.
    pub fn push(&mut self, transform: Box<dyn Transform>) {
        self.0.get_or_insert_default().transforms.push(transform);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Gives the next frame of `body` as changed by all of them.
    pub fn poll_frame<B>(&mut self, body: &mut B, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>
    where
        B: http_body::Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        match &mut self.0 {
            Some(chain) => chain.poll_frame(body, cx),
            None => Pin::new(body).poll_frame(cx),
        }
    }
}

impl Chain {
    fn poll_frame<B>(&mut self, body: &mut B, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>
    where
        B: http_body::Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                if chunk.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            if self.state == Source::Ended {
                return Poll::Ready(self.trailers.take().map(|fields| Ok(Frame::trailers(fields))));
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending if self.state == Source::Open => {
                    self.state = Source::Flushed;
                    self.run(Event::Pause)?;
                    if self.ready.is_empty() {
                        return Poll::Pending;
                    }
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    self.state = Source::Open;
                    match frame.into_data() {
                        Ok(chunk) => self.run(Event::Chunk(chunk))?,
                        Err(frame) => self.trailers = frame.into_trailers().ok(),
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    self.state = Source::Ended;
                    self.run(Event::End)?;
                }
            }
        }
    }

    /// Puts an event through the whole chain.
    fn run(&mut self, event: Event) -> Result<(), BodyError> {
        let (mut chunks, after) = match event {
            Event::Chunk(chunk) => (VecDeque::from([chunk]), After::Nothing),
            Event::Pause => (VecDeque::new(), After::Flush),
            Event::End => (VecDeque::new(), After::Finish),
        };
        for transform in &mut self.transforms {
            let mut out = VecDeque::new();
            for chunk in chunks {
                transform.push(chunk, &mut out)?;
            }
            match after {
                After::Nothing => {}
                After::Flush => transform.flush(&mut out)?,
                After::Finish => transform.finish(&mut out)?,
            }
            chunks = out;
        }
        self.ready.append(&mut chunks);
        Ok(())
    }
}

enum Event {
    Chunk(Bytes),
    Pause,
    End,
}

#[derive(Clone, Copy)]
enum After {
    Nothing,
    Flush,
    Finish,
}

/// The response body as the client's connection takes it: it owns the exchange, counts what goes out, and settles when
/// it is dropped. An upgraded exchange goes on to its tunnel instead.
pub struct Served {
    /// There until it is dropped.
    exchange: Option<Box<Exchange>>,
}

impl Served {
    /// The body of the exchange's response.
    pub fn new(exchange: Box<Exchange>) -> Self {
        Self { exchange: Some(exchange) }
    }

    /// When the answer's head was ready.
    pub fn responded(&self) -> Option<Time> {
        self.exchange.as_ref()?.record.responded
    }

    /// Asking for the next frame panicked: there will be no other.
    pub fn panicked(&mut self) {
        if let Some(x) = &mut self.exchange {
            x.panicked();
            x.response_body = Body::Empty;
            x.response_transforms = Transforms::default();
        }
    }
}

impl http_body::Body for Served {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(x) = self.exchange.as_deref_mut() else { return Poll::Ready(None) };
        match ready!(x.response_transforms.poll_frame(&mut x.response_body, cx)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    x.record.bytes_out += data.len() as u64;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                x.record.finish = Finish::Truncated;
                // A request body that failed took the upstream's connection with it.
                let error = x.meter.as_ref().and_then(|meter| meter.failure()).unwrap_or(error);
                let shown = Error::new(error.code, error.detail.clone());
                if error.code.blame != Blame::Client {
                    tracing::debug!(target: "tollgate::exchange", error = %error, "response cut short");
                }
                x.error = Some(*error);
                Poll::Ready(Some(Err(Box::new(shown))))
            }
            None => {
                x.record.finish = Finish::Complete;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let Some(x) = &self.exchange else { return true };
        x.response_transforms.is_empty() && x.response_body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.exchange {
            Some(x) if x.response_transforms.is_empty() => x.response_body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let Some(mut x) = self.exchange.take() else { return };
        if let Some(tunnel) = x.tunnel.take() {
            // A tunnel that is gone already gives the exchange back, and it settles here.
            drop(tunnel.send(x));
            return;
        }
        // The connection stops asking once it has the promised length, so the end is not always seen as a frame.
        let ended = x.response_transforms.is_empty() && http_body::Body::is_end_stream(&x.response_body);
        let bodiless = x.record.method == Method::HEAD || matches!(x.record.status, 101 | 204 | 304);
        if x.record.finish == Finish::Aborted && (bodiless || ended) {
            x.record.finish = Finish::Complete;
        }
    }
}
