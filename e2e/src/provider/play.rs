//! What a provider does with a request.

use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Heard, Stopped};

/// How one request is answered.
#[derive(Clone)]
pub struct Play {
    pub(super) what: What,
    pub(super) baton: Baton,
    /// Before which event a stream breaks off.
    pub(super) breaks: Option<usize>,
    /// Whether it breaks off within that event.
    pub(super) tears: bool,
}

#[derive(Clone)]
pub(super) enum What {
    Says(Turn),
    Fails { status: u16, headers: String, message: Option<String> },
    Closes,
}

/// What a model says.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// In words; a stream has an event for each, and cuts where `⁞` stands, which is not said.
    pub text: String,
    /// The tools it calls: names and arguments.
    pub calls: Vec<(String, Value)>,
    /// Tokens in and out.
    pub usage: (u64, u64),
}

impl Turn {
    /// The text as a stream has it, piece by piece.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &str> {
        self.text.split_inclusive([' ', '⁞']).map(|piece| piece.trim_end_matches('⁞'))
    }
}

impl Play {
    /// This turn.
    pub fn says(turn: Turn) -> Self {
        Self { what: What::Says(turn), baton: Baton::default(), breaks: None, tears: false }
    }

    /// This text.
    pub fn text(text: &str) -> Self {
        Self::says(Turn { text: text.to_owned(), usage: (11, 7), ..Turn::default() })
    }

    /// A failure as the vendor words it; 429 and 529 say when to come again.
    pub fn fails(status: u16) -> Self {
        let headers = if status == 429 { "retry-after: 7\r\n" } else { "" };
        Self::fails_with(status, headers)
    }

    /// The same with these header lines.
    pub fn fails_with(status: u16, headers: &str) -> Self {
        let what = What::Fails { status, headers: headers.to_owned(), message: None };
        Self { what, baton: Baton::default(), breaks: None, tears: false }
    }

    /// A refusal of what is wrong with a request.
    pub fn refuses(status: u16, why: &str) -> Self {
        let what = What::Fails { status, headers: String::new(), message: Some(why.to_owned()) };
        Self { what, baton: Baton::default(), breaks: None, tears: false }
    }

    /// Closes the connection without a word.
    pub fn closes() -> Self {
        Self { what: What::Closes, baton: Baton::default(), breaks: None, tears: false }
    }

    /// The same, each step of it only when the baton is passed: one for the head, one for each event of a stream.
    pub fn at(self, baton: &Baton) -> Self {
        Self { baton: baton.clone(), ..self }
    }

    /// The same, the connection closed after so many events.
    pub fn breaks_after(self, events: usize) -> Self {
        Self { breaks: Some(events), ..self }
    }

    /// The same, the connection closed in the middle of the event that follows.
    pub fn tears_after(self, events: usize) -> Self {
        Self { breaks: Some(events), tears: true, ..self }
    }

    /// What follows from a request. The model's name steers: `fails-429` fails so, `breaks` breaks a stream off after
    /// four events; any other answers. With tools it calls the first one, once for each city named in the last message;
    /// with their results it tells them; asked for JSON by a schema it gives a city and its degrees; else it tells what
    /// it heard.
    pub fn of(heard: &Heard) -> Self {
        if let Some(status) = heard.model.strip_prefix("fails-").and_then(|status| status.parse().ok()) {
            return Self::fails(status);
        }
        let usage = (20 + heard.text.split(' ').count() as u64, 9);
        let turn = |text: String| Turn { text, calls: Vec::new(), usage };
        let turn = if !heard.results.is_empty() {
            turn(format!("The tools said: {}.", heard.results.join(", ")))
        } else if let Some(tool) = heard.tools.first() {
            let cities = ["Paris", "London", "Tokyo"].into_iter().filter(|city| heard.text.contains(city));
            let calls: Vec<_> = cities.map(|city| (tool.clone(), json!({ "city": city }))).collect();
            let calls = if heard.parallel { calls } else { calls.into_iter().take(1).collect() };
            let text = if calls.is_empty() { "No city was named." } else { "" };
            Turn { text: text.to_owned(), calls, usage }
        } else if heard.schema.is_some() {
            turn(json!({ "city": "Paris", "degrees": 21 }).to_string())
        } else {
            turn(heard.told())
        };
        let play = Self::says(turn);
        if heard.model == "breaks" { play.breaks_after(4) } else { play }
    }
}

/// Lets a provider go on step by step. The default never holds it.
#[derive(Clone, Default)]
pub struct Baton(Option<Arc<(Mutex<usize>, Condvar)>>);

impl Baton {
    /// One that holds until it is passed.
    pub fn held() -> Self {
        Self(Some(Arc::default()))
    }

    /// Lets it take so many steps.
    pub fn pass(&self, steps: usize) {
        let (left, passed) = &**self.0.as_ref().expect("it holds");
        *left.lock().expect("not poisoned") += steps;
        passed.notify_all();
    }

    /// Waits for a step, and looks now and then whether who asked is still there.
    pub(super) fn wait(&self, stream: &TcpStream) -> Result<(), Stopped> {
        let Some(state) = &self.0 else { return Ok(()) };
        let (left, passed) = &**state;
        let mut left = left.lock().expect("not poisoned");
        while *left == 0 {
            left = passed.wait_timeout(left, Duration::from_millis(5)).expect("not poisoned").0;
            if is_gone(stream) {
                return Err(Stopped::Left);
            }
        }
        *left -= 1;
        Ok(())
    }
}

fn is_gone(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("its mode is set");
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("its mode is set");
    match seen {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}
