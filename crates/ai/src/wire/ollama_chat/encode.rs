//! A caller's stream. Calls of tools are whole here, so their arguments are gathered.

use super::answer::{message, time, write_end};
use super::error::write_error;
use crate::translate::canonical::{Content, Event, Opens, Part, Place, Reasoning, ToolCall};
use crate::translate::{Encode, Error, ErrorKind, Finish, Reply, Usage};
use crate::wire::json::{Obj, is_object, object};
use crate::wire::sse::EVENT;

/// Writes a stream of lines.
pub(crate) fn encoder(reply: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Encoder {
        model: reply.model.to_owned(),
        created: time(reply.now),
        usage: Usage::default(),
        finish: Finish::Stop,
        calls: Vec::new(),
        failed: false,
    })
}

struct Encoder {
    model: String,
    created: String,
    usage: Usage,
    finish: Finish,
    /// Calls whose arguments still come.
    calls: Vec<(Place, ToolCall)>,
    failed: bool,
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        match event {
            Event::Start { model, created, .. } => {
                if self.model.is_empty() {
                    model.clone_into(&mut self.model);
                }
                if let Some(created) = created {
                    self.created = time(*created);
                }
            }
            Event::Open(place, Opens::ToolCall { id, name }) => {
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: String::new(), seal: None };
                self.calls.push((*place, call));
            }
            Event::Text(_, text) => self.piece(Some(Part::text(text.as_str())), out),
            Event::Reasoning(_, text) => {
                let thought = Reasoning { text: text.clone(), ..Reasoning::default() };
                self.piece(Some(Part::new(Content::Reasoning(thought))), out);
            }
            Event::Args(place, text) => {
                let Some((_, call)) = self.calls.iter_mut().find(|(at, _)| at == place) else { return };
                call.arguments.push_str(text);
                if call.arguments.len() > EVENT {
                    self.fail(&Error::new(ErrorKind::Server, "the arguments of a tool call are too long"), out);
                }
            }
            Event::Close(place) => self.close(*place, out),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { choice: 0, finish, .. } => self.finish = *finish,
            Event::Error(error) => self.fail(error, out),
            Event::End => {
                let (finish, usage) = (self.finish, self.usage);
                self.line(out, |o| {
                    o.obj("message", |m| message(m, &[]));
                    write_end(o, finish, &usage);
                });
            }
            // Lines have no sign of life but an empty one, which clients skip.
            Event::Ping => out.push(b'\n'),
            _ => {}
        }
    }
}

impl Encoder {
    fn close(&mut self, place: Place, out: &mut Vec<u8>) {
        let Some(at) = self.calls.iter().position(|(known, _)| *known == place) else { return };
        let (_, call) = self.calls.remove(at);
        if !call.arguments.trim().is_empty() && !is_object(&call.arguments) {
            let why = "the model called a tool with arguments that are no JSON object";
            return self.fail(&Error::new(ErrorKind::Server, why), out);
        }
        self.piece(Some(Part::new(Content::ToolCall(call))), out);
    }

    fn piece(&self, part: Option<Part>, out: &mut Vec<u8>) {
        self.line(out, |o| {
            o.obj("message", |m| message(m, part.as_slice()));
            o.plain("done", false);
        });
    }

    fn line(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>)) {
        object(out, |o| {
            o.str("model", &self.model);
            o.str("created_at", &self.created);
            fill(o);
        });
        out.push(b'\n');
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.failed = true;
        out.extend_from_slice(&write_error(error));
        out.push(b'\n');
    }
}
