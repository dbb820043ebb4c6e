//! A provider's stream.

use serde_json::Value;

use super::answer::{CHOICES, read_finish, read_usage, reasoning};
use super::error::of_body;
use super::glance;
use super::read::tool_seal;
use crate::translate::canonical::{Content, Event, Opens, Place, Seal};
use crate::translate::{Decode, Format};
use crate::wire::json::{Fields, u64_of};
use crate::wire::sse;
use crate::wire::track::{Life, Track, usage};

/// Reads a stream of chunks.
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
    choices: Vec<Choice>,
}

/// One choice of the stream.
#[derive(Default)]
struct Choice {
    track: Track,
    calls: Vec<Call>,
    /// Thoughts in plain words are open, whose owner is to be marked when they end.
    unsealed: Option<Place>,
}

/// One call of a tool, as far as it came.
struct Call {
    index: u64,
    id: String,
    name: String,
    /// Arguments that came before the name.
    early: String,
    place: Option<Place>,
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
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) {
        if self.life == Life::Over {
            return;
        }
        if data.trim_ascii() == b"[DONE]" {
            return self.done(out);
        }
        if self.goes_on(data, out).is_some() {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else {
            return if self.whole() { self.life.end(out) } else { self.life.malformed(out) };
        };
        // Some hosts tell a failure without the object around it.
        let bare = value.get("object").is_some_and(|object| object == "error");
        if bare || value.get("error").is_some_and(|error| !error.is_null()) {
            return self.life.fail(of_body(0, &value), out);
        }
        let mut chunk = Fields::lenient(value);
        let choices = chunk.list("choices").ok().flatten().unwrap_or_default();
        let taken = chunk.take("usage");
        let id = chunk.string("id").ok().flatten().unwrap_or_default();
        if id.is_empty() && choices.is_empty() {
            // Azure tells first what it thinks of the prompt, in the name of no model.
            return usage(read_usage(taken.as_ref()), out);
        }
        self.life.start(out, || Event::Start {
            id,
            model: chunk.string("model").ok().flatten().unwrap_or_default(),
            created: chunk.take("created").as_ref().and_then(u64_of),
        });
        for choice in choices {
            self.choice(Fields::lenient(choice), out);
        }
        if taken.is_some() {
            usage(read_usage(taken.as_ref()), out);
        }
    }

    /// More text of a choice that was begun, and nothing else: what most pieces are.
    fn goes_on(&mut self, data: &[u8], out: &mut Vec<Event>) -> Option<()> {
        let mut begun = self.choices.iter_mut().filter(|choice| !choice.track.finished && !choice.track.full());
        let (index, text) = glance::goes_on(data)?;
        let choice = begun.find(|choice| choice.track.choice == index)?;
        if !text.is_empty() {
            choice.seal(out);
            choice.track.text(text.into_owned(), out);
        }
        Some(())
    }

    /// Nothing that matters is to come: what is malformed then is a cut tail.
    fn whole(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|choice| choice.track.finished)
    }

    /// Every choice that was begun must have told why it ended.
    fn done(&mut self, out: &mut Vec<Event>) {
        if self.choices.iter().all(|choice| choice.track.finished) {
            self.life.end(out);
        } else {
            self.life.cut(out);
        }
    }

    fn choice(&mut self, mut fields: Fields<'_>, out: &mut Vec<Event>) {
        let index = fields.take("index").as_ref().and_then(u64_of).unwrap_or(0);
        let Ok(index) = u32::try_from(index) else { return };
        if self.choices.len() >= CHOICES && !self.choices.iter().any(|choice| choice.track.choice == index) {
            return;
        }
        let at = self.choices.iter().position(|choice| choice.track.choice == index).unwrap_or_else(|| {
            self.choices.push(Choice { track: Track::of(index), ..Choice::default() });
            self.choices.len() - 1
        });
        let Some(choice) = self.choices.get_mut(at) else { return };
        if let Some(delta) = fields.take("delta") {
            choice.delta(Fields::lenient(delta), out);
        }
        if let Some(logprobs) = fields.take("logprobs") {
            out.push(Event::Logprobs(index, logprobs));
        }
        if let Ok(Some(word)) = fields.string("finish_reason")
            && !word.is_empty()
        {
            choice.seal(out);
            choice.late(out);
            let finish = read_finish(&word, choice.track.called);
            choice.track.finish(finish, None, out);
        }
    }
}

