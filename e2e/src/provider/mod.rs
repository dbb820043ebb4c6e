//! A provider of models under a test's control. It speaks OpenAI's Chat Completions and Responses, Anthropic's Messages, Gemini and
//! Bedrock's Converse as their references have them: it refuses what they refuse, fails in their words, and streams event by event at a pace that a
//! test may hold in its hands. What it says follows from what it is asked; see [`Play::of`].

mod anthropic;
mod bedrock;
mod clouds;
mod gemini;
mod heard;
mod openai;
mod other;
mod play;
mod responses;
mod words;

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

pub use clouds::{ACCESS_KEY, REGION, SECRET_KEY, ServiceAccount};
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
    account: OnceLock<ServiceAccount>,
    asked: Mutex<Vec<Seen>>,
    left: AtomicUsize,
    sent: AtomicUsize,
}

/// The formats in which it is asked and callers ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI's Chat Completions.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
}

/// What it speaks.
#[derive(Clone, Copy)]
enum Dialect {
    OpenAi,
    Responses,
    Anthropic,
    Gemini,
    Bedrock,
}

/// What a request is, by its path.
struct Called {
    dialect: Dialect,
    /// The model and whether a stream is asked for, where the path says it.
    of: Option<(String, bool)>,
    /// Whether it is Vertex.
    vertex: bool,
}

impl Called {
    fn of(seen: &Seen) -> Option<Self> {
        let target = seen.line.strip_prefix("POST ")?.strip_suffix(" HTTP/1.1")?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let bare = |dialect| Some(Self { dialect, of: None, vertex: false });
        if path == "/v1/chat/completions" && query.is_empty() {
            return bare(Dialect::OpenAi);
        }
        if path.starts_with("/openai/deployments/")
            && path.ends_with("/chat/completions")
            && query.contains("api-version=")
        {
            return bare(Dialect::OpenAi);
        }
        if path == "/v1/responses" && query.is_empty() {
            return bare(Dialect::Responses);
        }
        if path == "/v1/messages" {
            return bare(Dialect::Anthropic);
        }
        if let Some((model, act)) = path.strip_prefix("/model/").and_then(|rest| rest.split_once('/')) {
            let stream = act == "converse-stream";
            let model = model.replace("%3A", ":");
            return (stream || act == "converse").then_some(Self {
                dialect: Dialect::Bedrock,
                of: Some((model, stream)),
                vertex: false,
            });
        }
        let vertex = path.strip_prefix(&format!("/v1/projects/p-1/locations/{REGION}/publishers/google/models/"));
        let rest = vertex.or_else(|| path.strip_prefix("/v1beta/models/"))?;
        let (model, act) = rest.split_once(':')?;
        let stream = match (act, query) {
            ("generateContent", "") => false,
            ("streamGenerateContent", "alt=sse") => true,
            _ => return None,
        };
        Some(Self { dialect: Dialect::Gemini, of: Some((model.to_owned(), stream)), vertex: vertex.is_some() })
    }

