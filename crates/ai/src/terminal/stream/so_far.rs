//! What a caller has of an answer so far, as far as another could go on with it: text, and nothing but one text.

use crate::terminal::ask::Prefix;
use crate::translate::canonical::{Opens, Place};
use crate::translate::{Encode, Event};

/// The most text that is remembered.
const MOST: usize = 256 << 10;

/// What a caller has so far.
#[derive(Clone, Default)]
pub(super) struct SoFar {
    start: Option<Event>,
    /// The text that is open.
    open: Option<Place>,
    text: String,
    /// The lengths of the pieces in which it came.
    pieces: Vec<u32>,
    /// Whether there is anything else than one open text.
    other: bool,
    /// Whether there is anything at all.
    any: bool,
    /// Whether nobody else can go on with it.
    ends: bool,
}

impl SoFar {
    /// Remembers what goes out.
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Start { .. } => self.start = Some(event.clone()),
            Event::Open(place, Opens::Text) if self.open.is_none() && place.choice == 0 => self.open = Some(*place),
            Event::Text(place, text) if self.open == Some(*place) => {
                self.any |= !text.is_empty();
                if self.text.len() + text.len() > MOST {
                    self.other = true;
                }
                if !self.other {
                    self.text.push_str(text);
                    self.pieces.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
                }
            }
            Event::Usage(_) | Event::Ping | Event::Logprobs(..) => {}
            _ => {
                self.any = true;
                self.other = true;
                (self.text, self.pieces) = (String::new(), Vec::new());
            }
        }
    }

    /// Nobody else can go on with it.
    pub(super) fn ends_with_its_source(&mut self) {
        self.ends = true;
    }

    /// What another would go on with; none where nobody could.
    pub(super) fn prefix(&self) -> Option<Prefix> {
        if !self.any {
            return Some(Prefix::Nothing);
        }
        // White space at the end of what was begun is refused, or misleads.
        let said = self.text.trim_end();
        (!self.other && !self.ends)
            .then(|| if said.is_empty() { Prefix::Nothing } else { Prefix::Text(said.to_owned()) })
    }

    /// The white space at the end, which another will say once more.
    pub(super) fn space(&self) -> &str {
        self.text.get(self.text.trim_end().len()..).unwrap_or_default()
    }

    /// Bytes of text.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text that is open.
    pub(super) fn open(&self) -> Option<Place> {
        self.open
    }

    /// Whether the beginning of the answer is out.
    pub(super) fn is_started(&self) -> bool {
        self.start.is_some()
    }

    /// Brings an encoder to where the caller is, who got it all by other ways.
    pub(super) fn tell(&self, encoder: &mut dyn Encode) {
        let mut past = Vec::new();
        let mut tell = |event: &Event| {
            encoder.push(event, &mut past);
            past.clear();
        };
        self.start.iter().for_each(&mut tell);
        let Some(place) = self.open else { return };
        tell(&Event::Open(place, Opens::Text));
        let mut at = 0;
        for piece in &self.pieces {
            let end = at + *piece as usize;
            tell(&Event::Text(place, self.text.get(at..end).unwrap_or_default().to_owned()));
            at = end;
        }
    }
}
