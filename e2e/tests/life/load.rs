//! Clients of every kind that call over and over, and count whatever does not go well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use e2e::client::Client;
use h2::client::SendRequest;

/// Pause of a client that makes a new connection each time, so that ports do not run out.
const PACE: Duration = Duration::from_millis(5);

/// A running load: HTTP/1.1 and HTTP/2, on connections that are kept and on new ones.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Whether connections may be refused, and ended in order: only a listener that leaves does that.
    may_leave: AtomicBool,
    good: AtomicUsize,
    /// Good ones by kind, so that none of them is idle unnoticed.
    kinds: [AtomicUsize; 4],
    failures: std::sync::Mutex<Vec<String>>,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn good(&self, kind: usize) {
        self.good.fetch_add(1, Ordering::SeqCst);
        self.kinds[kind].fetch_add(1, Ordering::SeqCst);
    }

    fn failed(&self, what: String) {
        self.failures.lock().expect("not poisoned").push(what);
    }

    /// A connection that could not be made.
    fn refused(&self, error: &dyn std::fmt::Display) {
        if !self.may_leave.load(Ordering::SeqCst) && !self.is_over() {
            self.failed(format!("not connected: {error}"));
        }
        std::thread::park_timeout(PACE);
    }

    /// The gateway ended a connection in order.
    fn ended(&self) {
        if !self.may_leave.load(Ordering::SeqCst) && !self.is_over() {
            self.failed("a connection was ended although its listener stays".to_owned());
        }
    }

    /// Takes an answer's status and revision, which may not go back on one connection.
    fn answered(&self, kind: usize, status: u16, revision: Option<&str>, newest: &mut usize) {
        let revision = revision.and_then(|text| text.parse().ok());
        match (status, revision) {
            (200, Some(revision)) if revision >= *newest => {
                *newest = revision;
                self.good(kind);
            }
            (200, Some(revision)) => self.failed(format!("revision {revision} after {newest}")),
            (status, revision) => self.failed(format!("status {status}, revision {revision:?}")),
        }
    }
}

impl Load {
    /// Starts clients of all four kinds.
    pub fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let clients: [fn(SocketAddr, &Shared); 5] = [
            kept_h1,
            kept_h1,
            new_h1,
            |to, shared| block_on(kept_h2(to, shared)),
            |to, shared| block_on(new_h2(to, shared)),
        ];
        let threads = clients.into_iter().map(|client| {
            let shared = shared.clone();
            std::thread::spawn(move || client(address, &shared))
        });
        Self { threads: threads.collect(), shared }
    }

    /// Waits until each kind of client had so many more good answers.
    pub fn more(&self, count: usize) {
        let now = || self.shared.kinds.each_ref().map(|kind| kind.load(Ordering::SeqCst));
        // Longer than elsewhere: a reload, a load and whatever else a busy machine does come together here.
        let (before, deadline) = (now(), Instant::now() + 4 * e2e::PATIENCE);
        while now().iter().zip(before).any(|(now, before)| *now < before + count) {
            assert!(Instant::now() < deadline, "no progress: {before:?}, then {:?}; {:?}", now(), self.failures());
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// From now on connections may be refused, and ended in order.
    pub fn may_leave(&self) {
        self.shared.may_leave.store(true, Ordering::SeqCst);
    }

    fn failures(&self) -> Vec<String> {
        self.shared.failures.lock().expect("not poisoned").iter().take(20).cloned().collect()
    }

    /// Stops. Every request that was begun must have gone well. Gives how many there were.
    #[track_caller]
    pub fn stop(mut self) -> usize {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a client does not panic");
        }
        let good = self.shared.good.load(Ordering::SeqCst);
        assert_eq!(self.failures(), Vec::<String>::new(), "beside {good} good ones");
        good
    }
}

