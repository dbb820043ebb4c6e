//! An upstream whose connections a test holds in its hands.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::PATIENCE;

/// Accepts connections and does nothing with them.
pub struct Held {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Receiver<TcpStream>,
}

impl Held {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, connections) = sync_channel(64);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout is set");
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { address, connections }
    }

    /// The next connection, with its request head read.
    pub fn accept(&self) -> (TcpStream, String) {
        self.accept_within(PATIENCE).expect("the gate connects")
    }

    /// The next connection, if one comes in this time, with its request head read.
    pub fn accept_within(&self, time: Duration) -> Option<(TcpStream, String)> {
        let mut stream = self.connections.recv_timeout(time).ok()?;
        let head = read_head(&mut stream);
        Some((stream, head))
    }
}

/// The head of a request or response, and not a byte more.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).expect("the head comes"), 1, "closed within a head");
        head.extend(byte);
    }
    String::from_utf8(head).expect("a head is text")
}
