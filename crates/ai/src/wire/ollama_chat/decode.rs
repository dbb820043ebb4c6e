//! A provider's stream: a line of JSON for each piece. Calls of tools come whole.

use serde_json::Value;

use super::answer::{parts, read_finish, read_usage, stamp};
use super::error::read_error;
use crate::translate::canonical::{Content, Event, Seal};
use crate::translate::{Decode, Format};
use crate::wire::json::Fields;
use crate::wire::lines::Reader;
use crate::wire::track::{Life, Track, usage};

/// Reads a stream of lines.
pub(crate) fn decoder() -> Box<dyn Decode> {
    Box::new(Decoder::default())
}

#[derive(Default)]
struct Decoder {
    lines: Reader,
    state: State,
}

#[derive(Default)]
struct State {
    life: Life,
    track: Track,
    stamp: String,
    calls: usize,
    thinks: bool,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let state = &mut self.state;
        if self.lines.push(bytes, |line| state.line(line, out)).is_err() {
            self.state.life.too_long(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        let state = &mut self.state;
        self.lines.finish(|line| state.line(line, out));
        state.life.cut(out);
    }
}

impl State {
    fn line(&mut self, line: &[u8], out: &mut Vec<Event>) {
        if self.life == Life::Over {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return self.life.malformed(out) };
        if value.get("error").is_some() {
            return self.life.fail(read_error(0, line), out);
        }
        let taken = read_usage(Some(&value));
        let mut piece = Fields::lenient(value);
        if self.life == Life::Fresh {
            self.stamp = stamp(piece.peek("created_at").unwrap_or_default());
        }
        self.life.start(out, || Event::Start {
            id: String::new(),
            model: piece.string("model").ok().flatten().unwrap_or_default(),
            created: None,
        });
        let message = Fields::lenient(piece.take("message").unwrap_or_default());
        for part in parts(message, &self.stamp, &mut self.calls) {
            if self.track.full() {
                return self.life.malformed(out);
            }
            self.say(part.content, out);
        }
        if piece.take("done").and_then(|done| done.as_bool()) == Some(true) {
            self.seal(out);
            usage(taken, out);
            let finish = read_finish(piece.peek("done_reason"), self.track.called);
            self.track.finish(finish, None, out);
            self.life.end(out);
        }
    }

    fn say(&mut self, content: Content, out: &mut Vec<Event>) {
        match content {
            Content::Reasoning(thought) => {
                self.thinks = true;
                self.track.reasoning(thought.text, out);
            }
            Content::Text(text) => {
                self.seal(out);
                self.track.text(text, out);
            }
            Content::ToolCall(call) => {
                self.seal(out);
                let place = self.track.tool(call.id, call.name, out);
                if !call.arguments.is_empty() {
                    out.push(Event::Args(place, call.arguments));
                }
                self.track.close(out);
            }
            _ => {}
        }
    }

    /// A thought ends: it is that of a model on Ollama.
    fn seal(&mut self, out: &mut Vec<Event>) {
        if std::mem::take(&mut self.thinks) {
            self.track.seal(Seal { origin: Format::OllamaChat, data: String::new() }, false, out);
        }
    }
}
