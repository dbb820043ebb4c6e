//! A small upstream under a test's control: plain HTTP/1.1 over blocking sockets, so that every byte is the test's.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Requests that are remembered; under load there are more.
const REMEMBERED: usize = 20_000;

/// A request as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request line.
    pub line: String,
    /// Header fields as they came, names lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Which connection it came by, counted from 0.
    pub connection: usize,
}

impl Seen {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An upstream that answers what a test says.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Answers each request with what `answer` gives: the bytes of a whole response. `None` closes the connection.
    pub fn start(answer: impl Fn(&Seen) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let upstream = Self { address, seen: Arc::default(), requests: Arc::default(), connections: Arc::default() };
        let (seen, connections, answer) = (upstream.seen.clone(), upstream.connections.clone(), Arc::new(answer));
        let requests = upstream.requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (seen, requests, answer) = (seen.clone(), requests.clone(), answer.clone());
                std::thread::spawn(move || {
                    serve(&stream, number, |request| {
                        requests.fetch_add(1, Ordering::SeqCst);
                        let mut seen = seen.lock().expect("not poisoned");
                        if seen.len() < REMEMBERED {
                            seen.push(request.clone());
                        }
                        drop(seen);
                        answer(request)
                    });
                });
            }
        });
        upstream
    }

    /// Answers 200 with this text.
    pub fn text(text: &'static str) -> Self {
        Self::start(move |_| Some(response("200 OK", "content-type: text/plain\r\n", text)))
    }

    /// What it saw so far: the first 20,000 requests.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// How many requests came so far, those included that are too many to remember.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many connections it accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The bytes of a response with a Content-Length.
pub fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn serve(stream: &TcpStream, connection: usize, answer: impl Fn(&Seen) -> Option<Vec<u8>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, connection) {
        let Some(bytes) = answer(&request) else { return };
        let mut out = stream;
        if out.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// The next request of a connection; `None` at its end.
pub(crate) fn read(reader: &mut impl BufRead, connection: usize) -> Option<Seen> {
    let line = text_line(reader)?;
    let mut seen = Seen { line, headers: Vec::new(), body: Vec::new(), connection };
    loop {
        let line = text_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        seen.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if let Some(length) = seen.header("content-length").and_then(|length| length.parse().ok()) {
        seen.body.resize(length, 0);
        reader.read_exact(&mut seen.body).ok()?;
    } else if seen.header("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(text_line(reader)?.trim(), 16).ok()?;
            if size == 0 {
                break;
            }
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            seen.body.extend(chunk);
            text_line(reader)?;
        }
        // Trailers, and the empty line behind them.
        while !text_line(reader)?.is_empty() {}
    }
    Some(seen)
}

fn text_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(1..) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}
