//! Requests at a fixed rate, whatever answers do; latency counts from the intended time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Connections.
const CALLERS: u32 = 160;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// When it was to be sent, from the beginning.
    pub(super) at: Duration,
    pub(super) took: Duration,
    pub(super) good: bool,
}

/// Sends for so long.
pub(super) fn run(gate: SocketAddr, rate: f64, length: Duration) -> Vec<Sent> {
    let began = Instant::now() + Duration::from_millis(50);
    let callers: Vec<_> =
        (0..CALLERS).map(|number| std::thread::spawn(move || call(gate, rate, length, began, number))).collect();
    callers.into_iter().flat_map(|caller| caller.join().unwrap_or_default()).collect()
}

fn call(gate: SocketAddr, rate: f64, length: Duration, began: Instant, number: u32) -> Vec<Sent> {
    let (mut sent, mut connection) = (Vec::new(), None);
    for turn in 0_u32.. {
        let at = Duration::from_secs_f64(f64::from(turn * CALLERS + number) / rate);
        if at >= length {
            break;
        }
        std::thread::sleep((began + at).saturating_duration_since(Instant::now()));
        let good = ask(gate, &mut connection).unwrap_or(false);
        if !good {
            connection = None;
        }
        sent.push(Sent { at, took: (began + at).elapsed(), good });
    }
    sent
}

/// Whether an answer is a 200.
fn ask(gate: SocketAddr, connection: &mut Option<BufReader<TcpStream>>) -> std::io::Result<bool> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(gate)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            connection.insert(BufReader::new(stream))
        }
    };
    stream.get_mut().write_all(b"GET /chaos HTTP/1.1\r\nhost: gate\r\n\r\n")?;
    let (mut line, mut length, mut good) = (String::new(), 0, None);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        good.get_or_insert_with(|| line.starts_with("HTTP/1.1 200"));
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(good.unwrap_or(false))
}
