//! HTTP/1.1 and 1.0 on a connection (RFC 9112): one request after the other, each an exchange. The connection's task
//! drives all of it: it reads a head, polls the exchange, moves the request body to it as it is asked for, writes the
//! response as it comes, and sees the client leave.

pub(crate) mod request;
mod response;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body as _;

use self::request::Asked;
use super::connection::{goodbye, linger};
use super::life::{Life, Open};
use super::service::{self, Answer};
use super::transport::{Stream, Transport};
use super::watch::{Due, Holder, Watch};
use crate::exchange::{Body, Error, Exchange, Switch, codes, problem};
use crate::h1::{Fault, Giver, Reader, Rest, Wanted, Writer, handoff};
use crate::telemetry::Refusal;

/// How long the answer to a head that is refused may take.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How much of a request body that nobody took is read to keep its connection.
const DRAINED: usize = 64 << 10;

/// Serves exchanges until the connection is over, or quiet: then it is given back.
pub(super) async fn serve<S: Stream>(transport: Transport<S>, watch: &mut Watch) -> Option<Transport<S>> {
    let mut http = Http::new(transport);
    let end = loop {
        let done = match http.next(watch).await {
            Ok(head) => http.exchange(head, watch).await,
            Err(end) => Err(end),
        };
        if let Err(end) = done {
            break end;
        }
    };
    match end {
        End::Quiet => return Some(http.give_back()),
        End::Switch(switch) => switch.go(Box::new(http.give_back())),
        End::Refused(error) => http.refuse(&error).await,
        End::Over => http.end().await,
        End::Idle => goodbye(&mut http.transport).await,
        End::Cut => {}
    }
    None
}

/// Answers whatever comes with this error, and ends the connection.
pub(super) async fn refuse<S: Stream>(transport: Transport<S>, error: &Error) {
    Http::new(transport).refuse(error).await;
}

/// Why a connection takes no further request.
enum End {
    /// Nothing came for a while: its buffers are given back.
    Quiet,
    /// What came is no request.
    Refused(Error),
    /// The client ended it, or this answer does.
    Over,
    /// Nothing came for too long.
    Idle,
    /// The client is gone, or must see that the answer is not whole.
    Cut,
    /// Another protocol goes on from here.
    Switch(Switch),
}

/// An exchange that runs, and what writing its answer asks for.
struct Begun {
    exchange: (Box<Exchange>, Open),
    context: response::Context,
    switch: Option<Switch>,
}

/// A connection that speaks HTTP/1.
struct Http<S> {
    life: Arc<Life>,
    transport: Transport<S>,
    reader: Reader,
    writer: Writer,
    /// Where the request body goes; none where there is none, or nobody wants it.
    giver: Option<Giver>,
    /// Whether the client waits to be asked for the body.
    expects: bool,
    /// The most bytes of a head, and the most fields.
    head_bytes: usize,
    fields: usize,
}

impl<S: Stream> Http<S> {
    fn new(transport: Transport<S>) -> Self {
        let life = transport.life().clone();
        let (head_bytes, fields) = (life.rules.head_bytes, life.rules.head_fields);
        let (reader, writer) = (Reader::new(), Writer::default());
        Self { life, transport, reader, writer, giver: None, expects: false, head_bytes, fields }
    }

    /// The connection as it was before, with what was read of it.
    fn give_back(mut self) -> Transport<S> {
        self.transport.give_back(self.reader.into_unused());
        self.transport
    }

