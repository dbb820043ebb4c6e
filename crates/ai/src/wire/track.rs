//! What decoders share: parts opened and closed in order, and how a stream ends.

use crate::translate::canonical::{Event, Finish, Opens, Place, Seal};
use crate::translate::{Error, ErrorKind, Usage};
use crate::wire::sse;

/// Most parts of one choice; what comes beyond is a failure.
pub(crate) const PARTS: u32 = 4096;

/// The parts of one choice of a stream whose format does not mark where they begin and end.
#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) choice: u32,
    next: u32,
    open: Option<(Kind, Place)>,
    /// Whether a tool was called.
    pub(crate) called: bool,
    /// Whether `Finish` was given.
    pub(crate) finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Reasoning,
    Other,
}

impl Track {
    /// Of a choice.
    pub(crate) fn of(choice: u32) -> Self {
        Self { choice, ..Self::default() }
    }

    fn turn(&mut self, kind: Kind, opens: impl FnOnce() -> Opens, out: &mut Vec<Event>) -> Place {
        if let Some((open, place)) = self.open
            && open == kind
            && kind != Kind::Other
        {
            return place;
        }
        self.close(out);
        let place = Place { choice: self.choice, part: self.next };
        self.next = self.next.saturating_add(1).min(PARTS);
        self.open = Some((kind, place));
        out.push(Event::Open(place, opens()));
        place
    }

    /// More text.
    pub(crate) fn text(&mut self, text: String, out: &mut Vec<Event>) {
        let place = self.turn(Kind::Text, || Opens::Text, out);
        out.push(Event::Text(place, text));
    }

    /// More of a refusal.
    pub(crate) fn refusal(&mut self, text: String, out: &mut Vec<Event>) {
        let place = self.turn(Kind::Refusal, || Opens::Refusal, out);
        out.push(Event::Text(place, text));
    }

    /// More of what is thought.
    pub(crate) fn reasoning(&mut self, text: String, out: &mut Vec<Event>) {
        let place = self.turn(Kind::Reasoning, || Opens::Reasoning { hidden: false }, out);
        if !text.is_empty() {
            out.push(Event::Reasoning(place, text));
        }
    }

    /// The seal of what was thought; a part of its own if nothing is open.
    pub(crate) fn seal(&mut self, seal: Seal, hidden: bool, out: &mut Vec<Event>) {
        let kind = if hidden { Kind::Other } else { Kind::Reasoning };
        let place = self.turn(kind, || Opens::Reasoning { hidden }, out);
        out.push(Event::Seal(place, seal));
        self.close(out);
    }

    /// A tool is called.
    pub(crate) fn tool(&mut self, id: String, name: String, out: &mut Vec<Event>) -> Place {
        self.called = true;
        self.turn(Kind::Other, || Opens::ToolCall { id, name }, out)
    }

    /// Ends the open part.
    pub(crate) fn close(&mut self, out: &mut Vec<Event>) {
        if let Some((_, place)) = self.open.take() {
            out.push(Event::Close(place));
        }
    }

    /// Ends the choice, once.
    pub(crate) fn finish(&mut self, finish: Finish, stop_sequence: Option<String>, out: &mut Vec<Event>) {
        if !self.finished {
            self.close(out);
            self.finished = true;
            out.push(Event::Finish { choice: self.choice, finish, stop_sequence });
        }
    }

    /// The number the next part gets, for ids where a provider gives none.
    pub(crate) const fn next(&self) -> u32 {
        self.next
    }

    /// Whether no more parts are taken.
    pub(crate) const fn full(&self) -> bool {
        self.next >= PARTS
    }
}

/// How far a stream is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nothing came.
    #[default]
    Fresh,
    /// It goes on.
    Running,
    /// It is over, well or badly.
    Over,
}

impl Life {
    /// The first event of a stream.
    pub(crate) fn start(&mut self, out: &mut Vec<Event>, start: impl FnOnce() -> Event) {
        if *self == Self::Fresh {
            *self = Self::Running;
            out.push(start());
        }
    }

    /// It is whole.
    pub(crate) fn end(&mut self, out: &mut Vec<Event>) {
        if *self != Self::Over {
            *self = Self::Over;
            out.push(Event::End);
        }
    }

    /// It went wrong.
    pub(crate) fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        if *self != Self::Over {
            *self = Self::Over;
            out.push(Event::Error(error));
            out.push(Event::End);
        }
    }

    /// Its bytes ended before it was whole.
    pub(crate) fn cut(&mut self, out: &mut Vec<Event>) {
        self.fail(Error::new(ErrorKind::Server, "the provider's stream ended too soon").code("ai.stream_cut"), out);
    }

    /// What came is no event of the format.
    pub(crate) fn malformed(&mut self, out: &mut Vec<Event>) {
        let error = Error::new(ErrorKind::Server, "the provider's stream is malformed").code("ai.stream_malformed");
        self.fail(error, out);
    }

    /// An event is longer than is read.
    pub(crate) fn too_long(&mut self, out: &mut Vec<Event>) {
        let why = format!("an event of the provider's stream is longer than {} bytes", sse::EVENT);
        self.fail(Error::new(ErrorKind::Server, why).code("ai.stream_too_long"), out);
    }
}

/// Tells usage if it says anything.
pub(crate) fn usage(usage: Usage, out: &mut Vec<Event>) {
    if !usage.is_empty() {
        out.push(Event::Usage(usage));
    }
}
