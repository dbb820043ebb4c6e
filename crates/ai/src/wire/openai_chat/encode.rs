//! A caller's stream.

use super::answer::{finish_word, write_usage};
use super::error::write_error;
use crate::translate::canonical::{Event, Opens, Place, Seal};
use crate::translate::{Encode, Finish, Format, Reply, Usage};
use crate::wire::json::{Obj, object};
use crate::wire::sse;

/// Writes a stream of chunks.
pub(crate) fn encoder(reply: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Encoder {
        id: reply.id.to_owned(),
        model: reply.model.to_owned(),
        created: reply.now,
        include_usage: reply.include_usage,
        usage: Usage::default(),
        begun: Vec::new(),
        calls: Vec::new(),
        thoughts: Vec::new(),
        refusals: Vec::new(),
        failed: false,
    })
}

struct Encoder {
    id: String,
    model: String,
    created: u64,
    include_usage: bool,
    usage: Usage,
    /// Choices whose role was told.
    begun: Vec<u32>,
    /// Where each call stands: its number is counted within its choice.
    calls: Vec<(Place, u32)>,
    /// Parts of reasoning: whether hidden.
    thoughts: Vec<(Place, u32, bool)>,
    /// Parts that are refusals.
    refusals: Vec<Place>,
    failed: bool,
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        match event {
            Event::Start { id, model, created } => self.start(id, model, *created, out),
            Event::Open(place, opens) => self.open(*place, opens, out),
            Event::Text(place, text) => {
                let key = if self.refusals.contains(place) { "refusal" } else { "content" };
                self.delta(place.choice, out, |d| d.str(key, text));
            }
            Event::Reasoning(place, text) => self.reasoning(*place, text, out),
            Event::Seal(place, seal) => self.seal(*place, seal, out),
            Event::Args(place, text) => self.call(*place, out, |c| c.obj("function", |f| f.str("arguments", text))),
            Event::Logprobs(choice, logprobs) => self.chunk(out, |o| {
                o.arr("choices", |list| {
                    list.obj(|o| {
                        o.plain("index", choice);
                        o.obj("delta", |_| {});
                        o.value("logprobs", logprobs);
                        o.null("finish_reason");
                    });
                });
            }),
            Event::Close(_) => {}
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { choice, finish, .. } => self.finish(*choice, *finish, out),
            Event::Error(error) => {
                self.failed = true;
                sse::data(out, |out| out.extend_from_slice(&write_error(error)));
            }
            Event::Ping => out.extend_from_slice(sse::COMMENT),
            Event::End => self.end(out),
        }
    }
}

impl Encoder {
    fn start(&mut self, id: &str, model: &str, created: Option<u64>, out: &mut Vec<u8>) {
        if !id.is_empty() {
            id.clone_into(&mut self.id);
        }
        if self.model.is_empty() {
            model.clone_into(&mut self.model);
        }
        self.created = created.unwrap_or(self.created);
        self.role(0, out);
    }

    /// Each choice begins by telling its role.
    fn role(&mut self, choice: u32, out: &mut Vec<u8>) {
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            self.delta(choice, out, |d| {
                d.str("role", "assistant");
                d.str("content", "");
            });
        }
    }

    fn open(&mut self, place: Place, opens: &Opens, out: &mut Vec<u8>) {
        self.role(place.choice, out);
        match opens {
            Opens::Text => {}
            Opens::Refusal => self.refusals.push(place),
            Opens::Reasoning { hidden } => {
                let count = self.thoughts.iter().filter(|(at, ..)| at.choice == place.choice).count();
                self.thoughts.push((place, u32::try_from(count).unwrap_or(u32::MAX), *hidden));
            }
            Opens::ToolCall { id, name } => {
                let count = self.calls.iter().filter(|(at, _)| at.choice == place.choice).count();
                self.calls.push((place, u32::try_from(count).unwrap_or(u32::MAX)));
                self.call(place, out, |c| {
                    c.str("id", id);
                    c.str("type", "function");
                    c.obj("function", |f| {
                        f.str("name", name);
                        f.str("arguments", "");
                    });
                });
            }
        }
    }

    fn call(&self, place: Place, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>)) {
        let Some((_, index)) = self.calls.iter().rev().find(|(at, _)| *at == place) else { return };
        self.delta(place.choice, out, |d| {
            d.arr("tool_calls", |list| {
                list.obj(|c| {
                    c.plain("index", index);
                    fill(c);
                });
            });
        });
    }

    /// In plain words for clients that show them, and as details for those that give them back with their seal.
    fn reasoning(&self, place: Place, text: &str, out: &mut Vec<u8>) {
        let index = self.thoughts.iter().rev().find(|(at, ..)| *at == place).map(|(_, index, _)| *index);
        self.delta(place.choice, out, |d| {
            d.str("reasoning_content", text);
            d.arr("reasoning_details", |list| {
                list.obj(|o| {
                    o.str("type", "reasoning.text");
                    o.str("text", text);
                    o.plain("index", index.unwrap_or(0));
                });
            });
        });
    }

    fn seal(&self, place: Place, seal: &Seal, out: &mut Vec<u8>) {
        let data = seal.written(Format::OpenAiChat);
        if data.is_empty() {
            return;
        }
        let Some((_, index, hidden)) = self.thoughts.iter().rev().find(|(at, ..)| *at == place) else {
            self.call(place, out, |c| {
                c.obj("extra_content", |e| e.obj("google", |g| g.str("thought_signature", &data)));
            });
            return;
        };
        self.delta(place.choice, out, |d| {
            d.arr("reasoning_details", |list| {
                list.obj(|o| {
                    if *hidden {
                        o.str("type", "reasoning.encrypted");
                        o.str("data", &data);
                    } else {
                        o.str("type", "reasoning.text");
                        o.str("signature", &data);
                    }
                    o.plain("index", index);
                });
            });
        });
    }

    fn finish(&mut self, choice: u32, finish: Finish, out: &mut Vec<u8>) {
        self.role(choice, out);
        self.chunk(out, |o| {
            o.arr("choices", |list| {
                list.obj(|o| {
                    o.plain("index", choice);
                    o.obj("delta", |_| {});
                    o.str("finish_reason", finish_word(finish));
                });
            });
        });
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.include_usage {
            self.head(out, |o| {
                o.arr("choices", |_| {});
                write_usage(o, &self.usage);
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn delta(&self, choice: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>)) {
        self.chunk(out, |o| {
            o.arr("choices", |list| {
                list.obj(|o| {
                    o.plain("index", choice);
                    o.obj("delta", fill);
                    o.null("finish_reason");
                });
            });
        });
    }

    /// Where usage is asked for, every chunk but the last says it is not there yet.
    fn chunk(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>)) {
        self.head(out, |o| {
            fill(o);
            if self.include_usage {
                o.null("usage");
            }
        });
    }

    fn head(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>)) {
        sse::data(out, |out| {
            object(out, |o| {
                o.str("id", &self.id);
                o.str("object", "chat.completion.chunk");
                o.plain("created", self.created);
                o.str("model", &self.model);
                fill(o);
            });
        });
    }
}
