//! The events of who goes on with an answer, as the continuation of what the caller has.

use crate::translate::canonical::{Opens, Place};
use crate::translate::{Event, Usage};

/// Makes them so.
#[derive(Clone)]
pub(super) struct Shift {
    /// Whether the beginning of the answer is out.
    started: bool,
    /// The text that is open at the caller's.
    open: Option<Place>,
    /// White space that the caller has, and that will be said once more.
    space: String,
    /// How far the numbers of parts are moved; none before the first part.
    by: Option<u32>,
    /// What those before took.
    before: Usage,
}

impl Shift {
    pub(super) fn new(started: bool, open: Option<Place>, space: &str, before: Usage) -> Self {
        Self { started, open, space: space.to_owned(), by: None, before }
    }

    /// As the caller is to see it.
    pub(super) fn events(&mut self, events: &mut Vec<Event>) {
        let came = std::mem::take(events);
        for event in came {
            self.event(event, events);
        }
    }

    fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        let moved = |place: Place, by: Option<u32>| Place { part: place.part.saturating_add(by.unwrap_or(0)), ..place };
        let by = self.by;
        let event = match event {
            Event::Start { .. } if self.started => return,
            Event::Open(place, opens) if by.is_none() => {
                let open = self.open;
                self.by = Some(match (&opens, open) {
                    (Opens::Text, Some(open)) => {
                        self.by = Some(open.part.saturating_sub(place.part));
                        return;
                    }
                    (_, Some(open)) => {
                        out.push(Event::Close(open));
                        (open.part + 1).saturating_sub(place.part)
                    }
                    (_, None) => 0,
                });
                Event::Open(moved(place, self.by), opens)
            }
            Event::Open(place, opens) => Event::Open(moved(place, by), opens),
            Event::Text(place, text) => match self.without_space(text) {
                text if text.is_empty() => return,
                text => Event::Text(moved(place, by), text),
            },
            Event::Reasoning(place, text) => Event::Reasoning(moved(place, by), text),
            Event::Seal(place, seal) => Event::Seal(moved(place, by), seal),
            Event::Args(place, text) => Event::Args(moved(place, by), text),
            Event::Close(place) => Event::Close(moved(place, by)),
            Event::Usage(usage) => Event::Usage(sum(&self.before, &usage)),
            other => other,
        };
        out.push(event);
    }

    /// Without the white space that the caller has.
    fn without_space(&mut self, text: String) -> String {
        let mut rest = text.as_str();
        while !self.space.is_empty() && !rest.is_empty() {
            let next = self.space.chars().next().filter(|next| rest.starts_with(*next));
            let Some(next) = next else {
                self.space.clear();
                break;
            };
            rest = rest.strip_prefix(next).unwrap_or(rest);
            self.space.remove(0);
        }
        if rest.len() == text.len() { text } else { rest.to_owned() }
    }
}

/// What several took.
pub(super) fn sum(one: &Usage, other: &Usage) -> Usage {
    Usage {
        input: one.input + other.input,
        cached_input: one.cached_input + other.cached_input,
        cache_write: one.cache_write + other.cache_write,
        cache_write_hour: one.cache_write_hour + other.cache_write_hour,
        output: one.output + other.output,
        reasoning: one.reasoning + other.reasoning,
        audio_input: one.audio_input + other.audio_input,
        audio_output: one.audio_output + other.audio_output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(part: u32) -> Place {
        Place { choice: 0, part }
    }

    fn shifted(open: Option<Place>, space: &str, mut events: Vec<Event>) -> Vec<Event> {
        let before = Usage { input: 3, output: 2, ..Usage::default() };
        Shift::new(true, open, space, before).events(&mut events);
        events
    }

    fn start() -> Event {
        Event::Start { id: "b".into(), model: "b".into(), created: None }
    }

    #[test]
    fn a_text_goes_on_where_it_was() {
        let text = |text: &str| Event::Text(at(0), text.into());
        let usage = |input, output| Event::Usage(Usage { input, output, ..Usage::default() });
        let got = shifted(
            Some(at(0)),
            " ",
            vec![start(), Event::Open(at(0), Opens::Text), text(" wo"), text(" rd"), Event::Close(at(0)), usage(9, 1)],
        );
        assert_eq!(got, [text("wo"), text(" rd"), Event::Close(at(0)), usage(12, 3)]);
    }

    #[test]
    fn another_kind_of_part_closes_the_text() {
        let call = || Opens::ToolCall { id: "c".into(), name: "f".into() };
        let got = shifted(Some(at(1)), "", vec![start(), Event::Open(at(0), call()), Event::Args(at(0), "{}".into())]);
        let expected = [Event::Close(at(1)), Event::Open(at(2), call()), Event::Args(at(2), "{}".into())];
        assert_eq!(got, expected);
    }
}
