//! Puts back into an answer what was masked in its request: in texts and in the arguments of tools. What the model thought
//! is left as it is: it comes back sealed, and is refused when changed.

use std::collections::BTreeMap;

use proxy::exchange::Error;

use crate::call::Watch;
use crate::guard::Masks;
use crate::guard::mask::Within;
use crate::guard::stream::Unmasker;
use crate::translate::canonical::{Content, Place};
use crate::translate::{Answer, Event};

/// Puts back what was masked.
pub(super) struct Restore {
    masks: Masks,
    parts: BTreeMap<Place, (Within, Unmasker)>,
}

impl Restore {
    pub(super) fn new(masks: Masks) -> Self {
        Self { masks, parts: BTreeMap::new() }
    }

    fn piece(&mut self, place: Place, within: Within, text: &str) -> String {
        let (_, part) = self.parts.entry(place).or_insert_with(|| (within, Unmasker::new(within)));
        let mut out = String::with_capacity(text.len());
        part.push(&self.masks, text, &mut out);
        out
    }

    /// What is held back of the parts that end.
    fn flush(&mut self, ends: impl Fn(&Place) -> bool, out: &mut Vec<Event>) {
        while let Some(place) = self.parts.keys().find(|place| ends(place)).copied() {
            let Some((within, mut part)) = self.parts.remove(&place) else { return };
            let mut rest = String::new();
            part.finish(&mut rest);
            if !rest.is_empty() {
                out.push(if within == Within::Json { Event::Args(place, rest) } else { Event::Text(place, rest) });
            }
        }
    }
}

impl Watch for Restore {
    fn answer(&mut self, answer: &mut Answer) -> Result<(), Error> {
        for part in answer.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
            match &mut part.content {
                Content::Text(text) | Content::Refusal(text) => *text = self.masks.unmask(text, Within::Text),
                Content::ToolCall(call) => call.arguments = self.masks.unmask(&call.arguments, Within::Json),
                _ => {}
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::Text(place, text) => {
                let text = self.piece(place, Within::Text, &text);
                if !text.is_empty() {
                    out.push(Event::Text(place, text));
                }
            }
            Event::Args(place, text) => {
                let text = self.piece(place, Within::Json, &text);
                if !text.is_empty() {
                    out.push(Event::Args(place, text));
                }
            }
            // Tells the placeholders' tokens, which are not in the answer any more.
            Event::Logprobs(..) => {}
            event => {
                match &event {
                    Event::Close(place) => self.flush(|held| held == place, out),
                    Event::Finish { choice, .. } => self.flush(|held| held.choice == *choice, out),
                    Event::Error(_) | Event::End => self.flush(|_| true, out),
                    _ => {}
                }
                out.push(event);
            }
        }
    }
}