impl Choice {
    fn delta(&mut self, mut delta: Fields<'_>, out: &mut Vec<Event>) {
        if self.track.finished || self.track.full() {
            return;
        }
        for part in reasoning(&mut delta) {
            self.thought(part.content, out);
        }
        match delta.take("content") {
            Some(Value::String(text)) if !text.is_empty() => {
                self.seal(out);
                self.track.text(text, out);
            }
            Some(Value::Array(items)) => items.into_iter().for_each(|item| self.piece(item, out)),
            _ => {}
        }
        if let Ok(Some(text)) = delta.string("refusal")
            && !text.is_empty()
        {
            self.seal(out);
            self.track.refusal(text, out);
        }
        for call in delta.list("tool_calls").ok().flatten().unwrap_or_default() {
            self.seal(out);
            self.call(Fields::lenient(call), out);
        }
    }

    fn thought(&mut self, content: Content, out: &mut Vec<Event>) {
        let Content::Reasoning(thought) = content else { return };
        if !thought.text.is_empty() {
            self.track.reasoning(thought.text, out);
            if let Some(Event::Reasoning(place, _)) = out.last() {
                self.unsealed = Some(*place);
            }
        }
        match thought.seal {
            Some(seal) if !seal.data.is_empty() => {
                self.unsealed = None;
                self.track.seal(seal, thought.hidden, out);
            }
            _ => {}
        }
    }

    /// Mistral's thinking models stream parts.
    fn piece(&mut self, item: Value, out: &mut Vec<Event>) {
        let mut item = Fields::lenient(item);
        if let Ok(Some(text)) = item.string("text") {
            self.seal(out);
            self.track.text(text, out);
        }
        for piece in item.list("thinking").ok().flatten().unwrap_or_default() {
            if let Some(text) = piece.get("text").and_then(Value::as_str) {
                self.thought(Content::Reasoning(super::answer::plain(text.to_owned())), out);
            }
        }
    }

    /// Thoughts in plain words end: they belong to hosts of this format.
    fn seal(&mut self, out: &mut Vec<Event>) {
        if let Some(place) = self.unsealed.take() {
            out.push(Event::Seal(place, Seal { origin: Format::OpenAiChat, data: String::new() }));
        }
    }

    /// A piece of a call. A new one begins at an index not seen, or where the same index bears another id: some hosts
    /// number every call 0.
    fn call(&mut self, mut fields: Fields<'_>, out: &mut Vec<Event>) {
        let index = fields.take("index").as_ref().and_then(u64_of);
        let id = fields.string("id").ok().flatten().unwrap_or_default();
        let seal = tool_seal(fields.take("extra_content").as_ref());
        let mut function = Fields::lenient(fields.take("function").unwrap_or_default());
        let name = function.string("name").ok().flatten().unwrap_or_default();
        let arguments = match function.take("arguments") {
            Some(Value::String(text)) => text,
            Some(value @ Value::Object(_)) => value.to_string(),
            _ => String::new(),
        };
        let last = self.calls.iter().rposition(|call| index.is_none_or(|index| index == call.index));
        let known = last.filter(|at| self.calls.get(*at).is_some_and(|call| continues(call, &id, &name)));
        let at = known.unwrap_or_else(|| {
            let index = index.unwrap_or(self.calls.len() as u64);
            self.calls.push(Call { index, id: String::new(), name: String::new(), early: String::new(), place: None });
            self.calls.len() - 1
        });
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.id.is_empty() {
            call.id = id;
        }
        if call.place.is_none() {
            call.name.push_str(&name);
            call.early.push_str(&arguments);
            if !call.name.is_empty() {
                call.open(&mut self.track, out);
            }
        } else if let Some(place) = call.place
            && !arguments.is_empty()
        {
            out.push(Event::Args(place, arguments));
        }
        if let (Some(seal), Some(place)) = (seal, call.place) {
            out.push(Event::Seal(place, seal));
        }
    }

    /// A call whose name never came is a call all the same: it must not vanish.
    fn late(&mut self, out: &mut Vec<Event>) {
        for call in self.calls.iter_mut().filter(|call| call.place.is_none()) {
            call.open(&mut self.track, out);
        }
    }
}

/// Whether a piece with this id and name belongs to a call.
fn continues(call: &Call, id: &str, name: &str) -> bool {
    id.is_empty() || call.id == id || (call.id.is_empty() && (call.name.is_empty() || name.is_empty()))
}

impl Call {
    fn open(&mut self, track: &mut Track, out: &mut Vec<Event>) {
        if self.id.is_empty() {
            self.id = format!("call_{}_{}", track.choice, track.next());
        }
        let place = track.tool(self.id.clone(), self.name.clone(), out);
        debug_assert!(matches!(out.last(), Some(Event::Open(_, Opens::ToolCall { .. }))));
        self.place = Some(place);
        let early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            out.push(Event::Args(place, early));
        }
    }
}
