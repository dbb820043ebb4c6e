//! A target that can be killed, slowed and broken: so many requests at once, each for so long.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a request takes.
pub(super) const SERVICE: Duration = Duration::from_millis(10);
/// How many are served at a time.
pub(super) const AT_ONCE: u32 = 8;
/// How much longer they take at a slow one.
const SLOW: u32 = 20;
/// How long a flapping one is there, and away.
const FLAP: Duration = Duration::from_secs(2);

/// What is wrong with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fault {
    None = 0,
    Killed = 1,
    Slow = 2,
    /// Answers 500 every second time.
    Half = 3,
    Flapping = 4,
    /// It is to leave.
    Over = 5,
}

/// A target on a port of its own.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    fault: AtomicU8,
    served: AtomicU64,
    busy: Mutex<u32>,
    free: Condvar,
    open: Mutex<Vec<TcpStream>>,
}

impl Target {
    pub(super) fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, state) = (listener.local_addr()?, Arc::new(State::default()));
        let kept = state.clone();
        std::thread::spawn(move || run(listener, address, &kept));
        Ok(Self { address, state })
    }

    pub(super) fn set(&self, fault: Fault) {
        self.state.fault.store(fault as u8, Relaxed);
    }

    /// Requests that it was asked.
    pub(super) fn served(&self) -> u64 {
        self.state.served.load(Relaxed)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.set(Fault::Over);
    }
}

impl State {
    fn has(&self, fault: Fault) -> bool {
        self.fault.load(Relaxed) == fault as u8
    }

    /// Whether it is there at this moment.
    fn is_up(&self, began: Instant) -> bool {
        let away = (began.elapsed().as_millis() / FLAP.as_millis()).is_multiple_of(2);
        !(self.has(Fault::Killed) || self.has(Fault::Over) || self.has(Fault::Flapping) && away)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens while it is there; nothing listens while it is not, and what was open is closed.
fn run(listener: TcpListener, address: SocketAddr, state: &Arc<State>) {
    let began = Instant::now();
    let mut listener = Some(listener);
    while !state.has(Fault::Over) {
        if !state.is_up(began) {
            listener = None;
            for stream in lock(&state.open).drain(..) {
                drop(stream.shutdown(Shutdown::Both));
            }
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let Some(open) = listener.take().or_else(|| TcpListener::bind(address).ok()) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let accepted = open.set_nonblocking(true).and_then(|()| open.accept());
        listener = Some(open);
        match accepted {
            Ok((stream, _)) => {
                drop(stream.set_nonblocking(false));
                drop(stream.set_nodelay(true));
                lock(&state.open).extend(stream.try_clone());
                let state = state.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn serve(stream: TcpStream, state: &State) {
    let Ok(mut out) = stream.try_clone() else { return };
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        match lines.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line != "\r\n" => continue,
            Ok(_) => {}
        }
        let number = state.served.fetch_add(1, Relaxed);
        let mut busy = lock(&state.busy);
        while *busy >= AT_ONCE {
            busy = state.free.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        *busy += 1;
        drop(busy);
        std::thread::sleep(if state.has(Fault::Slow) { SERVICE * SLOW } else { SERVICE });
        *lock(&state.busy) -= 1;
        state.free.notify_one();
        let status = if state.has(Fault::Half) && number.is_multiple_of(2) { "500 Broken" } else { "200 OK" };
        if out.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok").as_bytes()).is_err() {
            return;
        }
    }
}
