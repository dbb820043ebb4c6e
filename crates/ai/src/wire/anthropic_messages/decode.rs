//! A provider's stream.

use serde_json::Value;

use super::answer::{read_finish, read_usage};
use super::error::of_body;
use super::glance;
use crate::translate::canonical::{Event, Opens, Place, Seal};
use crate::translate::{Decode, Format, Usage};
use crate::wire::json::{Fields, u64_of};
use crate::wire::sse;
use crate::wire::track::{Life, PARTS};

/// Reads a stream of named events.
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
    next: u32,
    /// The blocks that are open: their number on the wire.
    open: Vec<Block>,
    finished: bool,
    /// Running totals: later events tell only some of the figures.
    usage: Usage,
}

struct Block {
    index: u64,
    place: Place,
    /// Arguments that came with the block's start, for providers that give them whole.
    whole: Option<String>,
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
        if state.finished { state.life.end(out) } else { state.life.cut(out) }
    }
}

impl State {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) {
        if self.life == Life::Over {
            return;
        }
        if self.goes_on(data, out).is_some() {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else {
            // Nothing that matters is to come: what is malformed then is a cut tail.
            return if self.finished { self.life.end(out) } else { self.life.malformed(out) };
        };
        let mut event = Fields::lenient(value);
        let kind = event.string("type").ok().flatten().unwrap_or_default();
        let index = event.take("index").as_ref().and_then(u64_of).unwrap_or(0);
        match kind.as_str() {
            "message_start" => self.start(Fields::lenient(event.take("message").unwrap_or_default()), out),
            "content_block_start" => {
                self.open(index, Fields::lenient(event.take("content_block").unwrap_or_default()), out);
            }
            "content_block_delta" => {
                self.delta(index, Fields::lenient(event.take("delta").unwrap_or_default()), out);
            }
            "content_block_stop" => self.close(index, out),
            "message_delta" => self.message_delta(&mut event, out),
            "message_stop" if self.finished => self.life.end(out),
            "message_stop" => self.life.cut(out),
            "error" => {
                let error = event.take("error").unwrap_or_default();
                self.life.fail(of_body(0, &error), out);
            }
            "ping" => out.push(Event::Ping),
            _ => {}
        }
    }

    /// More text of a block that is open, and nothing else: what most events are.
    fn goes_on(&self, data: &[u8], out: &mut Vec<Event>) -> Option<()> {
        let (index, text) = glance::goes_on(data)?;
        let block = self.open.iter().find(|block| block.index == index)?;
        if !text.is_empty() {
            out.push(Event::Text(block.place, text.into_owned()));
        }
        Some(())
    }

    fn start(&mut self, mut message: Fields<'_>, out: &mut Vec<Event>) {
        self.life.start(out, || Event::Start {
            id: message.string("id").ok().flatten().unwrap_or_default(),
            model: message.string("model").ok().flatten().unwrap_or_default(),
            created: None,
        });
        self.tell(message.take("usage").as_ref(), out);
    }

    fn tell(&mut self, usage: Option<&Value>, out: &mut Vec<Event>) {
        let later = read_usage(usage);
        if !later.is_empty() {
            self.usage.update(&later);
            out.push(Event::Usage(self.usage));
        }
    }

    /// Blocks of tools that the provider itself runs are passed over, with their deltas.
    fn open(&mut self, index: u64, mut block: Fields<'_>, out: &mut Vec<Event>) {
        if self.next >= PARTS {
            return;
        }
        let mut text = |key: &str| block.string(key).ok().flatten();
        let kind = text("type").unwrap_or_default();
        let place = Place { choice: 0, part: self.next };
        let opens = match kind.as_str() {
            "text" => Opens::Text,
            "thinking" => Opens::Reasoning { hidden: false },
            "redacted_thinking" => Opens::Reasoning { hidden: true },
            "tool_use" => {
                Opens::ToolCall { id: text("id").unwrap_or_default(), name: text("name").unwrap_or_default() }
            }
            _ => return,
        };
        let early = text("text").or_else(|| text("thinking")).filter(|text| !text.is_empty());
        let data = text("data").or_else(|| text("signature")).filter(|data| !data.is_empty());
        let whole = block.take("input").filter(|input| input.as_object().is_some_and(|map| !map.is_empty()));
        self.next += 1;
        self.open.push(Block { index, place, whole: whole.map(|input| input.to_string()) });
        let thinks = matches!(opens, Opens::Reasoning { .. });
        out.push(Event::Open(place, opens));
        if let Some(text) = early {
            out.push(if thinks { Event::Reasoning(place, text) } else { Event::Text(place, text) });
        }
        if let Some(data) = data {
            out.push(Event::Seal(place, Seal::read(Format::AnthropicMessages, data)));
        }
    }

    fn delta(&mut self, index: u64, mut delta: Fields<'_>, out: &mut Vec<Event>) {
        let Some(block) = self.open.iter_mut().find(|block| block.index == index) else { return };
        let place = block.place;
        let mut text = |key: &str| delta.string(key).ok().flatten().filter(|text| !text.is_empty());
        let event = match text("type").unwrap_or_default().as_str() {
            "text_delta" => text("text").map(|text| Event::Text(place, text)),
            "thinking_delta" => text("thinking").map(|text| Event::Reasoning(place, text)),
            "input_json_delta" => text("partial_json").map(|text| {
                block.whole = None;
                Event::Args(place, text)
            }),
            "signature_delta" => {
                text("signature").map(|data| Event::Seal(place, Seal::read(Format::AnthropicMessages, data)))
            }
            _ => None,
        };
        out.extend(event);
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        let Some(at) = self.open.iter().position(|block| block.index == index) else { return };
        let block = self.open.swap_remove(at);
        if let Some(whole) = block.whole {
            out.push(Event::Args(block.place, whole));
        }
        out.push(Event::Close(block.place));
    }

    fn message_delta(&mut self, event: &mut Fields<'_>, out: &mut Vec<Event>) {
        self.tell(event.take("usage").as_ref(), out);
        let mut delta = Fields::lenient(event.take("delta").unwrap_or_default());
        let Ok(Some(word)) = delta.string("stop_reason") else { return };
        if !self.finished {
            self.finished = true;
            for block in std::mem::take(&mut self.open) {
                out.push(Event::Close(block.place));
            }
            let stop_sequence = delta.string("stop_sequence").ok().flatten();
            out.push(Event::Finish { choice: 0, finish: read_finish(&word), stop_sequence });
        }
    }
}
