//! An answer put together from the events of its stream.

use serde_json::Value;

use crate::translate::canonical::{Choice, Content, Opens, Part, Place, Reasoning, ToolCall};
use crate::translate::{Answer, Event, Finish};

/// An answer in the making.
#[derive(Default)]
pub(super) struct Gather {
    answer: Answer,
    bytes: u64,
    /// Whether it cannot be kept: it failed, or is too long, or has what cannot be put together.
    lost: bool,
}

impl Gather {
    /// Whether what comes cannot be kept any more.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Takes an event; gives the answer at its end. One of more than `most` bytes is not put together.
    pub(super) fn push(&mut self, event: &Event, most: u64) -> Option<Answer> {
        if self.lost {
            return None;
        }
        match event {
            Event::Start { id, model, created } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
                self.answer.created = *created;
            }
            Event::Open(place, opens) => self.open(*place, opens),
            Event::Text(place, more) | Event::Reasoning(place, more) | Event::Args(place, more) => {
                self.bytes += more.len() as u64;
                self.more(*place, more);
            }
            Event::Seal(place, seal) => match self.part(*place) {
                Some(Part { content: Content::Reasoning(reasoning), .. }) => reasoning.seal = Some(seal.clone()),
                Some(Part { content: Content::ToolCall(call), .. }) => call.seal = Some(seal.clone()),
                _ => self.lost = true,
            },
            Event::Usage(usage) => self.answer.usage.update(usage),
            Event::Finish { choice, finish, stop_sequence } => {
                if let Some(choice) = self.choice(*choice) {
                    choice.finish = Some(*finish);
                    choice.stop_sequence.clone_from(stop_sequence);
                }
            }
            Event::Error(_) | Event::Logprobs(..) => self.lost = true,
            Event::Close(_) | Event::Ping => {}
            Event::End => {
                self.lost = true;
                return Some(std::mem::take(&mut self.answer));
            }
        }
        self.lost |= self.bytes > most;
        None
    }

    fn choice(&mut self, at: u32) -> Option<&mut Choice> {
        let at = at as usize;
        if at > self.answer.choices.len() || at >= 128 {
            self.lost = true;
            return None;
        }
        if at == self.answer.choices.len() {
            self.answer.choices.push(Choice::default());
        }
        self.answer.choices.get_mut(at)
    }

    fn part(&mut self, place: Place) -> Option<&mut Part> {
        self.answer.choices.get_mut(place.choice as usize)?.parts.get_mut(place.part as usize)
    }

    fn open(&mut self, place: Place, opens: &Opens) {
        let content = match opens {
            Opens::Text => Content::Text(String::new()),
            Opens::Refusal => Content::Refusal(String::new()),
            Opens::Reasoning { hidden } => Content::Reasoning(Reasoning { hidden: *hidden, ..Reasoning::default() }),
            Opens::ToolCall { id, name } => {
                Content::ToolCall(ToolCall { id: id.clone(), name: name.clone(), arguments: String::new(), seal: None })
            }
        };
        self.bytes += 64;
        let Some(choice) = self.choice(place.choice) else { return };
        if choice.parts.len() == place.part as usize {
            choice.parts.push(Part { content, cache: None });
        } else {
            self.lost = true;
        }
    }

    fn more(&mut self, place: Place, more: &str) {
        match self.part(place).map(|part| &mut part.content) {
            Some(Content::Text(text) | Content::Refusal(text)) => text.push_str(more),
            Some(Content::Reasoning(reasoning)) => reasoning.text.push_str(more),
            Some(Content::ToolCall(call)) => call.arguments.push_str(more),
            _ => self.lost = true,
        }
    }
}

/// Whether an answer is one to give again: whole, not held back, and of words and calls alone.
pub(super) fn is_good(answer: &Answer) -> bool {
    let good = |finish: Option<Finish>| {
        matches!(finish, Some(Finish::Stop | Finish::StopSequence | Finish::ToolCalls | Finish::Length))
    };
    let known = |part: &Part| {
        matches!(part.content, Content::Text(_) | Content::ToolCall(_) | Content::Reasoning(_) | Content::Refusal(_))
    };
    !answer.choices.is_empty()
        && answer
            .choices
            .iter()
            .all(|choice| good(choice.finish) && choice.logprobs.is_none() && choice.parts.iter().all(known))
}

/// About how many bytes of memory it takes.
pub(super) fn weight(answer: &Answer) -> u64 {
    let part = |part: &Part| match &part.content {
        Content::Text(text) | Content::Refusal(text) => text.len(),
        Content::ToolCall(call) => call.id.len() + call.name.len() + call.arguments.len(),
        Content::Reasoning(reasoning) => {
            reasoning.text.len() + reasoning.seal.as_ref().map_or(0, |seal| seal.data.len())
        }
        _ => 0,
    };
    let choice = |choice: &Choice| {
        let logprobs = choice.logprobs.as_ref().map_or(0, |value: &Value| value.to_string().len());
        choice.parts.iter().map(|one| part(one) + 200).sum::<usize>() + logprobs + 100
    };
    answer.choices.iter().map(choice).sum::<usize>() as u64 + 300
}