/// A connection may end after an answer that said so, and at no other time.
fn kept_h1(address: SocketAddr, shared: &Shared) {
    while !shared.is_over() {
        let mut client = match std::net::TcpStream::connect(address) {
            Ok(stream) => Client::over(stream),
            Err(error) => {
                shared.refused(&error);
                continue;
            }
        };
        let (mut number, mut newest) = (0, 0);
        while !shared.is_over() {
            let sent = client.try_send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            let Some(answer) = sent.ok().and_then(|()| client.read()) else {
                shared.failed(format!("HTTP/1.1: request {number} of its connection had no answer"));
                break;
            };
            shared.answered(0, answer.status, answer.header("x-revision"), &mut newest);
            if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                shared.ended();
                break;
            }
            number += 1;
        }
    }
}

fn new_h1(address: SocketAddr, shared: &Shared) {
    while !shared.is_over() {
        match std::net::TcpStream::connect(address) {
            Ok(stream) => {
                let mut client = Client::over(stream);
                let sent = client.try_send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
                match sent.ok().and_then(|()| client.read()) {
                    Some(answer) => shared.answered(1, answer.status, answer.header("x-revision"), &mut 0),
                    None => shared.failed("HTTP/1.1: a new connection had no answer".to_owned()),
                }
            }
            Err(error) => shared.refused(&error),
        }
        std::thread::park_timeout(PACE);
    }
}

fn block_on(client: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(client);
}

async fn connect(address: SocketAddr, shared: &Shared) -> Option<SendRequest<Bytes>> {
    let stream = match tokio::net::TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) => {
            shared.refused(&error);
            return None;
        }
    };
    match h2::client::handshake(stream).await {
        Ok((send, connection)) => {
            tokio::spawn(connection);
            Some(send)
        }
        Err(error) => {
            shared.failed(format!("HTTP/2: accepted, then {error}"));
            None
        }
    }
}

/// What came of a request: nothing was sent as the connection ends, or an answer, or a failure.
async fn ask(send: &mut SendRequest<Bytes>) -> Result<Option<(u16, Option<String>)>, h2::Error> {
    let Ok(mut ready) = send.clone().ready().await else { return Ok(None) };
    let request = http::Request::get("http://a/").body(()).expect("a request");
    let Ok((response, _)) = ready.send_request(request, true) else { return Ok(None) };
    let response = match response.await {
        Ok(response) => response,
        // It crossed the gateway's GOAWAY, which says that it was not begun (RFC 9113 section 6.8).
        Err(error) if error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let status = response.status().as_u16();
    let revision = response.headers().get("x-revision").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = response.into_body();
    while let Some(chunk) = body.data().await {
        body.flow_control().release_capacity(chunk?.len())?;
    }
    Ok(Some((status, revision)))
}

/// Four requests at once on one connection, again and again.
async fn kept_h2(address: SocketAddr, shared: &Shared) {
    while !shared.is_over() {
        let Some(send) = connect(address, shared).await else { continue };
        let asks = || async {
            let (mut send, mut newest) = (send.clone(), 0);
            while !shared.is_over() {
                match ask(&mut send).await {
                    Ok(Some((status, revision))) => shared.answered(2, status, revision.as_deref(), &mut newest),
                    Ok(None) => return shared.ended(),
                    Err(error) => return shared.failed(format!("HTTP/2: {error}")),
                }
            }
        };
        tokio::join!(asks(), asks(), asks(), asks());
    }
}

async fn new_h2(address: SocketAddr, shared: &Shared) {
    while !shared.is_over() {
        if let Some(mut send) = connect(address, shared).await {
            match ask(&mut send).await {
                Ok(Some((status, revision))) => shared.answered(3, status, revision.as_deref(), &mut 0),
                // It left between the handshake and the request: nothing was begun.
                Ok(None) => shared.ended(),
                Err(error) => shared.failed(format!("HTTP/2: a new connection: {error}")),
            }
        }
        tokio::time::sleep(PACE).await;
    }
}
