//! A caller's stream.
//!
//! Usage must not be lost: providers of other formats tell it last, so `message_delta`, which clients take for the final
//! word, waits for the end of the stream, and repeats the input beside the output.

use super::answer::{call_seal, finish_word, hidden, write_usage};
use super::error::write_error;
use super::fit::id;
use crate::translate::canonical::{Event, Opens, Place, Seal};
use crate::translate::{Encode, Finish, Format, Reply, Usage};
use crate::wire::json::{Obj, object};
use crate::wire::sse;

/// Writes a stream of named events.
pub(crate) fn encoder(reply: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Encoder {
        id: reply.id.to_owned(),
        model: reply.model.to_owned(),
        usage: Usage::default(),
        phase: Phase::Before,
        next: 0,
        open: Vec::new(),
        waiting: None,
        finish: None,
        refused: false,
    })
}

struct Encoder {
    id: String,
    model: String,
    usage: Usage,
    phase: Phase,
    /// The number the next block gets.
    next: u32,
    /// Which block each part is. The last ones are kept for arguments that come late.
    open: Vec<(Place, u32)>,
    /// A part that is open but not written: what comes first decides how.
    waiting: Option<(Place, Opens)>,
    finish: Option<(Finish, Option<String>)>,
    refused: bool,
}

#[derive(PartialEq, Eq)]
enum Phase {
    /// Nothing came.
    Before,
    /// The start came but is not written: usage that follows at once goes with it.
    Held,
    Running,
    Failed,
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.phase == Phase::Failed {
            return;
        }
        match event {
            Event::Start { id, model, .. } => {
                if !id.is_empty() {
                    id.clone_into(&mut self.id);
                }
                if self.model.is_empty() {
                    model.clone_into(&mut self.model);
                }
                self.phase = Phase::Held;
                return;
            }
            Event::Usage(usage) => return self.usage.update(usage),
            Event::Error(error) => {
                self.phase = Phase::Failed;
                return sse::named(out, "error", |out| out.extend_from_slice(&write_error(error, "")));
            }
            _ => self.begin(out),
        }
        match event {
            Event::Open(place, opens) => self.open(*place, opens, out),
            Event::Text(place, text) => self.delta(*place, out, "text_delta", "text", text),
            Event::Reasoning(place, text) => self.delta(*place, out, "thinking_delta", "thinking", text),
            Event::Args(place, text) => {
                self.write_waiting(out);
                self.delta(*place, out, "input_json_delta", "partial_json", text);
            }
            Event::Seal(place, seal) => self.seal(*place, seal, out),
            Event::Close(place) => self.close(*place, out),
            Event::Finish { choice: 0, finish, stop_sequence } => self.finish = Some((*finish, stop_sequence.clone())),
            Event::Ping => event_of(out, "ping", |_| {}),
            Event::End => self.end(out),
            _ => {}
        }
    }
}

impl Encoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.phase, Phase::Before | Phase::Held) {
            return;
        }
        self.phase = Phase::Running;
        event_of(out, "message_start", |o| {
            o.obj("message", |m| {
                m.str("id", &self.id);
                m.str("type", "message");
                m.str("role", "assistant");
                m.str("model", &self.model);
                m.arr("content", |_| {});
                m.null("stop_reason");
                m.null("stop_sequence");
                write_usage(m, &self.usage);
            });
        });
    }

    fn open(&mut self, place: Place, opens: &Opens, out: &mut Vec<u8>) {
        if place.choice != 0 {
            return;
        }
        match opens {
            // A call's seal, if there is one, comes next and is written before it; a hidden thought is its seal.
            Opens::ToolCall { .. } | Opens::Reasoning { hidden: true } => self.waiting = Some((place, opens.clone())),
            Opens::Reasoning { hidden: false } => self.block(place, out, |b| {
                b.str("type", "thinking");
                b.str("thinking", "");
                b.str("signature", "");
            }),
            Opens::Text | Opens::Refusal => {
                self.refused |= *opens == Opens::Refusal;
                self.block(place, out, |b| {
                    b.str("type", "text");
                    b.str("text", "");
                });
            }
        }
    }

    fn block(&mut self, place: Place, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>)) {
        let index = self.next;
        self.next += 1;
        self.open.push((place, index));
        event_of(out, "content_block_start", |o| {
            o.plain("index", index);
            o.obj("content_block", fill);
        });
    }

    /// Writes the start of a tool call that waited for its seal.
    fn write_waiting(&mut self, out: &mut Vec<u8>) {
        if let Some((place, Opens::ToolCall { id: call, name })) = self.waiting.take() {
            self.block(place, out, |b| {
                b.str("type", "tool_use");
                b.str("id", &id(&call));
                b.str("name", &name);
                b.obj("input", |_| {});
            });
        }
    }

    fn delta(&mut self, place: Place, out: &mut Vec<u8>, kind: &str, key: &str, text: &str) {
        let Some((_, index)) = self.open.iter().rev().find(|(at, _)| *at == place) else { return };
        event_of(out, "content_block_delta", |o| {
            o.plain("index", index);
            o.obj("delta", |d| {
                d.str("type", kind);
                d.str(key, text);
            });
        });
    }

    fn seal(&mut self, place: Place, seal: &Seal, out: &mut Vec<u8>) {
        match &self.waiting {
            Some((at, opens)) if *at == place => {
                let of_call = matches!(opens, Opens::ToolCall { .. });
                // In a block of its own: before its tool call, or as the hidden thought that it is.
                self.block(Place { choice: u32::MAX, part: 0 }, out, |b| {
                    if of_call { call_seal(b, seal) } else { hidden(b, seal) }
                });
                let index = self.next - 1;
                event_of(out, "content_block_stop", |o| o.plain("index", index));
                self.write_waiting(out);
            }
            _ => {
                let data = seal.written(Format::AnthropicMessages);
                self.delta(place, out, "signature_delta", "signature", &data);
            }
        }
    }

    fn close(&mut self, place: Place, out: &mut Vec<u8>) {
        self.write_waiting(out);
        if let Some((_, index)) = self.open.iter().rev().find(|(at, _)| *at == place) {
            event_of(out, "content_block_stop", |o| o.plain("index", index));
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let (finish, stop_sequence) = self.finish.take().unwrap_or((Finish::Stop, None));
        let finish = if self.refused && finish == Finish::Stop { Finish::Refusal } else { finish };
        event_of(out, "message_delta", |o| {
            o.obj("delta", |d| {
                d.str("stop_reason", finish_word(finish));
                match &stop_sequence {
                    Some(stop) => d.str("stop_sequence", stop),
                    None => d.null("stop_sequence"),
                }
            });
            write_usage(o, &self.usage);
        });
        event_of(out, "message_stop", |_| {});
    }
}

fn event_of(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Obj<'_>)) {
    sse::named(out, name, |out| {
        object(out, |o| {
            o.str("type", name);
            fill(o);
        });
    });
}
