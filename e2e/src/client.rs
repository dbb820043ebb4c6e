//! A client whose every byte is the test's, over blocking sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::PATIENCE;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Header fields, names lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// A connection to a gateway.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE).expect("it connects"))
    }

    /// Speaks over a connection that is there.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout is set");
        stream.set_nodelay(true).expect("nodelay is set");
        Self { reader: BufReader::new(stream) }
    }

    /// Sends these bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).expect("the bytes are sent");
    }

    /// Sends these bytes, or says that the other side is gone.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())
    }

    /// Reads one answer to a request that was not HEAD; `None` when the connection closed first.
    pub fn read(&mut self) -> Option<Answer> {
        let mut answer = self.read_head()?;
        if answer.status < 200 || answer.status == 204 || answer.status == 304 {
            return Some(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.read_chunk() {
                answer.body.extend(chunk);
            }
        } else if let Some(length) = answer.header("content-length").and_then(|length| length.parse().ok()) {
            answer.body.resize(length, 0);
            self.reader.read_exact(&mut answer.body).expect("the whole body comes");
        } else {
            self.reader.read_to_end(&mut answer.body).expect("the body ends with the connection");
        }
        Some(answer)
    }

    /// Reads the head of an answer.
    pub fn read_head(&mut self) -> Option<Answer> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Some(Answer { status, headers, body: Vec::new() });
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads one chunk of a chunked body; `None` after the last.
    pub fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(self.read_line()?.split(';').next()?.trim(), 16).ok()?;
        let mut chunk = vec![0; size];
        self.reader.read_exact(&mut chunk).ok()?;
        self.read_line()?;
        (size > 0).then_some(chunk)
    }

    /// A line without its end; `None` when the connection closed.
    pub fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
            Ok(0) => None,
            Err(error) => {
                assert!(ended(&error), "neither an answer nor the end came in time");
                None
            }
        }
    }

    /// Whether the other side closed and nothing more comes.
    pub fn is_closed(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(more) => more.is_empty(),
            Err(error) => ended(&error),
        }
    }

    /// Sends a request and reads its answer.
    pub fn call(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.read().expect("an answer")
    }
}

/// Whether this error is the end of a connection, and not only that nothing came in time.
fn ended(error: &std::io::Error) -> bool {
    !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// A GET over a connection of its own. `headers` are whole lines.
pub fn get(address: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    call(address, "GET", path, headers, "")
}

/// Any request over a connection of its own. `headers` are whole lines; a Host is added unless there is one.
pub fn call(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
        text.push_str("host: gate.test\r\n");
    }
    for line in headers {
        text.push_str(line);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    Client::connect(address).call(text)
}
