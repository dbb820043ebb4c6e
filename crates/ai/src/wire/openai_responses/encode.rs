//! A caller's stream. Every item is told as it begins, as it grows, when it is done, and once more in the whole response at
//! the end, so what was said is kept until then.

use super::answer::{Shown, State, call_seal, item, item_id, said};
use crate::translate::canonical::{Content, Event, Opens, Part, Place, Reasoning, ToolCall};
use crate::translate::{Encode, Error, ErrorKind, Finish, Reply, Usage};
use crate::wire::json::{Obj, object};
use crate::wire::sse;

/// Writes a stream of named events.
pub(crate) fn encoder(reply: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Encoder {
        id: reply.id.to_owned(),
        model: reply.model.to_owned(),
        created: reply.now,
        number: 0,
        parts: Vec::new(),
        kept: 0,
        usage: Usage::default(),
        finish: Finish::Stop,
        failed: false,
    })
}

/// Most bytes of an answer that are kept.
const KEPT: usize = 16 << 20;

struct Encoder {
    id: String,
    model: String,
    created: u64,
    /// Of the next event.
    number: u64,
    parts: Vec<(Place, Part)>,
    kept: usize,
    usage: Usage,
    finish: Finish,
    failed: bool,
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        match event {
            Event::Start { id, model, created } => self.start(id, model, *created, out),
            Event::Open(place, opens) if place.choice == 0 => self.open(*place, opens, out),
            Event::Text(place, text) | Event::Reasoning(place, text) | Event::Args(place, text) => {
                self.grow(*place, text, out);
            }
            Event::Seal(place, seal) => match self.part(*place).map(|(_, part)| &mut part.content) {
                Some(Content::Reasoning(thought)) => thought.seal = Some(seal.clone()),
                Some(Content::ToolCall(call)) => call.seal = Some(seal.clone()),
                _ => {}
            },
            Event::Close(place) => {
                self.close(*place, out);
                self.close_call(*place, out);
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { choice: 0, finish, .. } => self.finish = *finish,
            Event::Error(error) => self.fail(error, out),
            Event::Ping => out.extend_from_slice(sse::COMMENT),
            Event::End => {
                let ends = matches!(self.finish, Finish::Length | Finish::ContentFilter);
                let name = if ends { "response.incomplete" } else { "response.completed" };
                self.whole(name, out, |usage, finish| State::Done(finish, usage));
            }
            _ => {}
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
        self.whole("response.created", out, |_, _| State::Running);
        self.whole("response.in_progress", out, |_, _| State::Running);
    }

    fn whole<'a>(&'a mut self, name: &str, out: &mut Vec<u8>, state: impl FnOnce(&'a Usage, Finish) -> State<'a>) {
        let number = self.number;
        self.number += 1;
        let parts: Vec<Part> = self.parts.iter().map(|(_, part)| part.clone()).collect();
        let shown = Shown { id: &self.id, model: &self.model, created: self.created };
        let state = state(&self.usage, self.finish);
        event(out, name, number, |o| o.obj("response", |r| shown.write(r, &parts, state)));
    }

    fn part(&mut self, place: Place) -> Option<&mut (Place, Part)> {
        self.parts.iter_mut().rev().find(|(at, _)| *at == place)
    }

    fn open(&mut self, place: Place, opens: &Opens, out: &mut Vec<u8>) {
        let content = match opens {
            Opens::Text => Content::Text(String::new()),
            Opens::Refusal => Content::Refusal(String::new()),
            Opens::Reasoning { hidden } => Content::Reasoning(Reasoning { hidden: *hidden, ..Reasoning::default() }),
            Opens::ToolCall { id, name } => {
                let (id, name) = (id.clone(), name.clone());
                Content::ToolCall(ToolCall { id, name, arguments: String::new(), seal: None })
            }
        };
        self.parts.push((place, Part::new(content)));
        self.about(place, "response.output_item.added", out, |o, at| {
            o.obj("item", |i| item(i, at.part, &at.id, false));
        });
        self.about(place, "response.content_part.added", out, |o, at| {
            if at.speaks() {
                o.plain("content_index", 0);
                o.obj("part", |p| said(p, &at.part.content));
            }
        });
        self.about(place, "response.reasoning_summary_part.added", out, |o, at| at.summary(o, ""));
    }

    fn grow(&mut self, place: Place, text: &str, out: &mut Vec<u8>) {
        self.kept += text.len();
        if self.kept > KEPT {
            return self
                .fail(&Error::new(ErrorKind::Server, "the answer is too long to be kept for its last event"), out);
        }
        let Some((_, part)) = self.part(place) else { return };
        let name = match &mut part.content {
            Content::Text(whole) => {
                whole.push_str(text);
                "response.output_text.delta"
            }
            Content::Refusal(whole) => {
                whole.push_str(text);
                "response.refusal.delta"
            }
            Content::Reasoning(thought) => {
                thought.text.push_str(text);
                "response.reasoning_summary_text.delta"
            }
            Content::ToolCall(call) => {
                call.arguments.push_str(text);
                "response.function_call_arguments.delta"
            }
            _ => return,
        };
        self.about(place, name, out, |o, at| {
            at.inside(o);
            o.str("delta", text);
            if matches!(at.part.content, Content::Text(_)) {
                o.arr("logprobs", |_| {});
            }
        });
    }

    fn close(&mut self, place: Place, out: &mut Vec<u8>) {
        let Some((_, part)) = self.part(place) else { return };
        let (name, key) = match part.content {
            Content::Text(_) => ("response.output_text.done", "text"),
            Content::Refusal(_) => ("response.refusal.done", "refusal"),
            Content::Reasoning(_) => ("response.reasoning_summary_text.done", "text"),
            Content::ToolCall(_) => ("response.function_call_arguments.done", "arguments"),
            _ => return,
        };
        self.about(place, name, out, |o, at| {
            at.inside(o);
            o.str(key, at.text());
        });
        self.about(place, "response.content_part.done", out, |o, at| {
            if at.speaks() {
                o.plain("content_index", 0);
                o.obj("part", |p| said(p, &at.part.content));
            }
        });
        self.about(place, "response.reasoning_summary_part.done", out, |o, at| at.summary(o, at.text()));
        self.about(place, "response.output_item.done", out, |o, at| {
            o.obj("item", |i| item(i, at.part, &at.id, true));
        });
    }

    /// A call's seal follows it, as an item of its own.
    fn close_call(&mut self, place: Place, out: &mut Vec<u8>) {
        let Some(index) = self.parts.iter().rposition(|(at, _)| *at == place) else { return };
        let Some((_, Part { content: Content::ToolCall(call), .. })) = self.parts.get(index) else { return };
        let Some(seal) = &call.seal else { return };
        let part = call_seal(seal, &self.id, index);
        let place = Place { choice: u32::MAX, part: place.part };
        self.parts.push((place, part));
        for (name, done) in [("response.output_item.added", false), ("response.output_item.done", true)] {
            self.about(place, name, out, |o, at| o.obj("item", |i| item(i, at.part, &at.id, done)));
        }
    }

    /// An event about a part. Those that are not for its kind are not written.
    fn about(&mut self, place: Place, name: &str, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>, &About<'_>)) {
        let Some(index) = self.parts.iter().rposition(|(at, _)| *at == place) else { return };
        let Some((_, part)) = self.parts.get(index) else { return };
        let about = About { part, id: item_id(&self.id, part, index) };
        let hides = matches!(&part.content, Content::Reasoning(thought) if thought.hidden);
        if (name.contains("content_part") && !about.speaks())
            || (name.contains("reasoning_summary") && (about.speaks() || about.calls() || hides))
        {
            return;
        }
        let number = self.number;
        event(out, name, number, |o| {
            if !name.contains("output_item") {
                o.str("item_id", &about.id);
            }
            o.plain("output_index", index);
            fill(o, &about);
        });
        self.number += 1;
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.failed = true;
        let number = self.number;
        self.number += 1;
        event(out, "error", number, |o| {
            o.str("code", error.code.as_deref().unwrap_or("server_error"));
            o.str("message", &error.message);
            o.null("param");
        });
        let error = error.clone();
        let parts: Vec<Part> = self.parts.iter().map(|(_, part)| part.clone()).collect();
        let shown = Shown { id: &self.id, model: &self.model, created: self.created };
        event(out, "response.failed", self.number, |o| {
            o.obj("response", |r| shown.write(r, &parts, State::Failed(&error)));
        });
    }
}

/// A part, and how events name it.
struct About<'a> {
    part: &'a Part,
    id: String,
}

