//! A provider of models under a test's control. It speaks OpenAI's Chat Completions and Anthropic's Messages as their
//! references have them: it refuses what they refuse, fails in their words, and streams event by event at a pace that a
//! test may hold in its hands. What it says follows from what it is asked; see [`Play::of`].

mod anthropic;
mod heard;
mod openai;
mod play;

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub use heard::Heard;
pub use play::{Baton, Play, Turn};

use crate::Seen;
use crate::upstream::read;

/// The key that it takes.
pub const PROVIDER_KEY: &str = "sk-provider-key-that-nobody-may-see";

/// Requests that are remembered.
const REMEMBERED: usize = 20_000;

/// A running provider.
pub struct Provider {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

/// What becomes of a request.
type Plays = dyn Fn(&Seen, &Heard) -> Play + Send + Sync;

struct State {
    play: Box<Plays>,
    asked: Mutex<Vec<Seen>>,
    left: AtomicUsize,
    sent: AtomicUsize,
}

/// How it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI's Chat Completions.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
}

impl Wire {
    fn of(seen: &Seen) -> Option<Self> {
        match seen.line.as_str() {
            "POST /v1/chat/completions HTTP/1.1" => Some(Self::OpenAi),
            "POST /v1/messages HTTP/1.1" => Some(Self::Anthropic),
            _ => None,
        }
    }
}

impl Provider {
    /// One that answers by what it is asked.
    pub fn start() -> Self {
        Self::playing(|_, heard| Play::of(heard))
    }

    /// One that answers each good request as a test says.
    pub fn playing(play: impl Fn(&Seen, &Heard) -> Play + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = State { play: Box::new(play), asked: Mutex::default(), left: 0.into(), sent: 0.into() };
        let provider = Self { address, state: Arc::new(state) };
        let state = provider.state.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let state = state.clone();
                std::thread::spawn(move || state.serve(&stream, number));
            }
        });
        provider
    }

    /// What it was asked so far, refused requests included.
    pub fn asked(&self) -> Vec<Seen> {
        self.state.asked.lock().expect("not poisoned").clone()
    }

    /// How often who asked left before the answer was out.
    pub fn left(&self) -> usize {
        self.state.left.load(Ordering::SeqCst)
    }

    /// How many events of streams it sent so far.
    pub fn sent(&self) -> usize {
        self.state.sent.load(Ordering::SeqCst)
    }
}

/// Why an answer is not out.
enum Stopped {
    /// Who asked is gone.
    Left,
    /// It broke off itself.
    Broke,
}

impl State {
    fn serve(&self, stream: &TcpStream, number: usize) {
        stream.set_nodelay(true).expect("nodelay is set");
        let mut reader = BufReader::new(stream);
        while let Some(seen) = read(&mut reader, number) {
            let mut asked = self.asked.lock().expect("not poisoned");
            if asked.len() < REMEMBERED {
                asked.push(seen.clone());
            }
            drop(asked);
            match self.answer(&seen, stream) {
                Ok(()) => {}
                Err(Stopped::Left) => {
                    self.left.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Err(Stopped::Broke) => return,
            }
        }
    }

    fn answer(&self, seen: &Seen, mut stream: &TcpStream) -> Result<(), Stopped> {
        let Some(wire) = Wire::of(seen) else {
            let text = r#"{"detail": "Not Found"}"#;
            return put(stream, &crate::response("404 Not Found", "content-type: application/json\r\n", text));
        };
        let heard = match wire {
            Wire::OpenAi => openai::read(seen),
            Wire::Anthropic => anthropic::read(seen),
        };
        let (play, heard) = match heard {
            Ok(heard) => ((self.play)(seen, &heard), heard),
            Err((status, why)) => (Play::refuses(status, &why), Heard::default()),
        };
        play.baton.wait(stream)?;
        let turn = match &play.what {
            play::What::Closes => return Err(Stopped::Broke),
            play::What::Fails { status, headers, message } => {
                let text = match wire {
                    Wire::OpenAi => openai::error(*status, message.as_deref(), &heard.model),
                    Wire::Anthropic => anthropic::error(*status, message.as_deref(), &heard.model),
                };
                let headers = format!("content-type: application/json\r\n{headers}");
                return put(stream, &crate::response(&format!("{status} Failed"), &headers, &text));
            }
            play::What::Says(turn) => turn,
        };
        if !heard.stream {
            let (headers, text) = match wire {
                Wire::OpenAi => ("x-request-id: req-whole\r\n", openai::whole(turn, &heard)),
                Wire::Anthropic => ("request-id: req-whole\r\n", anthropic::whole(turn, &heard)),
            };
            let headers = format!("content-type: application/json\r\n{headers}");
            return put(stream, &crate::response("200 OK", &headers, &text));
        }
        let events = match wire {
            Wire::OpenAi => openai::events(turn, &heard),
            Wire::Anthropic => anthropic::events(turn, &heard),
        };
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
        put(stream, head.as_bytes())?;
        for (at, event) in events.iter().enumerate() {
            if play.breaks == Some(at) {
                return Err(Stopped::Broke);
            }
            play.baton.wait(stream)?;
            // Counted first: who gets it may ask for the count at once.
            self.sent.fetch_add(1, Ordering::SeqCst);
            put(stream, format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        }
        stream.write_all(b"0\r\n\r\n").map_err(|_| Stopped::Left)
    }
}

fn put(mut stream: &TcpStream, bytes: &[u8]) -> Result<(), Stopped> {
    stream.write_all(bytes).and_then(|()| stream.flush()).map_err(|_| Stopped::Left)
}
