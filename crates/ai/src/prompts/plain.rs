//! The answer to a prompt: what was said, without a vendor's format around it.

use std::sync::Arc;

use proxy::exchange::Error as Failure;
use serde_json::{Value, json};

use super::Version;
use crate::terminal::codes;
use crate::translate::canonical::Content;
use crate::translate::{Answer, Encode, Event, Usage};

/// Writes answers to a prompt.
#[derive(Clone)]
pub(crate) struct Plain(pub(crate) Arc<Version>);

impl Plain {
    /// An answer in one piece. One that is not of the shape that the prompt asks for is a failure.
    pub(crate) fn answer(&self, answer: &Answer) -> Result<Vec<u8>, Failure> {
        let choice = answer.choices.first();
        let parts = choice.into_iter().flat_map(|choice| &choice.parts);
        let text: String = parts
            .filter_map(|part| if let Content::Text(text) = &part.content { Some(text.as_str()) } else { None })
            .collect();
        let output = match &self.0.output {
            None => Value::String(text),
            Some(schema) => {
                let bad = |why: String| Failure::new(&codes::BAD_OUTPUT, format!("The model's answer: {why}."));
                let value: Value = serde_json::from_str(&text).map_err(|_| bad("it is not JSON".to_owned()))?;
                let faults = schema.faults(&value);
                if !faults.is_empty() {
                    return Err(bad(faults.join("; ")));
                }
                value
            }
        };
        let finish = choice.and_then(|choice| choice.finish).map(finish);
        let told = json!({
            "output": output,
            "finish": finish,
            "prompt": { "name": &*self.0.name, "version": &*self.0.version },
            "usage": usage(&answer.usage),
        });
        Ok(told.to_string().into_bytes())
    }

    /// A stream of server-sent events: `text` with each piece, then `done`, or `error`.
    pub(crate) fn encoder(&self) -> Box<dyn Encode> {
        Box::new(Encoder { prompt: self.0.clone(), usage: Usage::default(), finish: None, ended: false })
    }
}

struct Encoder {
    prompt: Arc<Version>,
    usage: Usage,
    finish: Option<&'static str>,
    ended: bool,
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        let (name, data) = match event {
            Event::Text(place, text) if place.choice == 0 && !text.is_empty() => ("text", json!({ "text": text })),
            Event::Usage(told) => return self.usage.update(told),
            Event::Finish { choice: 0, finish: why, .. } => {
                self.finish = Some(finish(*why));
                return;
            }
            Event::Error(error) => {
                self.ended = true;
                ("error", json!({ "detail": error.message, "code": error.code }))
            }
            Event::End if !self.ended => {
                let prompt = json!({ "name": &*self.prompt.name, "version": &*self.prompt.version });
                ("done", json!({ "finish": self.finish, "prompt": prompt, "usage": usage(&self.usage) }))
            }
            _ => return,
        };
        out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
    }
}

fn usage(usage: &Usage) -> Value {
    json!({ "input_tokens": usage.input, "output_tokens": usage.output })
}

fn finish(finish: crate::translate::Finish) -> &'static str {
    use crate::translate::Finish;
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::Pause => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter | Finish::Refusal => "refused",
        Finish::Error => "error",
    }
}
