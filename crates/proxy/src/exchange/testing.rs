//! Exchanges for tests and benches, without sockets. Not part of the crate's face.
//!
//! [`exchange`] serves where a head is enough; [`program`] compiles a configuration from its text through the public
//! doors, and [`exchange_of`] makes an exchange against it.
#![expect(clippy::panic, reason = "a test that cannot be set up must stop")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::BodyExt;
use model::problem::{Problems, Style, render};
use model::snapshot::Snapshot;

use super::{Body, Connection, Exchange};
use crate::clock::Clock;
use crate::program::{Environment, Keep, ListenerSlot, Local, Program, compile};
use crate::registry;
use crate::telemetry::Telemetry;

/// Who sends the test requests.
pub const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 40_000);
/// Where they arrive.
pub const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8080);

/// What programs are compiled with: one worker, a clock at zero that is turned by hand, new state.
pub fn environment() -> Environment {
    Environment {
        clock: Clock::manual().0,
        keep: Arc::new(Keep::default()),
        telemetry: Arc::new(Telemetry::default()),
        workers: 1,
        stores: Arc::default(),
        offline: true,
        registry: &registry::OWN,
    }
}

/// An exchange of this request against a program that has nothing.
pub fn exchange(request: http::Request<Body>) -> Box<Exchange> {
    let mut problems = Problems::new();
    match compile(Arc::new(Snapshot::default()), String::new(), &environment(), &mut problems) {
        Some(program) => exchange_of(&Arc::new(program), request),
        None => panic!("the empty program has problems: {problems:?}"),
    }
}

/// An exchange of this request against a program, come by its first listener over a plain connection. The host is read;
/// nothing else has happened yet.
pub fn exchange_of(program: &Arc<Program>, request: http::Request<Body>) -> Box<Exchange> {
    let connection = Connection::new(ListenerSlot(0), PEER, LOCAL, None);
    exchange_by(program, connection, request)
}

/// An exchange of this request that came by this connection.
pub fn exchange_by(program: &Arc<Program>, connection: Connection, request: http::Request<Body>) -> Box<Exchange> {
    let local = Arc::new(Local { worker: 0, program: program.clone() });
    let (mut parts, body) = request.into_parts();
    if parts.uri.authority().is_none() {
        // HTTP/1.1 asks for one; most tests do not care which.
        parts.headers.entry(http::header::HOST).or_insert(HeaderValue::from_static("gate.test"));
    }
    let named = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    let authority: Option<http::uri::Authority> = parts.uri.authority().cloned().or(named);
    let mut x = Exchange::new(local, Arc::new(connection), parts, body);
    if let Some(authority) = authority {
        x.host = authority.host().to_ascii_lowercase().into();
    }
    x
}

/// The answer to this request, whole: through the pipeline as a listener runs it.
pub fn answer(program: &Arc<Program>, request: http::Request<Body>) -> http::Response<Bytes> {
    answer_to(exchange_of(program, request))
}

/// The answer to this exchange, whole. A body that breaks off stops the test.
pub fn answer_to(x: Box<Exchange>) -> http::Response<Bytes> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        panic!("there is no runtime");
    };
    runtime.block_on(async {
        let (head, body) = crate::pipeline::serve(x).await.into_parts();
        match body.collect().await {
            Ok(body) => http::Response::from_parts(head, body.to_bytes()),
            Err(error) => panic!("the body broke off: {error}"),
        }
    })
}

/// The program of a configuration's text. Stops the test with all problems where there are any.
pub fn program(yaml: &str) -> Arc<Program> {
    program_in(yaml, &environment())
}

/// The same in this environment: for a clock that is turned, and for state that outlives a program.
pub fn program_in(yaml: &str, env: &Environment) -> Arc<Program> {
    match try_program(yaml, env) {
        Ok(program) => program,
        Err(problems) => panic!("{problems}"),
    }
}

/// The program, or its problems as `tollgate check` shows them.
pub fn try_program(yaml: &str, env: &Environment) -> Result<Arc<Program>, String> {
    let mut loaded = model::load::read_text("test.yaml", yaml, &model::load::Options::sealed());
    let snapshot = match &loaded.root {
        Some(root) => model::resolve::resolve(root, &mut loaded.problems),
        None => None,
    };
    let compiled = snapshot.and_then(|known| compile(Arc::new(known), String::new(), env, &mut loaded.problems));
    match compiled {
        Some(program) if !loaded.problems.has_errors() => Ok(Arc::new(program)),
        _ => Err(render(&loaded.problems, &loaded.sources, Style::Plain)),
    }
}
