//! What a model said, put together as it passes, up to a bound.

use std::sync::Arc;

use proxy::exchange::Error;
use serde_json::{Map, Value, json};

use super::record::{Asked, Record, Rules, SLACK};
use super::writer::Writer;
use crate::call::Watch;
use crate::translate::canonical::{Content, Opens, Place, Usage};
use crate::translate::{Answer, Event, Finish};

/// Choices of an answer and parts of a choice that are kept.
const MOST_PARTS: usize = 128;

/// What was said, up to now.
#[derive(Debug, Default)]
pub(super) struct Said {
    choices: Vec<Choice>,
    usage: Usage,
    /// Bytes of text, kept or not.
    pub(super) bytes: u64,
    kept: usize,
    error: bool,
    over: bool,
}

#[derive(Debug, Default)]
struct Choice {
    parts: Vec<Part>,
    finish: Option<Finish>,
}

#[derive(Debug)]
struct Part {
    what: &'static str,
    /// Of a tool.
    name: String,
    text: String,
}

impl Said {
    fn open(&mut self, place: Place, what: &'static str, name: &str) {
        let (choice, part) = (place.choice as usize, place.part as usize);
        if choice >= MOST_PARTS || part >= MOST_PARTS || choice > self.choices.len() {
            return;
        }
        if choice == self.choices.len() {
            self.choices.push(Choice::default());
        }
        if let Some(choice) = self.choices.get_mut(choice).filter(|choice| choice.parts.len() == part) {
            choice.parts.push(Part { what, name: name.to_owned(), text: String::new() });
        }
    }

    fn more(&mut self, place: Place, more: &str, most: usize) {
        self.bytes += more.len() as u64;
        let room = (most + SLACK).saturating_sub(self.kept);
        let end = more.floor_char_boundary(room.min(more.len()));
        let part = self.choices.get_mut(place.choice as usize).and_then(|one| one.parts.get_mut(place.part as usize));
        if let (Some(part), Some(more)) = (part, more.get(..end)) {
            part.text.push_str(more);
            self.kept += end;
        }
    }

    fn event(&mut self, event: &Event, most: usize) {
        match event {
            Event::Open(place, opens) => match opens {
                Opens::Text => self.open(*place, "text", ""),
                Opens::Refusal => self.open(*place, "refusal", ""),
                Opens::Reasoning { .. } => self.open(*place, "reasoning", ""),
                Opens::ToolCall { name, .. } => self.open(*place, "tool_call", name),
            },
            Event::Text(place, more) | Event::Reasoning(place, more) | Event::Args(place, more) => {
                self.more(*place, more, most);
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { choice, finish, .. } => {
                if let Some(choice) = self.choices.get_mut(*choice as usize) {
                    choice.finish = Some(*finish);
                }
            }
            Event::Error(_) => self.error = true,
            Event::End => self.over = true,
            _ => {}
        }
    }

    fn answer(&mut self, answer: &Answer, most: usize) {
        for (choice, one) in (0..).zip(&answer.choices) {
            for (part, held) in (0..).zip(&one.parts) {
                let place = Place { choice, part };
                let (what, name, text) = match &held.content {
                    Content::Text(text) => ("text", "", text.as_str()),
                    Content::Refusal(text) => ("refusal", "", text.as_str()),
                    Content::Reasoning(reasoning) => ("reasoning", "", reasoning.text.as_str()),
                    Content::ToolCall(call) => ("tool_call", call.name.as_str(), call.arguments.as_str()),
                    _ => ("other", "", ""),
                };
                self.open(place, what, name);
                self.more(place, text, most);
            }
            if let Some(choice) = self.choices.get_mut(choice as usize) {
                choice.finish = one.finish;
            }
        }
        self.usage.update(&answer.usage);
        self.over = true;
    }

    /// As JSON with its texts as `mask` has them; none where nothing was said.
    pub(super) fn into_json(self, mut mask: impl FnMut(&str) -> String) -> Option<Value> {
        if self.choices.is_empty() && !self.over && !self.error {
            return None;
        }
        let mut choice = |choice: Choice| {
            let parts = choice.parts.into_iter().map(|part| {
                let mut shown = Map::new();
                shown.insert("type".to_owned(), part.what.into());
                if !part.name.is_empty() {
                    shown.insert("name".to_owned(), mask(&part.name).into());
                }
                shown.insert("text".to_owned(), mask(&part.text).into());
                Value::Object(shown)
            });
            let finish = choice.finish.map(|finish| format!("{finish:?}").to_lowercase());
            json!({ "parts": parts.collect::<Vec<_>>(), "finish": finish })
        };
        let Usage { input, output, .. } = self.usage;
        let end = match (self.error, self.over) {
            (true, _) => "error",
            (false, true) => "complete",
            (false, false) => "broken",
        };
        let choices: Vec<Value> = self.choices.into_iter().map(&mut choice).collect();
        Some(json!({ "choices": choices, "tokens_in": input, "tokens_out": output, "end": end }))
    }
}

/// Sees an answer pass, and has it written down once it is over: at its end, or where the caller left.
pub(super) struct Keeper {
    asked: Option<Asked>,
    said: Said,
    rules: Arc<Rules>,
    writer: Arc<Writer>,
}

impl Keeper {
    pub(super) fn new(asked: Asked, rules: Arc<Rules>, writer: Arc<Writer>) -> Self {
        Self { asked: Some(asked), said: Said::default(), rules, writer }
    }
}

impl Watch for Keeper {
    fn alters(&self) -> bool {
        false
    }

    fn answer(&mut self, answer: &mut Answer) -> Result<(), Error> {
        // An answer that is asked for again replaces the one before.
        self.said = Said::default();
        self.said.answer(answer, self.rules.response);
        Ok(())
    }

    fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        self.said.event(&event, self.rules.response);
        out.push(event);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.writer.give(Record { asked, said: std::mem::take(&mut self.said), rules: self.rules.clone() });
        }
    }
}
