//! Upstreams for tests: real sockets on a free loopback port, ended with the test. [`Upstream::serve`] speaks HTTP/1.1 and
//! HTTP/2 by prior knowledge through hyper, [`Upstream::tls`] both over TLS, [`Upstream::raw`] leaves every byte to the
//! test. [`Front`] is the other side: a listener whose requests go through the pipeline.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::AddressStatus;
use crate::exchange::testing::{LOCAL, PEER, exchange_by, exchange_of, program_in};
use crate::exchange::{Body, Connection, Exchange, Served, Switch, Switched};
use crate::pipeline;
use crate::program::{Environment, ListenerSlot, Program, UpstreamId};

/// A response of a test upstream.
pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a test upstream has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    connections: AtomicUsize,
    closed: AtomicUsize,
    requests: AtomicUsize,
}

impl Seen {
    /// Connections accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Connections that are over.
    pub(crate) fn closed(&self) -> usize {
        self.closed.load(SeqCst)
    }

    /// Requests whose head has come.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

/// An upstream that ends with its test.
pub(crate) struct Upstream {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it has seen.
    pub(crate) seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

/// Answers with this text.
pub(crate) fn text(text: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(text.into()).boxed())
}

/// Answers with these frames.
pub(crate) fn frames<S>(stream: S) -> Answer
where
    S: futures_util::Stream<Item = http_body::Frame<Bytes>> + Send + Sync + 'static,
{
    use futures_util::StreamExt;
    Response::new(BodyExt::boxed(http_body_util::StreamBody::new(stream.map(Ok))))
}

impl Upstream {
    /// Serves HTTP/1.1 with this handler.
    pub(crate) async fn serve<H, F>(handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::connections(move |stream, seen| speak(stream, seen, handler.clone(), Version::H1)).await
    }

    /// Serves HTTP/2 by prior knowledge with this handler, `streams` at a time on a connection.
    pub(crate) async fn h2c<H, F>(streams: u32, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::connections(move |stream, seen| speak(stream, seen, handler.clone(), Version::H2(streams))).await
    }

    /// Serves over TLS with this configuration: what ALPN agrees on, else HTTP/1.1.
    pub(crate) async fn tls<H, F>(config: rustls::ServerConfig, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::connections(move |stream, seen| {
            let (acceptor, handler) = (acceptor.clone(), handler.clone());
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                speak(stream, seen, handler, if h2 { Version::H2(100) } else { Version::H1 }).await;
            }
        })
        .await
    }

    /// Hands every connection, with its number from 0, to `each`.
    pub(crate) async fn raw<H, F>(each: H) -> Self
    where
        H: Fn(TcpStream, usize) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::connections(move |stream, seen| each(stream, seen.connections() - 1)).await
    }

    async fn connections<H, F>(each: H) -> Self
    where
        H: Fn(TcpStream, Arc<Seen>) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let counted = seen.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, SeqCst);
                let (over, counted) = (each(stream, counted.clone()), counted.clone());
                connections.spawn(async move {
                    over.await;
                    counted.closed.fetch_add(1, SeqCst);
                });
            }
        });
        Self { address, seen, _tasks: tasks }
    }

    /// The field `targets` with this one alone.
    pub(crate) fn targets(&self) -> String {
        targets(&[self.address])
    }
}

#[derive(Clone, Copy)]
enum Version {
    H1,
    H2(u32),
}

async fn speak<S, H, F>(stream: S, seen: Arc<Seen>, handler: H, version: Version)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request| {
        seen.requests.fetch_add(1, SeqCst);
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let io = TokioIo::new(stream);
    match version {
        Version::H1 => drop(http1::Builder::new().serve_connection(io, service).with_upgrades().await),
        Version::H2(streams) => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            drop(builder.max_concurrent_streams(streams).serve_connection(io, service).await);
        }
    }
}

/// Reads a request head, and gives it as text; empty where the connection ended first.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// A listener whose requests go through the pipeline, as the gateway's own listeners do it.
pub(crate) struct Front {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Front {
    /// Serves HTTP/1.1.
    pub(crate) async fn h1(program: &Arc<Program>) -> Self {
        Self::start(program, Version::H1).await
    }

    /// Serves HTTP/2 by prior knowledge.
    pub(crate) async fn h2(program: &Arc<Program>) -> Self {
        Self::start(program, Version::H2(100)).await
    }

