//! A caller's stream.

use super::answer::{finish_word, write_usage};
use crate::translate::canonical::{Event, Opens, Place};
use crate::translate::{Encode, Finish, Reply, Usage};
use crate::wire::json::{Obj, object};
use crate::wire::sse;

/// Writes a stream of events.
pub(crate) fn encoder(reply: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Encoder {
        id: reply.id.to_owned(),
        usage: Usage::default(),
        finish: Finish::Stop,
        parts: Vec::new(),
        failed: false,
    })
}

struct Encoder {
    id: String,
    usage: Usage,
    finish: Finish,
    /// What each part is, and its number among those of its kind.
    parts: Vec<(Place, Kind, usize)>,
    failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Content,
    Call,
    /// A thought that is all seal: nothing of it can be shown.
    Hidden,
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        match event {
            Event::Start { id, .. } => {
                if !id.is_empty() {
                    id.clone_into(&mut self.id);
                }
                event_of(out, "message-start", |o| {
                    o.str("id", &self.id);
                    o.obj("delta", |d| {
                        d.obj("message", |m| {
                            m.str("role", "assistant");
                            m.arr("content", |_| {});
                            m.str("tool_plan", "");
                            m.arr("tool_calls", |_| {});
                            m.arr("citations", |_| {});
                        });
                    });
                });
            }
            Event::Open(place, opens) => self.open(*place, opens, out),
            Event::Text(place, text) => self.content(*place, "content-delta", ("text", text), out),
            Event::Reasoning(place, text) => self.content(*place, "content-delta", ("thinking", text), out),
            Event::Args(place, text) => self.about(*place, out, "tool-call-delta", |m| {
                m.obj("tool_calls", |c| c.obj("function", |f| f.str("arguments", text)));
            }),
            Event::Close(place) => self.close(*place, out),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { choice: 0, finish, .. } => self.finish = *finish,
            Event::Error(error) => {
                self.failed = true;
                self.end(Finish::Error, Some(&error.message), out);
            }
            Event::Ping => out.extend_from_slice(sse::COMMENT),
            Event::End => self.end(self.finish, None, out),
            _ => {}
        }
    }
}

impl Encoder {
    fn open(&mut self, place: Place, opens: &Opens, out: &mut Vec<u8>) {
        let kind = match opens {
            Opens::ToolCall { .. } => Kind::Call,
            Opens::Reasoning { hidden: true } => Kind::Hidden,
            _ => Kind::Content,
        };
        let index = self.parts.iter().filter(|(_, known, _)| *known == kind).count();
        self.parts.push((place, kind, index));
        match opens {
            Opens::Text | Opens::Refusal => self.content(place, "content-start", ("text", ""), out),
            Opens::Reasoning { hidden: false } => self.content(place, "content-start", ("thinking", ""), out),
            Opens::Reasoning { hidden: true } => {}
            Opens::ToolCall { id, name } => self.about(place, out, "tool-call-start", |m| {
                m.obj("tool_calls", |c| {
                    c.str("id", id);
                    c.str("type", "function");
                    c.obj("function", |f| {
                        f.str("name", name);
                        f.str("arguments", "");
                    });
                });
            }),
        }
    }

    fn content(&self, place: Place, name: &str, (key, text): (&str, &str), out: &mut Vec<u8>) {
        self.about(place, out, name, |m| {
            m.obj("content", |c| {
                if name == "content-start" {
                    c.str("type", key);
                }
                c.str(key, text);
            });
        });
    }

    fn close(&self, place: Place, out: &mut Vec<u8>) {
        let Some((_, kind, index)) = self.parts.iter().rev().find(|(at, ..)| *at == place) else { return };
        match kind {
            Kind::Content => event_of(out, "content-end", |o| o.plain("index", index)),
            Kind::Call => event_of(out, "tool-call-end", |o| o.plain("index", index)),
            Kind::Hidden => {}
        }
    }

    fn about(&self, place: Place, out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Obj<'_>)) {
        let Some((_, _, index)) = self.parts.iter().rev().find(|(at, ..)| *at == place) else { return };
        event_of(out, name, |o| {
            o.plain("index", index);
            o.obj("delta", |d| d.obj("message", fill));
        });
    }

    fn end(&self, finish: Finish, error: Option<&str>, out: &mut Vec<u8>) {
        event_of(out, "message-end", |o| {
            o.obj("delta", |d| {
                d.opt_str("error", error);
                d.str("finish_reason", finish_word(finish));
                write_usage(d, &self.usage);
            });
        });
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
