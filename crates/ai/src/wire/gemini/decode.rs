//! A provider's stream: server-sent events, each an answer's next piece. Calls of tools come whole.

use serde_json::Value;

use super::answer::{CANDIDATES, blocked, part, read_finish, read_usage};
use super::error::of_body;
use crate::translate::Decode;
use crate::translate::canonical::{Content, Event, Finish};
use crate::wire::json::{Fields, u64_of};
use crate::wire::sse;
use crate::wire::track::{Life, Track, usage};

/// Reads a stream of pieces.
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
    id: String,
    candidates: Vec<(Track, usize)>,
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
        if state.whole() { state.life.end(out) } else { state.life.cut(out) }
    }
}

impl State {
    fn whole(&self) -> bool {
        !self.candidates.is_empty() && self.candidates.iter().all(|(track, _)| track.finished)
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) {
        if self.life == Life::Over {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else {
            return if self.whole() { self.life.end(out) } else { self.life.malformed(out) };
        };
        if value.get("error").is_some() {
            return self.life.fail(of_body(0, &value), out);
        }
        let mut piece = Fields::lenient(value);
        if let Ok(Some(id)) = piece.string("responseId") {
            self.id = id;
        }
        let id = self.id.clone();
        self.life.start(out, || Event::Start {
            id,
            model: piece.string("modelVersion").ok().flatten().unwrap_or_default(),
            created: None,
        });
        usage(read_usage(piece.take("usageMetadata").as_ref()), out);
        for candidate in piece.list("candidates").ok().flatten().unwrap_or_default() {
            self.candidate(Fields::lenient(candidate), out);
        }
        if self.candidates.is_empty() && blocked(piece.take("promptFeedback").as_ref()) {
            let mut track = Track::of(0);
            track.finish(Finish::ContentFilter, None, out);
            self.candidates.push((track, 0));
        }
    }

    fn candidate(&mut self, mut fields: Fields<'_>, out: &mut Vec<Event>) {
        let index = fields.take("index").as_ref().and_then(u64_of).unwrap_or(0);
        let Ok(index) = u32::try_from(index) else { return };
        let at = self.candidates.iter().position(|(track, _)| track.choice == index).unwrap_or_else(|| {
            self.candidates.push((Track::of(index), 0));
            self.candidates.len() - 1
        });
        if self.candidates.len() > CANDIDATES {
            return self.life.malformed(out);
        }
        let Some((track, calls)) = self.candidates.get_mut(at) else { return };
        let mut content = Fields::lenient(fields.take("content").unwrap_or_default());
        for value in content.list("parts").ok().flatten().unwrap_or_default() {
            let mut parts = Vec::new();
            part(Fields::lenient(value), calls, &self.id, &mut parts);
            for part in parts {
                if track.finished || track.full() {
                    break;
                }
                say(track, part.content, out);
            }
        }
        if let Ok(Some(word)) = fields.string("finishReason") {
            let finish = read_finish(&word, track.called);
            track.finish(finish, None, out);
        }
    }
}

fn say(track: &mut Track, content: Content, out: &mut Vec<Event>) {
    match content {
        Content::Text(text) => track.text(text, out),
        Content::Reasoning(thought) => {
            if !thought.text.is_empty() {
                track.reasoning(thought.text, out);
            }
            if let Some(seal) = thought.seal {
                track.seal(seal, thought.hidden, out);
            }
        }
        Content::ToolCall(call) => {
            let place = track.tool(call.id, call.name, out);
            out.extend(call.seal.map(|seal| Event::Seal(place, seal)));
            if !call.arguments.is_empty() {
                out.push(Event::Args(place, call.arguments));
            }
            track.close(out);
        }
        _ => {}
    }
}
