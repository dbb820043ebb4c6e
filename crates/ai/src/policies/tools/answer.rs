//! Answers that call a tool which the model was not given.

use std::collections::{HashMap, HashSet};

use proxy::exchange::Error;

use super::NOT_OFFERED;
use crate::call::Watch;
use crate::translate::canonical::{Content, Opens, Place};
use crate::translate::{Answer, Error as Told, ErrorKind, Event, Finish};

/// Stands between provider and caller.
pub(super) struct Offered {
    tools: HashSet<Box<str>>,
    /// Whether other calls are taken out; else they end the answer.
    strips: bool,
    choices: HashMap<u32, Seen>,
    ended: bool,
}

/// What was seen of a choice.
#[derive(Default)]
struct Seen {
    /// The parts that are taken out.
    out: Vec<u32>,
    /// Whether a call went on.
    calls: bool,
}

/// The most parts of an answer that are taken out before it is ended.
const MOST_OUT: usize = 256;
const MESSAGE: &str = "The model called a tool that it was not given.";

impl Offered {
    /// With what the model was given.
    pub(super) fn new(tools: HashSet<Box<str>>, strips: bool) -> Self {
        Self { tools, strips, choices: HashMap::new(), ended: false }
    }

    /// Where an event of this place goes, if it goes on.
    fn shifted(&self, place: Place) -> Option<Place> {
        let Some(seen) = self.choices.get(&place.choice) else { return Some(place) };
        let before = seen.out.iter().filter(|out| **out < place.part).count();
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        (!seen.out.contains(&place.part)).then(|| Place { part: place.part.saturating_sub(before), ..place })
    }

    /// What goes on of an event, if anything does. An error is that of a call that ends the answer.
    fn step(&mut self, event: Event) -> Result<Option<Event>, ()> {
        if let Event::Open(place, Opens::ToolCall { name, .. }) = &event {
            let seen = self.choices.entry(place.choice).or_default();
            if self.tools.contains(name.as_str()) {
                seen.calls = true;
            } else if self.strips && seen.out.len() < MOST_OUT {
                seen.out.push(place.part);
            } else {
                return Err(());
            }
        }
        let shifted = |place| self.shifted(place);
        Ok(match event {
            Event::Open(place, opens) => shifted(place).map(|place| Event::Open(place, opens)),
            Event::Text(place, text) => shifted(place).map(|place| Event::Text(place, text)),
            Event::Reasoning(place, text) => shifted(place).map(|place| Event::Reasoning(place, text)),
            Event::Seal(place, seal) => shifted(place).map(|place| Event::Seal(place, seal)),
            Event::Args(place, text) => shifted(place).map(|place| Event::Args(place, text)),
            Event::Close(place) => shifted(place).map(Event::Close),
            Event::Finish { choice, finish, stop_sequence } => {
                let calls = self.choices.get(&choice).is_some_and(|seen| seen.calls || seen.out.is_empty());
                Some(Event::Finish { choice, finish: finished(finish, calls), stop_sequence })
            }
            event => Some(event),
        })
    }
}

/// Why an answer ended that is left with calls, or without.
fn finished(finish: Finish, calls: bool) -> Finish {
    if finish == Finish::ToolCalls && !calls { Finish::Stop } else { finish }
}

impl Watch for Offered {
    fn answer(&mut self, answer: &mut Answer) -> Result<(), Error> {
        for choice in &mut answer.choices {
            let before = choice.parts.len();
            choice.parts.retain(
                |part| !matches!(&part.content, Content::ToolCall(call) if !self.tools.contains(call.name.as_str())),
            );
            if choice.parts.len() == before {
                continue;
            }
            if !self.strips {
                return Err(Error::new(&NOT_OFFERED, MESSAGE));
            }
            let calls = choice.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)));
            choice.finish = choice.finish.map(|finish| finished(finish, calls));
        }
        Ok(())
    }

    fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        match self.step(event) {
            Ok(event) => out.extend(event),
            Err(()) => {
                self.ended = true;
                tracing::debug!(target: "tollgate::ai", "a model called a tool that it was not given");
                out.push(Event::Error(Told::new(ErrorKind::Server, MESSAGE).code(NOT_OFFERED.name)));
                out.push(Event::End);
            }
        }
    }
}
