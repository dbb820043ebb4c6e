//! A gateway on free ports, bare clients, and terminals under a test's control.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::exchange::testing;
use crate::listen::Gateway;
use crate::program::{Environment, Keep, Program};
use crate::registry;
use crate::telemetry::Telemetry;
use crate::terminals::{Answer, Terminal};

/// Nothing in a test takes longer than this, or it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A listener `main` whose every request is echoed; `limits` is what stands in its `limits`.
pub(super) fn echo(limits: &str) -> String {
    format!(
        "version: 1\nlisteners: [{{ name: main, address: '127.0.0.1:0', limits: {{ {limits} }} }}]\n\
         apis: [{{ name: all, access: public, routes: [{{ to: {{ echo: {{}} }} }}] }}]\n"
    )
}

/// What gateways of tests are started with.
pub(super) fn environment(workers: usize) -> Environment {
    Environment {
        clock: Clock::system(),
        keep: Arc::new(Keep::default()),
        telemetry: Arc::new(Telemetry::new(workers)),
        workers,
        stores: Arc::default(),
        offline: false,
        registry: &registry::OWN,
    }
}

/// A program that nobody holds yet.
pub(super) fn program(yaml: &str, env: &Environment) -> Program {
    Arc::into_inner(testing::program_in(yaml, env)).expect("nobody else has it")
}

/// A running gateway.
pub(super) struct Gate {
    pub(super) env: Environment,
    pub(super) gateway: Gateway,
}

impl Gate {
    pub(super) fn start(yaml: &str) -> Self {
        Self::with_workers(yaml, 2)
    }

    pub(super) fn with_workers(yaml: &str, workers: usize) -> Self {
        let env = environment(workers);
        let program = program(yaml, &env);
        Self::run(env, program)
    }

    /// A gateway whose routes all end in this terminal.
    pub(super) fn answering(yaml: &str, answer: Arc<dyn Answer>) -> Self {
        let env = environment(2);
        let mut program = program(yaml, &env);
        for plan in program.routes.iter_mut().filter(|plan| !plan.api.is_empty()) {
            plan.terminal = Terminal::Answer(answer.clone());
        }
        Self::run(env, program)
    }

    fn run(env: Environment, program: Program) -> Self {
        let gateway = Gateway::start(env.clone(), program).unwrap_or_else(|errors| panic!("{errors:?}"));
        Self { env, gateway }
    }

    pub(super) fn publish(&self, yaml: &str) {
        self.gateway.publish(program(yaml, &self.env)).unwrap_or_else(|errors| panic!("{errors:?}"));
    }

    pub(super) fn address(&self, listener: &str) -> SocketAddr {
        let addresses = self.gateway.addresses();
        addresses.iter().find(|(name, _)| name == listener).expect("the listener is there").1
    }

    pub(super) fn connect(&self, listener: &str) -> Client {
        Client::connect(self.address(listener))
    }

    /// Connections that are open, of all listeners.
    pub(super) fn connections(&self) -> usize {
        self.gateway.connections().iter().map(|(_, open)| open).sum()
    }

    /// The counters of metrics whose lines begin so, summed.
    pub(super) fn metric(&self, line: &str) -> u64 {
        let text = self.env.telemetry.metrics(&self.gateway.program(), crate::telemetry::Format::Prometheus);
        let values = text.lines().filter(|at| at.starts_with(line)).filter_map(|at| at.rsplit_once(' '));
        values.map(|(_, value)| value.parse::<u64>().expect("a count")).sum()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.gateway.drain(Duration::ZERO);
    }
}

/// Waits for what other threads do.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "still not: {what}");
        std::thread::yield_now();
    }
}

/// What a client speaks over.
pub(super) trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A client that writes and reads bytes.
pub(super) struct Client {
    pub(super) stream: Box<dyn Stream>,
    read: Vec<u8>,
}

/// What a client read.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) head: String,
    pub(super) body: String,
}

impl Answered {
    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{}", self.head))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A TCP connection that does not wait for ever.
pub(super) fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        Self::over(tcp(address))
    }

    pub(super) fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), read: Vec::new() }
    }

    pub(super) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("it is open");
    }

    /// A response, whole.
    pub(super) fn response(&mut self) -> Answered {
        self.try_response("GET").expect("a response")
    }

    /// The response to a request of this method, unless the connection ends first.
    pub(super) fn try_response(&mut self, method: &str) -> Option<Answered> {
        let head = self.until(b"\r\n\r\n")?;
        let mut response = Answered { head, body: String::new() };
        if method == "HEAD" {
            return Some(response);
        }
        if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = self.until(b"\r\n")?;
                let size = usize::from_str_radix(size.trim(), 16).expect("a size");
                let chunk = self.take(size + 2)?;
                response.body.push_str(chunk.strip_suffix("\r\n").expect("a whole chunk"));
                if size == 0 {
                    return Some(response);
                }
            }
        }
        let length = response.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        response.body = self.take(length)?;
        Some(response)
    }

    /// Sends a GET and reads its response.
    pub(super) fn get(&mut self, path: &str) -> Answered {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: gate\r\n\r\n"));
        self.response()
    }

    /// Sends a GET and reads its response, unless the connection ends first.
    pub(super) fn try_get(&mut self, path: &str) -> Option<Answered> {
        self.stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: gate\r\n\r\n").as_bytes()).ok()?;
        self.try_response("GET")
    }

    /// Whether the connection is ended by the other side, with nothing more to read.
    pub(super) fn is_closed(&mut self) -> bool {
        self.read.is_empty() && self.more().is_none()
    }

    fn until(&mut self, end: &[u8]) -> Option<String> {
        let at = loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                break at + end.len();
            }
            self.more()?;
        };
        self.take(at)
    }

    fn take(&mut self, length: usize) -> Option<String> {
        while self.read.len() < length {
            self.more()?;
        }
        Some(String::from_utf8(self.read.drain(..length).collect()).expect("text"))
    }

    fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                Some(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A runtime for clients that are tasks.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("it does not hang") })
}
