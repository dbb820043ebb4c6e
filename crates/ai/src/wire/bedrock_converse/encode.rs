//! A caller's stream.

use super::answer::{finish_word, write_usage};
use super::error::word;
use crate::translate::canonical::{Event, Opens, Place};
use crate::translate::{Encode, Format, Reply, Usage};
use crate::wire::anthropic_messages::fit::id;
use crate::wire::eventstream;
use crate::wire::json::{Obj, object};

/// Writes a stream of messages.
pub(crate) fn encoder(_: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Encoder { usage: Usage::default(), hidden: Vec::new(), failed: false })
}

struct Encoder {
    usage: Usage,
    /// Thoughts that are their seal.
    hidden: Vec<Place>,
    failed: bool,
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        match event {
            Event::Start { .. } => message(out, "messageStart", |o| o.str("role", "assistant")),
            Event::Open(place, Opens::ToolCall { id: call, name }) => message(out, "contentBlockStart", |o| {
                o.plain("contentBlockIndex", place.part);
                o.obj("start", |s| {
                    s.obj("toolUse", |t| {
                        t.str("toolUseId", &id(call));
                        t.str("name", name);
                    });
                });
            }),
            Event::Open(place, Opens::Reasoning { hidden: true }) => self.hidden.push(*place),
            Event::Text(place, text) => delta(out, *place, |d| d.str("text", text)),
            Event::Args(place, text) => delta(out, *place, |d| d.obj("toolUse", |t| t.str("input", text))),
            Event::Reasoning(place, text) => delta(out, *place, |d| d.obj("reasoningContent", |r| r.str("text", text))),
            Event::Seal(place, seal) => {
                let key = if self.hidden.contains(place) { "redactedContent" } else { "signature" };
                let data = seal.written(Format::BedrockConverse);
                delta(out, *place, |d| d.obj("reasoningContent", |r| r.str(key, &data)));
            }
            Event::Close(place) => message(out, "contentBlockStop", |o| o.plain("contentBlockIndex", place.part)),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { choice: 0, finish, .. } => {
                message(out, "messageStop", |o| o.str("stopReason", finish_word(*finish)));
            }
            Event::Error(error) => {
                self.failed = true;
                let mut body = Vec::new();
                object(&mut body, |o| o.str("message", &error.message));
                eventstream::write(out, "exception", word(error.kind), &body);
            }
            Event::End => message(out, "metadata", |o| {
                write_usage(o, &self.usage);
                o.obj("metrics", |m| m.plain("latencyMs", 0));
            }),
            Event::Open(..) | Event::Logprobs(..) | Event::Finish { .. } | Event::Ping => {}
        }
    }
}

fn delta(out: &mut Vec<u8>, place: Place, fill: impl FnOnce(&mut Obj<'_>)) {
    message(out, "contentBlockDelta", |o| {
        o.plain("contentBlockIndex", place.part);
        o.obj("delta", fill);
    });
}

fn message(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Obj<'_>)) {
    let mut body = Vec::with_capacity(128);
    object(&mut body, fill);
    eventstream::write(out, "event", name, &body);
}
