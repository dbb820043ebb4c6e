//! A gateway on free ports and a bare client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::exchange::testing;
use crate::listen::Gateway;
use crate::program::{Environment, Keep, Program};
use crate::telemetry::Telemetry;

/// Nothing in a test takes longer than this, or it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What gateways of tests are started with.
pub(super) fn environment(workers: usize) -> Environment {
    Environment {
        clock: Clock::system(),
        keep: Arc::new(Keep::default()),
        telemetry: Arc::new(Telemetry::default()),
        workers,
        offline: false,
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
        let gateway = Gateway::start(env.clone(), program(yaml, &env)).unwrap_or_else(|errors| panic!("{errors:?}"));
        Self { env, gateway }
    }

    pub(super) fn address(&self, listener: &str) -> SocketAddr {
        let addresses = self.gateway.addresses();
        addresses.iter().find(|(name, _)| name == listener).expect("the listener is there").1
    }

    pub(super) fn connect(&self, listener: &str) -> Client {
        Client::connect(self.address(listener))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.gateway.drain(Duration::ZERO);
    }
}

/// A client that writes and reads bytes.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

/// What a client read.
#[derive(Debug)]
pub(super) struct Read1 {
    pub(super) head: String,
    pub(super) body: String,
}

impl Read1 {
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

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, read: Vec::new() }
    }

    pub(super) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("it is open");
    }

    /// A response with `Content-Length` or none.
    pub(super) fn response(&mut self) -> Read1 {
        self.try_response().expect("a response")
    }

    /// The same, unless the connection ends first.
    pub(super) fn try_response(&mut self) -> Option<Read1> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).expect("text");
        let mut response = Read1 { head, body: String::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        while self.read.len() < length {
            self.more()?;
        }
        response.body = String::from_utf8(self.read.drain(..length).collect()).expect("text");
        Some(response)
    }

    /// Sends a GET and reads its response.
    pub(super) fn get(&mut self, path: &str) -> Read1 {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: gate\r\n\r\n"));
        self.response()
    }

    /// Whether the connection is ended by the other side, with nothing more to read.
    pub(super) fn is_closed(&mut self) -> bool {
        self.read.is_empty() && self.more().is_none()
    }

    fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }
}