impl About<'_> {
    /// It is text or a refusal: a part of a message.
    const fn speaks(&self) -> bool {
        matches!(self.part.content, Content::Text(_) | Content::Refusal(_))
    }

    const fn calls(&self) -> bool {
        matches!(self.part.content, Content::ToolCall(_))
    }

    fn text(&self) -> &str {
        match &self.part.content {
            Content::Text(text) | Content::Refusal(text) => text,
            Content::Reasoning(thought) => &thought.text,
            Content::ToolCall(call) if call.arguments.is_empty() => "{}",
            Content::ToolCall(call) => &call.arguments,
            _ => "",
        }
    }

    fn inside(&self, o: &mut Obj<'_>) {
        match self.part.content {
            Content::Text(_) | Content::Refusal(_) => o.plain("content_index", 0),
            Content::Reasoning(_) => o.plain("summary_index", 0),
            _ => {}
        }
    }

    fn summary(&self, o: &mut Obj<'_>, text: &str) {
        o.plain("summary_index", 0);
        o.obj("part", |p| {
            p.str("type", "summary_text");
            p.str("text", text);
        });
    }
}

fn event(out: &mut Vec<u8>, name: &str, number: u64, fill: impl FnOnce(&mut Obj<'_>)) {
    sse::named(out, name, |out| {
        object(out, |o| {
            o.str("type", name);
            o.plain("sequence_number", number);
            fill(o);
        });
    });
}
