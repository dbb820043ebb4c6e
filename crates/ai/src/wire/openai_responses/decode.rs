//! A provider's stream.

use serde_json::Value;

use super::answer::{of_fields, packed, read_call, read_reasoning};
use crate::translate::canonical::{Event, Finish, Place};
use crate::translate::{Decode, Error, ErrorKind};
use crate::wire::json::{Fields, u64_of};
use crate::wire::openai_chat::of_body;
use crate::wire::sse;
use crate::wire::track::{Life, Track, usage};

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
    track: Track,
    /// The call that is open: its item's number, and whether arguments came.
    call: Option<(u64, Place, bool)>,
    /// Words of the thought that is open came.
    thought: bool,
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
        state.life.cut(out);
    }
}

impl State {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) {
        if self.life == Life::Over || data.trim_ascii() == b"[DONE]" {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return self.life.malformed(out) };
        let mut event = Fields::lenient(value);
        let kind = event.string("type").ok().flatten().unwrap_or_default();
        let index = event.take("output_index").as_ref().and_then(u64_of).unwrap_or(0);
        let delta = event.string("delta").ok().flatten().unwrap_or_default();
        match kind.as_str() {
            "response.created" | "response.in_progress" => self.start(event.take("response").unwrap_or_default(), out),
            "response.output_item.added" => {
                self.added(index, Fields::lenient(event.take("item").unwrap_or_default()), out)
            }
            "response.output_text.delta" if !delta.is_empty() => self.track.text(delta, out),
            "response.refusal.delta" if !delta.is_empty() => self.track.refusal(delta, out),
            "response.reasoning_summary_part.added" if self.thought => self.track.reasoning("\n\n".to_owned(), out),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" if !delta.is_empty() => {
                self.thought = true;
                self.track.reasoning(delta, out);
            }
            "response.function_call_arguments.delta" if !delta.is_empty() => self.arguments(index, delta, out),
            "response.content_part.done" => self.track.close(out),
            "response.output_item.done" => {
                self.done(index, Fields::lenient(event.take("item").unwrap_or_default()), out)
            }
            "response.completed" | "response.incomplete" => self.end(event.take("response").unwrap_or_default(), out),
            "response.failed" => {
                let error = event.take("response").and_then(|mut response| Some(response.get_mut("error")?.take()));
                self.life.fail(of_body(0, &error.unwrap_or_default()), out);
            }
            "response.cancelled" => {
                self.life.fail(Error::new(ErrorKind::Server, "the provider cancelled the answer"), out);
            }
            "error" => {
                let mut error = serde_json::Map::new();
                for key in ["error", "message", "code", "param"] {
                    error.extend(event.take(key).map(|value| (key.to_owned(), value)));
                }
                self.life.fail(of_body(0, &Value::Object(error)), out);
            }
            _ => {}
        }
        if self.track.full() {
            self.life.malformed(out);
        }
    }

    fn start(&mut self, response: Value, out: &mut Vec<Event>) {
        let mut response = Fields::lenient(response);
        self.life.start(out, || Event::Start {
            id: response.string("id").ok().flatten().unwrap_or_default(),
            model: response.string("model").ok().flatten().unwrap_or_default(),
            created: response.take("created_at").as_ref().and_then(u64_of),
        });
    }

    fn added(&mut self, index: u64, mut item: Fields<'_>, out: &mut Vec<Event>) {
        self.thought = false;
        if item.peek("type") == Some("function_call") {
            let call = read_call(&mut item);
            let place = self.track.tool(call.id, call.name, out);
            self.call = Some((index, place, false));
        }
    }

    fn arguments(&mut self, index: u64, delta: String, out: &mut Vec<Event>) {
        if let Some((known, place, any)) = &mut self.call
            && *known == index
        {
            *any = true;
            out.push(Event::Args(*place, delta));
        }
    }

    fn done(&mut self, index: u64, mut item: Fields<'_>, out: &mut Vec<Event>) {
        match item.peek("type") {
            Some("function_call") => {
                if let Some((known, place, any)) = self.call.take()
                    && known == index
                {
                    let arguments = read_call(&mut item).arguments;
                    if !any && !arguments.is_empty() {
                        out.push(Event::Args(place, arguments));
                    }
                }
            }
            Some("reasoning") => {
                let sealed = item.string("encrypted_content").ok().flatten().filter(|sealed| !sealed.is_empty());
                let id = item.peek("id").unwrap_or_default().to_owned();
                let words = read_reasoning(&mut item).text;
                if !self.thought && !words.is_empty() {
                    self.thought = true;
                    self.track.reasoning(words, out);
                }
                if let Some(sealed) = sealed {
                    self.track.seal(packed(&id, sealed), !self.thought, out);
                }
            }
            _ => {}
        }
        self.track.close(out);
    }

    fn end(&mut self, response: Value, out: &mut Vec<Event>) {
        let answer = of_fields(Fields::lenient(response));
        usage(answer.usage, out);
        let finish = answer.choices.first().and_then(|choice| choice.finish);
        let finish = match finish {
            Some(Finish::Stop) | None if self.track.called => Finish::ToolCalls,
            finish => finish.unwrap_or(Finish::Stop),
        };
        self.track.finish(finish, None, out);
        self.life.end(out);
    }
}
