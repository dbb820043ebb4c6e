//! A provider's stream.

use serde_json::Value;

use super::answer::{read_finish, read_usage};
use super::read::PLAN;
use crate::translate::canonical::{Event, Place, Seal};
use crate::translate::{Decode, Error, ErrorKind, Format};
use crate::wire::json::{Fields, u64_of};
use crate::wire::sse;
use crate::wire::track::{Life, Track, usage};

/// Reads a stream of events.
pub(crate) fn decoder() -> Box<dyn Decode> {
    Box::new(Decoder::default())
}

#[derive(Default)]
struct Decoder {
    sse: sse::Reader,
    state: State,
}

#[derive(Default)]
struct State {
    life: Life,
    track: Track,
    /// What kind of thought is open.
    thought: Option<&'static str>,
    call: Option<(u64, Place)>,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let state = &mut self.state;
        if self.sse.push(bytes, |_, data| state.event(data, out)).is_err() {
            self.state.life.too_long(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        let state = &mut self.state;
        self.sse.finish(|_, data| state.event(data, out));
        state.life.cut(out);
    }
}

impl State {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) {
        if self.life == Life::Over || data.trim_ascii() == b"[DONE]" {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return self.life.malformed(out) };
        let mut event = Fields::lenient(value);
        let kind = event.string("type").ok().flatten().unwrap_or_default();
        let index = event.take("index").as_ref().and_then(u64_of).unwrap_or(0);
        let mut delta = Fields::lenient(event.take("delta").unwrap_or_default());
        let mut message = Fields::lenient(delta.take("message").unwrap_or_default());
        if self.track.full() {
            return self.life.malformed(out);
        }
        match kind.as_str() {
            "message-start" => self.life.start(out, || Event::Start {
                id: event.string("id").ok().flatten().unwrap_or_default(),
                model: String::new(),
                created: None,
            }),
            "content-start" | "content-delta" => {
                let mut content = Fields::lenient(message.take("content").unwrap_or_default());
                self.content(&mut content, out);
            }
            "tool-plan-delta" => {
                let plan = message.string("tool_plan").ok().flatten();
                self.think(plan.unwrap_or_default(), PLAN, out);
            }
            "tool-call-start" | "tool-call-delta" => self.call(index, message.take("tool_calls"), out),
            "content-end" | "tool-call-end" => {
                self.seal(out);
                self.track.close(out);
            }
            "message-end" => self.end(delta, out),
            _ => {}
        }
    }

    fn content(&mut self, content: &mut Fields<'_>, out: &mut Vec<Event>) {
        let mut text = |key: &str| content.string(key).ok().flatten().filter(|text| !text.is_empty());
        if let Some(words) = text("thinking") {
            self.think(words, "", out);
        }
        if let Some(words) = text("text") {
            self.seal(out);
            self.track.text(words, out);
        }
    }

    fn think(&mut self, words: String, kind: &'static str, out: &mut Vec<Event>) {
        if words.is_empty() {
            return;
        }
        if self.thought.is_some_and(|open| open != kind) {
            self.seal(out);
        }
        self.thought = Some(kind);
        self.track.reasoning(words, out);
    }

    /// A thought ends: it is Cohere's.
    fn seal(&mut self, out: &mut Vec<Event>) {
        if let Some(kind) = self.thought.take() {
            self.track.seal(Seal { origin: Format::CohereChat, data: kind.to_owned() }, false, out);
        }
    }

    fn call(&mut self, index: u64, calls: Option<Value>, out: &mut Vec<Event>) {
        let mut call = Fields::lenient(calls.unwrap_or_default());
        let mut function = Fields::lenient(call.take("function").unwrap_or_default());
        let mut text = |key: &str| function.string(key).ok().flatten().filter(|text| !text.is_empty());
        if let Some(name) = text("name") {
            self.seal(out);
            let id = call.string("id").ok().flatten().unwrap_or_default();
            self.call = Some((index, self.track.tool(id, name, out)));
        }
        if let (Some(arguments), Some((known, place))) = (text("arguments"), self.call)
            && known == index
        {
            out.push(Event::Args(place, arguments));
        }
    }

    fn end(&mut self, mut delta: Fields<'_>, out: &mut Vec<Event>) {
        self.seal(out);
        if let Ok(Some(error)) = delta.string("error") {
            return self.life.fail(Error::new(ErrorKind::Server, error), out);
        }
        usage(read_usage(delta.take("usage").as_ref()), out);
        let word = delta.string("finish_reason").ok().flatten().unwrap_or_default();
        self.track.finish(read_finish(&word), None, out);
        self.life.end(out);
    }
}