    fn heard(&self, seen: &Seen) -> Result<Heard, (u16, String)> {
        let body = || {
            let body = serde_json::from_slice::<serde_json::Value>(&seen.body);
            body.map_err(|error| (400, format!("Invalid JSON payload received: {error}")))
        };
        let (model, stream) = self.of.as_ref().map_or(("", false), |(model, stream)| (model.as_str(), *stream));
        match self.dialect {
            Dialect::OpenAi => openai::read(seen, openai::heard),
            Dialect::Responses => openai::read(seen, responses::heard),
            Dialect::Anthropic => anthropic::read(seen),
            Dialect::Gemini => {
                clouds::google(seen, self.vertex)?;
                gemini::heard(&body()?, model, stream).map_err(|why| (400, why))
            }
            Dialect::Bedrock => {
                clouds::aws(seen)?;
                bedrock::heard(&body()?, model, stream).map_err(|why| (400, why))
            }
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
        let state = State {
            play: Box::new(play),
            account: OnceLock::new(),
            asked: Mutex::default(),
            left: 0.into(),
            sent: 0.into(),
        };
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

    /// The JSON file of a service account's key, whose tokens it gives and takes as Vertex.
    pub fn service_account(&self) -> String {
        let url = format!("http://{}/token", self.address);
        self.state.account.get_or_init(|| ServiceAccount::new(&url)).file()
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

    fn answer(&self, seen: &Seen, stream: &TcpStream) -> Result<(), Stopped> {
        if let (Some(account), "POST /token HTTP/1.1") = (self.account.get(), seen.line.as_str()) {
            let (status, text) = match account.token(seen) {
                Ok(text) => ("200 OK", text),
                Err(why) => ("400 Bad Request", serde_json::json!({ "error": why }).to_string()),
            };
            return put(stream, &crate::response(status, "content-type: application/json\r\n", &text));
        }
        if let Some((status, text)) = words::answer(seen) {
            return put(stream, &crate::response(status, "content-type: application/json\r\n", &text));
        }
        if let Some((status, text)) = other::answer(seen) {
            let status = format!("{status} {}", if status == 200 { "OK" } else { "Failed" });
            return put(stream, &crate::response(&status, "content-type: application/json\r\n", &text));
        }
        let Some(called) = Called::of(seen) else {
            let text = r#"{"detail": "Not Found"}"#;
            return put(stream, &crate::response("404 Not Found", "content-type: application/json\r\n", text));
        };
        let (play, heard) = match called.heard(seen) {
            Ok(heard) => ((self.play)(seen, &heard), heard),
            Err((status, why)) => (Play::refuses(status, &why), Heard::default()),
        };
        play.baton.wait(stream)?;
        let turn = match &play.what {
            play::What::Closes => return Err(Stopped::Broke),
            play::What::Fails { status, headers, message } => {
                return put(stream, &failure(called.dialect, (*status, headers), message.as_deref(), &heard.model));
            }
            play::What::Says(turn) => turn,
        };
        if heard.stream {
            self.stream(called.dialect, turn, &heard, &play, stream)
        } else {
            whole(called.dialect, turn, &heard, stream)
        }
    }

    fn stream(
        &self,
        dialect: Dialect,
        turn: &Turn,
        heard: &Heard,
        play: &Play,
        mut stream: &TcpStream,
    ) -> Result<(), Stopped> {
        let texts = |events: Vec<String>| events.into_iter().map(String::into_bytes).collect();
        let (kind, events): (_, Vec<Vec<u8>>) = match dialect {
            Dialect::OpenAi => ("text/event-stream; charset=utf-8", texts(openai::events(turn, heard))),
            Dialect::Responses => ("text/event-stream; charset=utf-8", texts(responses::events(turn, heard))),
            Dialect::Anthropic => ("text/event-stream; charset=utf-8", texts(anthropic::events(turn, heard))),
            Dialect::Gemini => ("text/event-stream", texts(gemini::events(turn, heard))),
            Dialect::Bedrock => ("application/vnd.amazon.eventstream", bedrock::events(turn, heard)),
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
        put(stream, head.as_bytes())?;
        for (at, event) in events.iter().enumerate() {
            play.baton.wait(stream)?;
            if play.breaks == Some(at) {
                let torn = event.get(..event.len() / 2).filter(|_| play.tears);
                torn.map_or(Ok(()), |torn| put(stream, &chunk(torn)))?;
                return Err(Stopped::Broke);
            }
            // Counted first: who gets it may ask for the count at once.
            self.sent.fetch_add(1, Ordering::SeqCst);
            put(stream, &chunk(event))?;
        }
        stream.write_all(b"0\r\n\r\n").map_err(|_| Stopped::Left)
    }
}

/// A chunk of a body (RFC 9112 section 7.1).
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn whole(dialect: Dialect, turn: &Turn, heard: &Heard, stream: &TcpStream) -> Result<(), Stopped> {
    let (headers, text) = match dialect {
        Dialect::OpenAi => ("x-request-id: req-whole\r\n", openai::whole(turn, heard)),
        Dialect::Responses => ("x-request-id: req-whole\r\n", responses::whole(turn, heard)),
        Dialect::Anthropic => ("request-id: req-whole\r\n", anthropic::whole(turn, heard)),
        Dialect::Gemini => ("x-gemini-service-tier: standard\r\n", gemini::whole(turn, heard)),
        Dialect::Bedrock => ("x-amzn-requestid: req-whole\r\n", bedrock::whole(turn, heard)),
    };
    let headers = format!("content-type: application/json\r\n{headers}");
    put(stream, &crate::response("200 OK", &headers, &text))
}

fn failure(dialect: Dialect, (status, headers): (u16, &str), message: Option<&str>, model: &str) -> Vec<u8> {
    let mut headers = format!("content-type: application/json\r\n{headers}");
    let text = match dialect {
        Dialect::OpenAi | Dialect::Responses => openai::error(status, message, model),
        Dialect::Anthropic => anthropic::error(status, message, model),
        Dialect::Gemini => gemini::error(status, message, model),
        Dialect::Bedrock => {
            let (name, text) = bedrock::error(status, message);
            headers.push_str(&format!("x-amzn-errortype: {name}\r\n"));
            text
        }
    };
    crate::response(&format!("{status} Failed"), &headers, &text)
}

fn put(mut stream: &TcpStream, bytes: &[u8]) -> Result<(), Stopped> {
    stream.write_all(bytes).and_then(|()| stream.flush()).map_err(|_| Stopped::Left)
}