    /// The head of the next request.
    async fn next(&mut self, watch: &mut Watch) -> Result<Bytes, End> {
        poll_fn(|cx| {
            match self.reader.poll_head(&mut self.transport, cx, self.head_bytes, request::begin) {
                Poll::Ready(Ok(head)) => return Poll::Ready(Ok(head)),
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(self.no_head(fault))),
                Poll::Pending => {}
            }
            loop {
                let end = match ready!(watch.poll(cx, &self.life, Holder::H1)) {
                    // The next answer says so; who has nothing to ask gets a moment.
                    Due::Leave => continue,
                    Due::Park => End::Quiet,
                    // Empty lines alone ask for nothing.
                    Due::Head if !self.reader.unused().is_empty() => {
                        End::Refused(Error::new(&codes::HEAD_TIMEOUT, "The request head did not arrive in time."))
                    }
                    Due::Head | Due::Idle => End::Idle,
                    Due::Cut => End::Cut,
                };
                return Poll::Ready(Err(end));
            }
        })
        .await
    }

    fn no_head(&self, fault: Fault) -> End {
        match fault {
            Fault::Protocol(_) => End::Refused(request::malformed("The request head is not HTTP.")),
            Fault::TooLarge if !self.reader.unused().contains(&b'\n') => {
                End::Refused(Error::new(&codes::URI_TOO_LONG, "The request line is longer than a head may be."))
            }
            Fault::TooLarge => {
                End::Refused(Error::new(&codes::HEADERS_TOO_LARGE, "The request head is larger than it may be."))
            }
            Fault::Ended | Fault::Io(_) | Fault::Body(_) => End::Over,
        }
    }

    /// Answers a request that does not become an exchange, and ends the connection.
    async fn refuse(&mut self, error: &Error) {
        let life = &self.life;
        if error.code.name != codes::HEAD_TIMEOUT.name {
            life.rules.metrics.refused(life.door.current.load().local.worker, Refusal::Malformed);
        }
        tracing::debug!(target: "tollgate::listen", peer = %life.connection.peer, %error, "request refused");
        let (parts, text) = problem(error, None);
        let context =
            response::Context { version: http::Version::HTTP_11, head: false, trailers: false, persists: false };
        response::write(&mut self.writer, &parts, &http_body::SizeHint::with_exact(text.len() as u64), context, None);
        self.writer.gathered().extend_from_slice(&text);
        let written = poll_fn(|cx| self.writer.write(&mut self.transport, cx));
        if tokio::time::timeout(LAST_WORD, written).await.is_ok_and(|written| written.is_ok()) {
            self.end().await;
        }
    }

    /// Ends the gateway's side, and reads what is still on its way.
    async fn end(&mut self) {
        goodbye(&mut self.transport).await;
        linger(&mut self.transport).await;
    }

    /// Runs one exchange to its end.
    async fn exchange(&mut self, head: Bytes, watch: &mut Watch) -> Result<(), End> {
        let Begun { exchange, mut context, switch } = self.begin(head).map_err(End::Refused)?;
        let answer = {
            // Pinned where it is made: it is large.
            let mut exchange = pin!(service::serve(exchange));
            poll_fn(|cx| self.poll_answer(cx, exchange.as_mut(), watch)).await?
        };
        let (parts, answer) = answer.into_parts();
        let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        // A client that was not asked for its body may send it or not: what comes next could not be told.
        let unasked = self.expects && !self.reader.is_end_stream();
        context.persists &= !answer.is_last() && !switches && !unasked;
        let goes_on = response::write(&mut self.writer, &parts, &answer.size_hint(), context, answer.responded());
        drop(parts);
        self.send(answer, watch).await?;
        if switches && let Some(switch) = switch {
            return Err(End::Switch(switch));
        }
        if !goes_on || !self.is_read().await {
            return Err(End::Over);
        }
        // What came meanwhile begins the next head.
        if !self.reader.unused().is_empty() {
            self.life.received();
        }
        self.writer.shrink();
        Ok(())
    }

    /// The request body, to be read as it is asked for.
    fn take_body(&mut self, rest: Rest, expects: bool) -> Body {
        self.reader.begin_body(rest);
        self.expects = expects;
        let length = match rest {
            Rest::Length(length) => Some(length),
            Rest::Ended => return Body::Empty,
            Rest::Chunked(_) | Rest::UntilEnd => None,
        };
        let (giver, body) = handoff(length);
        self.giver = Some(giver);
        Body::Client(body)
    }

    /// Begins the exchange of the request with this head.
    fn begin(&mut self, head: Bytes) -> Result<Begun, Error> {
        let Asked { parts, found, rest, persists, expects, upgrades, trailers } = request::parse(&head, self.fields)?;
        let head = parts.method == Method::HEAD;
        let context = response::Context { version: parts.version, head, trailers, persists };
        let (switch, switched) = upgrades.then(Switch::offer).unzip();
        let body = self.take_body(rest, expects);
        let exchange = service::begin(&self.life, parts, Some(found), body, switched);
        Ok(Begun { exchange, context, switch })
    }

    /// Ready once the exchange has its response head.
    fn poll_answer<F>(
        &mut self,
        cx: &mut Context<'_>,
        mut exchange: Pin<&mut F>,
        watch: &mut Watch,
    ) -> Poll<Result<Response<Answer>, End>>
    where
        F: Future<Output = Response<Answer>>,
    {
        loop {
            if let Poll::Ready(answer) = exchange.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            if self.move_body(cx) {
                continue;
            }
            if !self.writer.is_clear() && self.writer.write(&mut self.transport, cx).is_ready() {
                continue;
            }
            return self.wait(cx, watch).map(Err);
        }
    }

    /// Writes the response as its body comes.
    async fn send(&mut self, answer: Answer, watch: &mut Watch) -> Result<(), End> {
        let mut answer = Some(answer);
        poll_fn(|cx| {
            loop {
                let moved = self.move_body(cx);
                match self.write(&mut answer, cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                    // Half an answer must not look whole.
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Cut)),
                    Poll::Pending if moved => {}
                    Poll::Pending => return self.wait(cx, watch).map(Err),
                }
            }
        })
        .await
    }

    /// Ready once the response is out. It settles as soon as its last byte was taken.
    fn write(&mut self, answer: &mut Option<Answer>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        loop {
            let gathered = match answer.as_mut() {
                Some(body) if self.writer.wants_body() => self.writer.gather(body, cx),
                _ => Ok(Poll::Ready(())),
            };
            if !self.writer.wants_body() {
                *answer = None;
            }
            // What came before a fault goes out.
            ready!(self.writer.write(&mut self.transport, cx))?;
            ready!(gathered?);
            if !self.writer.wants_body() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Gives the exchange what it wants of the request body; whether something moved.
    fn move_body(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(giver) = &self.giver else { return false };
        match giver.wanted(cx) {
            Wanted::Nothing => return false,
            Wanted::Never => {
                self.giver = None;
                return false;
            }
            Wanted::Frame => {}
        }
        if self.expects {
            self.expects = false;
            // Once an answer is under way, the body is read without being asked for.
            if !self.writer.wants_body() && self.writer.is_clear() {
                self.writer.gathered().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                let _ = self.writer.write(&mut self.transport, cx);
            }
        }
        match self.reader.poll_frame(&mut self.transport, cx, self.head_bytes) {
            Poll::Pending => return false,
            Poll::Ready(Some(Ok(frame))) => giver.give(Ok(frame), self.reader.is_end_stream()),
            Poll::Ready(Some(Err(fault))) => giver.give(Err(fault), true),
            Poll::Ready(None) => giver.end(),
        }
        true
    }

    /// Nothing moves: has the client left, is anything due?
    fn wait(&mut self, cx: &mut Context<'_>, watch: &mut Watch) -> Poll<End> {
        let nothing_to_read = self.reader.is_end_stream() && self.reader.unused().is_empty();
        if nothing_to_read && let Poll::Ready(Ok(0) | Err(_)) = self.reader.poll_unasked(&mut self.transport, cx) {
            return Poll::Ready(End::Cut);
        }
        loop {
            match ready!(watch.poll(cx, &self.life, Holder::H1)) {
                // This answer says so, or the next one.
                Due::Leave => {}
                // Its buffers are in use.
                Due::Park => return Poll::Pending,
                Due::Idle | Due::Head | Due::Cut => return Poll::Ready(End::Cut),
            }
        }
    }

    /// Whether the request was read to its end, so that another may follow. What little is left of it is read now.
    async fn is_read(&mut self) -> bool {
        self.giver = None;
        let mut left = DRAINED;
        poll_fn(|cx| {
            loop {
                match self.reader.poll_frame(&mut self.transport, cx, self.head_bytes) {
                    Poll::Ready(None) => return Poll::Ready(true),
                    Poll::Ready(Some(Ok(frame))) => {
                        left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
                        if left == 0 {
                            return Poll::Ready(false);
                        }
                    }
                    Poll::Ready(Some(Err(_))) | Poll::Pending => return Poll::Ready(false),
                }
            }
        })
        .await
    }
}
