//! A small upstream to try things with: it says who it is and what it was sent, streams, delays and fails on demand.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The most bytes of `/bytes/N`.
const MOST_BYTES: usize = 1 << 30;
/// The most of `/delay/N`.
const MOST_DELAY: Duration = Duration::from_secs(60);

/// Serves until the process ends.
pub fn run(ports: &[u16]) -> anyhow::Result<()> {
    let listeners = bind(ports)?;
    for listener in &listeners {
        crate::cli::say(&format!("demo upstream at http://{}", listener.local_addr()?));
    }
    runtime()?.block_on(async {
        futures_util::future::join_all(start(listeners)?).await;
        anyhow::Ok(())
    })
}

/// Serves from a thread of its own.
pub fn spawn(ports: &[u16]) -> anyhow::Result<Vec<SocketAddr>> {
    let listeners = bind(ports)?;
    let addresses = listeners.iter().map(std::net::TcpListener::local_addr).collect::<Result<_, _>>()?;
    let runtime = runtime()?;
    std::thread::Builder::new().name("tollgate-demo".to_owned()).spawn(move || {
        runtime.block_on(async {
            match start(listeners) {
                Ok(tasks) => {
                    futures_util::future::join_all(tasks).await;
                }
                Err(error) => crate::cli::say(&format!("the demo upstream stopped: {error}")),
            }
        });
    })?;
    Ok(addresses)
}

fn bind(ports: &[u16]) -> anyhow::Result<Vec<std::net::TcpListener>> {
    let bound = ports.iter().map(|&port| {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot listen at 127.0.0.1:{port} for the demo upstream"))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.collect()
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn start(listeners: Vec<std::net::TcpListener>) -> anyhow::Result<Vec<tokio::task::JoinHandle<()>>> {
    let tasks = listeners.into_iter().map(|listener| Ok(tokio::spawn(accept(TcpListener::from_std(listener)?))));
    tasks.collect()
}

async fn accept(listener: TcpListener) {
    let name = listener.local_addr().map(|address| format!("demo-{}", address.port())).unwrap_or_default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let name = name.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(name.clone(), request));
            let io = TokioIo::new(stream);
            // A client that leaves is none of our business.
            let _ =
                hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).await;
        });
    }
}

async fn answer(name: String, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).rev();
    let last = segments.next().unwrap_or_default();
    let kind = segments.next().unwrap_or_default();
    let response = match (kind, last) {
        ("status", code) => match code.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok()) {
            Some(status) if status.as_u16() >= 200 => {
                with(status, json!({ "upstream": name, "status": status.as_u16() }))
            }
            _ => with(StatusCode::BAD_REQUEST, json!({ "error": "write /status/200 to /status/599" })),
        },
        ("bytes", count) => match count.parse::<usize>() {
            Ok(count) if count <= MOST_BYTES => bytes(count),
            _ => with(StatusCode::BAD_REQUEST, json!({ "error": format!("write /bytes/0 to /bytes/{MOST_BYTES}") })),
        },
        ("delay", millis) => {
            let wait = Duration::from_millis(millis.parse().unwrap_or(0)).min(MOST_DELAY);
            tokio::time::sleep(wait).await;
            with(StatusCode::OK, json!({ "upstream": name, "delayed_ms": wait.as_millis() as u64 }))
        }
        (_, "stream") => stream(&name),
        _ => echo(&name, request).await,
    };
    Ok(response)
}

async fn echo(name: &str, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let headers: serde_json::Map<String, serde_json::Value> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let received = http_body_util::Limited::new(body, 64 << 20).collect().await.map_or(0, |body| body.to_bytes().len());
    let seen = json!({
        "upstream": name,
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "headers": headers,
        "received_bytes": received,
    });
    with(StatusCode::OK, seen)
}

fn with(status: StatusCode, value: serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{value:#}\n"))).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn bytes(count: usize) -> Response<Body> {
    static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];
    let frames = (0..count.div_ceil(CHUNK.len())).map(move |at| {
        let left = (count - at * CHUNK.len()).min(CHUNK.len());
        Ok(Frame::data(Bytes::from_static(&CHUNK).slice(..left)))
    });
    let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(count));
    response
}

/// Ten server-sent events, half a second apart.
fn stream(name: &str) -> Response<Body> {
    let name = name.to_owned();
    let events = futures_util::stream::unfold(1, move |at| {
        let text = format!("id: {at}\ndata: {{\"upstream\": \"{name}\", \"tick\": {at}}}\n\n");
        async move {
            if at > 10 {
                return None;
            }
            if at > 1 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Some((Ok(Frame::data(Bytes::from(text))), at + 1))
        }
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}
