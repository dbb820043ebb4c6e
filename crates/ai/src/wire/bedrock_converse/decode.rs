//! A provider's stream: the event stream of AWS, each message an event.

use serde_json::Value;

use super::answer::{read_finish, read_usage};
use super::error::of;
use crate::translate::canonical::{Event, Opens, Place, Seal};
use crate::translate::{Decode, Format};
use crate::wire::eventstream::{Fault, Message, Reader};
use crate::wire::json::{Fields, u64_of};
use crate::wire::track::{Life, PARTS, usage};

/// Reads a stream of messages.
pub(crate) fn decoder() -> Box<dyn Decode> {
    Box::new(Decoder::default())
}

#[derive(Default)]
struct Decoder {
    reader: Reader,
    state: State,
}

#[derive(Default)]
struct State {
    life: Life,
    next: u32,
    /// Blocks that are open: their number, and the part. Blocks of text begin without being announced.
    open: Vec<(u64, Place)>,
    finished: bool,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let state = &mut self.state;
        if state.life == Life::Over {
            return;
        }
        match self.reader.push(bytes, |message| state.message(message, out)) {
            Ok(()) => {}
            Err(Fault::TooLong) => self.state.life.too_long(out),
            Err(Fault::Malformed) => self.state.life.malformed(out),
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if self.state.finished { self.state.life.end(out) } else { self.state.life.cut(out) }
    }
}

impl State {
    fn message(&mut self, message: &Message<'_>, out: &mut Vec<Event>) {
        if self.life == Life::Over {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(message.payload) else { return self.life.malformed(out) };
        if message.kind != "event" {
            return self.life.fail(of(0, message.name, &value), out);
        }
        self.life.start(out, || Event::Start { id: String::new(), model: String::new(), created: None });
        let mut event = Fields::lenient(value);
        let index = event.take("contentBlockIndex").as_ref().and_then(u64_of).unwrap_or(0);
        match message.name {
            "contentBlockStart" => {
                let tool = event.take("start").and_then(|mut start| Some(start.get_mut("toolUse")?.take()));
                if let Some(tool) = tool {
                    let mut tool = Fields::lenient(tool);
                    let mut text = |key: &str| tool.string(key).ok().flatten().unwrap_or_default();
                    let (id, name) = (text("toolUseId"), text("name"));
                    self.open(index, Opens::ToolCall { id, name }, out);
                }
            }
            "contentBlockDelta" => self.delta(index, Fields::lenient(event.take("delta").unwrap_or_default()), out),
            "contentBlockStop" => self.close(index, out),
            "messageStop" => {
                for (_, place) in std::mem::take(&mut self.open) {
                    out.push(Event::Close(place));
                }
                if !self.finished {
                    self.finished = true;
                    let word = event.string("stopReason").ok().flatten().unwrap_or_default();
                    out.push(Event::Finish { choice: 0, finish: read_finish(&word), stop_sequence: None });
                }
            }
            "metadata" => usage(read_usage(event.take("usage").as_ref()), out),
            _ => {}
        }
    }

    fn open(&mut self, index: u64, opens: Opens, out: &mut Vec<Event>) -> Place {
        if let Some((_, place)) = self.open.iter().find(|(known, _)| *known == index) {
            return *place;
        }
        let place = Place { choice: 0, part: self.next };
        self.next += 1;
        self.open.push((index, place));
        out.push(Event::Open(place, opens));
        place
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        if let Some(at) = self.open.iter().position(|(known, _)| *known == index) {
            out.push(Event::Close(self.open.swap_remove(at).1));
        }
    }

    fn delta(&mut self, index: u64, mut delta: Fields<'_>, out: &mut Vec<Event>) {
        if self.next >= PARTS || self.finished {
            return;
        }
        if let Ok(Some(text)) = delta.string("text") {
            let place = self.open(index, Opens::Text, out);
            out.push(Event::Text(place, text));
        }
        if let Some(input) = delta.take("toolUse").and_then(|mut tool| Some(tool.get_mut("input")?.take()))
            && let Value::String(text) = input
            && let Some((_, place)) = self.open.iter().find(|(known, _)| *known == index)
            && !text.is_empty()
        {
            out.push(Event::Args(*place, text));
        }
        let Some(thought) = delta.take("reasoningContent") else { return };
        let mut thought = Fields::lenient(thought);
        let mut text = |key: &str| thought.string(key).ok().flatten().filter(|text| !text.is_empty());
        let seal = |data: String| Seal::read(Format::BedrockConverse, data);
        if let Some(data) = text("redactedContent") {
            let place = self.open(index, Opens::Reasoning { hidden: true }, out);
            out.push(Event::Seal(place, seal(data)));
            return;
        }
        let place = self.open(index, Opens::Reasoning { hidden: false }, out);
        out.extend(text("text").map(|text| Event::Reasoning(place, text)));
        out.extend(text("signature").map(|data| Event::Seal(place, seal(data))));
    }
}
