//! What stands between provider and caller on the way back.

use proxy::exchange::Error;

use crate::translate::{Answer, Event};

/// Sees an answer on its way to the caller, whole or event by event, and may change it.
pub trait Watch: Send + Sync {
    /// Whether it may change what passes. One that only looks leaves the provider's bytes as they are.
    fn alters(&self) -> bool {
        true
    }

    /// Sees an answer in one piece.
    ///
    /// # Errors
    /// When the caller is not to have it.
    fn answer(&mut self, answer: &mut Answer) -> Result<(), Error>;

    /// Sees an event, and appends to `out` what is to go on: the event, another, several or none. After an
    /// [`Event::Error`] nothing more is read of the provider.
    fn event(&mut self, event: Event, out: &mut Vec<Event>);
}

/// Several of them, the provider's end first.
#[derive(Default)]
pub(crate) struct Watches {
    watches: Vec<Box<dyn Watch>>,
    spare: Vec<Event>,
}

impl Watches {
    pub(crate) fn push(&mut self, watch: Box<dyn Watch>) {
        self.watches.push(watch);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    pub(crate) fn alter(&self) -> bool {
        self.watches.iter().any(|watch| watch.alters())
    }

    /// An answer in one piece.
    pub(crate) fn answer(&mut self, answer: &mut Answer) -> Result<(), Error> {
        self.watches.iter_mut().try_for_each(|watch| watch.answer(answer))
    }

    /// Events as they came; afterwards they are as they go on.
    pub(crate) fn events(&mut self, events: &mut Vec<Event>) {
        for watch in &mut self.watches {
            self.spare.clear();
            for event in events.drain(..) {
                watch.event(event, &mut self.spare);
            }
            std::mem::swap(events, &mut self.spare);
        }
    }
}
