//! Upstreams for tests: real sockets on a free loopback port, ended with the test. [`Upstream::serve`] speaks HTTP/1.1 by
//! hyper, [`Upstream::raw`] leaves every byte to the test.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::exchange::testing::{exchange_of, program_in};
use crate::exchange::{Body, Served};
use crate::pipeline;
use crate::program::{Environment, Program};

/// The body of a response of a test upstream.
pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// What a test upstream has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Seen {
    /// Connections accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Requests answered.
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

impl Upstream {
    /// Serves HTTP/1.1 with this handler.
    pub(crate) async fn serve<H, F>(handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::connections(move |stream, seen| {
            let handler = handler.clone();
            async move {
                let service = service_fn(move |request| {
                    seen.requests.fetch_add(1, SeqCst);
                    let answer = handler(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                drop(connection.with_upgrades().await);
            }
        })
        .await
    }

    /// Hands every connection to `each`.
    pub(crate) async fn raw<H, F>(each: H) -> Self
    where
        H: Fn(TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::connections(move |stream, _| each(stream)).await
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
                connections.spawn(each(stream, counted.clone()));
            }
        });
        Self { address, seen, _tasks: tasks }
    }
}

/// What programs are compiled with here: the machine's clock.
pub(crate) fn environment() -> Environment {
    Environment { clock: crate::clock::Clock::system(), ..crate::exchange::testing::environment() }
}

/// A program with one upstream, `up`, written as `upstream` has it (its fields less the name), that takes every request.
pub(crate) fn program(upstream: &str) -> Arc<Program> {
    program_with(upstream, &environment())
}

/// The same in this environment.
pub(crate) fn program_with(upstream: &str, env: &Environment) -> Arc<Program> {
    let yaml = format!(
        "version: 1\nlisteners: [{{ name: l, address: '127.0.0.1:0' }}]\nupstreams: [{{ name: up, {upstream} }}]\n\
         apis: [{{ name: a, access: public, routes: [{{ to: up }}] }}]\n"
    );
    program_in(&yaml, env)
}

/// The targets of `upstream` at these addresses.
pub(crate) fn targets(addresses: &[SocketAddr]) -> String {
    let each: Vec<String> = addresses.iter().map(|address| format!("{{ url: 'http://{address}' }}")).collect();
    format!("targets: [{}]", each.join(", "))
}

/// Sends a request by the whole pipeline.
pub(crate) async fn send(program: &Arc<Program>, request: Request<Body>) -> Response<Served> {
    pipeline::serve(exchange_of(program, request)).await
}

/// Sends a `GET` and reads the answer: status and body.
pub(crate) async fn get(program: &Arc<Program>, path: &str) -> (u16, String) {
    let request = Request::get(path).header("host", "gate.example").body(Body::Empty).unwrap();
    read(send(program, request).await).await
}

/// Reads an answer: status and body, or the error that cut it short.
pub(crate) async fn read(response: Response<Served>) -> (u16, String) {
    let status = response.status().as_u16();
    match response.into_body().collect().await {
        Ok(body) => (status, String::from_utf8_lossy(&body.to_bytes()).into_owned()),
        Err(error) => (status, error.code.name.to_owned()),
    }
}
