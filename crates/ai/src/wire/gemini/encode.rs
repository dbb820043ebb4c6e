//! A caller's stream. Calls of tools are whole here, so their arguments are gathered.

use super::answer::{finish_word, write_part, write_usage};
use super::error::write_error;
use crate::translate::canonical::{Content, Event, Opens, Part, Place, Reasoning, Seal, ToolCall};
use crate::translate::{Encode, Error, ErrorKind, Finish, Framing, Reply, Usage};
use crate::wire::json::{Obj, is_object, object};
use crate::wire::sse;

/// Writes a stream of pieces.
pub(crate) fn encoder(reply: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Encoder {
        id: reply.id.to_owned(),
        model: reply.model.to_owned(),
        array: reply.framing == Framing::Array,
        written: false,
        usage: Usage::default(),
        calls: Vec::new(),
        hidden: Vec::new(),
        finishes: Vec::new(),
        failed: false,
    })
}

struct Encoder {
    id: String,
    model: String,
    array: bool,
    written: bool,
    usage: Usage,
    /// Calls whose arguments still come.
    calls: Vec<(Place, ToolCall)>,
    /// Thoughts without words.
    hidden: Vec<Place>,
    finishes: Vec<(u32, Finish)>,
    failed: bool,
}

/// Longest arguments that are gathered, in bytes.
const ARGUMENTS: usize = sse::EVENT;

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.failed {
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
            }
            Event::Open(place, opens) => self.open(*place, opens),
            Event::Text(place, text) => self.part(place.choice, &Part::text(text.as_str()), out),
            Event::Reasoning(place, text) => self.thought(*place, text, None, out),
            Event::Seal(place, seal) => self.seal(*place, seal, out),
            Event::Args(place, text) => self.arguments(*place, text, out),
            Event::Close(place) => self.close(*place, out),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { choice, finish, .. } => self.finishes.push((*choice, *finish)),
            Event::Error(error) => self.fail(error, out),
            // In a list nothing can stand between its elements but white space.
            Event::Ping => out.extend_from_slice(if self.array { b"\n" } else { sse::COMMENT }),
            Event::End => self.end(out),
            Event::Logprobs(..) => {}
        }
    }
}

impl Encoder {
    fn open(&mut self, place: Place, opens: &Opens) {
        match opens {
            Opens::ToolCall { id, name } => {
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: String::new(), seal: None };
                self.calls.push((place, call));
            }
            Opens::Reasoning { hidden: true } => self.hidden.push(place),
            _ => {}
        }
    }

    fn thought(&mut self, place: Place, text: &str, seal: Option<Seal>, out: &mut Vec<u8>) {
        let hidden = self.hidden.contains(&place);
        let thought = Reasoning { text: text.to_owned(), seal, hidden, id: None };
        self.part(place.choice, &Part::new(Content::Reasoning(thought)), out);
    }

    fn seal(&mut self, place: Place, seal: &Seal, out: &mut Vec<u8>) {
        match self.calls.iter_mut().find(|(at, _)| *at == place) {
            Some((_, call)) => call.seal = Some(seal.clone()),
            None => self.thought(place, "", Some(seal.clone()), out),
        }
    }

    fn arguments(&mut self, place: Place, text: &str, out: &mut Vec<u8>) {
        let Some((_, call)) = self.calls.iter_mut().find(|(at, _)| *at == place) else { return };
        call.arguments.push_str(text);
        if call.arguments.len() > ARGUMENTS {
            self.fail(&Error::new(ErrorKind::Server, "the arguments of a tool call are too long"), out);
        }
    }

    fn close(&mut self, place: Place, out: &mut Vec<u8>) {
        let Some(at) = self.calls.iter().position(|(known, _)| *known == place) else { return };
        let (_, call) = self.calls.remove(at);
        if !call.arguments.trim().is_empty() && !is_object(&call.arguments) {
            let why = "the model called a tool with arguments that are no JSON object";
            return self.fail(&Error::new(ErrorKind::Server, why), out);
        }
        self.part(place.choice, &Part::new(Content::ToolCall(call)), out);
    }

    fn part(&mut self, choice: u32, part: &Part, out: &mut Vec<u8>) {
        self.piece(out, |o, _| {
            o.arr("candidates", |list| {
                list.obj(|o| {
                    o.obj("content", |c| {
                        c.arr("parts", |list| write_part(list, part));
                        c.str("role", "model");
                    });
                    o.plain("index", choice);
                });
            });
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let finishes = std::mem::take(&mut self.finishes);
        self.piece(out, |o, usage| {
            o.arr("candidates", |list| {
                for (choice, finish) in &finishes {
                    list.obj(|o| {
                        o.obj("content", |c| {
                            c.arr("parts", |list| list.obj(|o| o.str("text", "")));
                            c.str("role", "model");
                        });
                        o.str("finishReason", finish_word(*finish));
                        o.plain("index", choice);
                    });
                }
            });
            write_usage(o, usage);
        });
        if self.array {
            out.extend_from_slice(b"]");
        }
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.failed = true;
        let body = write_error(error);
        self.framed(out, |out| out.extend_from_slice(&body));
        if self.array {
            out.extend_from_slice(b"]");
        }
    }

    fn piece(&mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>, &Usage)) {
        let (id, model, usage) = (self.id.clone(), self.model.clone(), self.usage);
        self.framed(out, |out| {
            object(out, |o| {
                fill(o, &usage);
                o.str("modelVersion", &model);
                o.str("responseId", &id);
            });
        });
    }

    fn framed(&mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
        if self.array {
            out.extend_from_slice(if self.written { b",\n" } else { b"[" });
            fill(out);
        } else {
            sse::data(out, fill);
        }
        self.written = true;
    }
}