    async fn start(program: &Arc<Program>, version: Version) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let program = program.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let program = program.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    let switched = offer_switch(&mut request);
                    let mut x = exchange_of(&program, request.map(Body::from));
                    x.switched = Some(switched);
                    async move { Ok::<_, Infallible>(pipeline::serve(x).await) }
                });
                let io = TokioIo::new(stream);
                connections.spawn(async move {
                    match version {
                        Version::H1 => drop(http1::Builder::new().serve_connection(io, service).with_upgrades().await),
                        Version::H2(_) => {
                            drop(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
                        }
                    }
                });
            }
        });
        Self { address, _tasks: tasks }
    }

    /// Sends these bytes and reads all that comes until the connection ends.
    pub(crate) async fn talk(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        soon(stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// Offers the connection with a request, as the gateway's own do.
fn offer_switch(request: &mut Request<Incoming>) -> Switched {
    let upgraded = hyper::upgrade::on(&mut *request);
    let (switch, switched) = Switch::offer();
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            switch.go(Box::new(TokioIo::new(upgraded)));
        }
    });
    switched
}

/// What programs are compiled with here: the machine's clock, and files that must be there.
pub(crate) fn environment() -> Environment {
    Environment { clock: crate::clock::Clock::system(), offline: false, ..crate::exchange::testing::environment() }
}

/// A program with one upstream, `up`, written as `upstream` has it (its fields less the name), that takes every request.
pub(crate) fn program(upstream: &str) -> Arc<Program> {
    program_with(upstream, &environment())
}

/// The same in this environment.
pub(crate) fn program_with(upstream: &str, env: &Environment) -> Arc<Program> {
    program_in(&yaml(upstream, ""), env)
}

/// The configuration of such a program; `more` goes to its end.
pub(crate) fn yaml(upstream: &str, more: &str) -> String {
    format!(
        "version: 1\nlisteners: [{{ name: l, address: '127.0.0.1:0' }}]\nupstreams: [{{ name: up, {upstream} }}]\n\
         apis: [{{ name: a, access: public, routes: [{{ to: up }}] }}]\n{more}\n"
    )
}

/// The field `targets` with these addresses.
pub(crate) fn targets(addresses: &[SocketAddr]) -> String {
    let each: Vec<String> = addresses.iter().map(|address| format!("{{ url: 'http://{address}' }}")).collect();
    format!("targets: [{}]", each.join(", "))
}

/// An address that refuses connections.
pub(crate) fn refusing() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The status of each address of the upstream `up`.
pub(crate) fn addresses(program: &Program) -> Vec<AddressStatus> {
    let status = program.upstream(UpstreamId(0)).unwrap().status();
    status.targets.into_iter().flat_map(|target| target.addresses).collect()
}

/// Requests in flight to the upstream `up`.
pub(crate) fn in_flight(program: &Program) -> u64 {
    addresses(program).iter().map(|address| address.in_flight).sum()
}

/// A `GET` of this path.
pub(crate) fn request(path: &str) -> Request<Body> {
    Request::get(path).header("host", "gate.example").body(Body::Empty).unwrap()
}

/// A `POST` with this body.
pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Body> {
    Request::post(path).header("host", "gate.example").body(Body::from(body.into())).unwrap()
}

/// An exchange that came by a connection from `peer`.
pub(crate) fn exchange_from(program: &Arc<Program>, peer: SocketAddr, request: Request<Body>) -> Box<Exchange> {
    exchange_by(program, Connection::new(ListenerSlot(0), peer, LOCAL, None), request)
}

/// Sends a request through the whole pipeline.
pub(crate) async fn send(program: &Arc<Program>, request: Request<Body>) -> Response<Served> {
    soon(pipeline::serve(exchange_from(program, PEER, request))).await
}

/// Sends a `GET` and reads the answer: status and body.
pub(crate) async fn get(program: &Arc<Program>, path: &str) -> (u16, String) {
    read(send(program, request(path)).await).await
}

/// Sends a request and gives the code of the error that answers it.
pub(crate) async fn code(program: &Arc<Program>, request: Request<Body>) -> String {
    let (status, body) = read(send(program, request).await).await;
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"));
    format!("{status} {}", problem.get("code").unwrap().as_str().unwrap())
}

/// Reads an answer: status and body, or the error that cut it short.
pub(crate) async fn read(response: Response<Served>) -> (u16, String) {
    let status = response.status().as_u16();
    match soon(response.into_body().collect()).await {
        Ok(body) => (status, String::from_utf8_lossy(&body.to_bytes()).into_owned()),
        Err(error) => (status, error.code.name.to_owned()),
    }
}

/// What must come soon.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes soon")
}

/// Lets everything run until this holds.
pub(crate) async fn until(what: impl Fn() -> bool) {
    soon(async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
