//! The checks of an answer, whole or as it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxy::exchange::{Error, Guarded};

use super::WITHHELD;
use super::check::{Act, Check, Checked, What};
use crate::call::Watch;
use crate::guard::stream::{Finder, Piece};
use crate::guard::{Scan, language};
use crate::translate::canonical::{Content, Place};
use crate::translate::{Answer, Error as Told, ErrorKind, Event};

/// The bytes of a text from which its language is told; what comes after is not looked at.
const LANGUAGE: usize = 512;
/// The most parts of an answer that are followed at a time. Formats close them one by one.
const MOST_PARTS: usize = 256;

/// Stands between provider and caller.
pub(super) struct Guard {
    checked: Arc<Checked>,
    guarded: Arc<Guarded>,
    parts: BTreeMap<Place, Part>,
    /// How much each check has found, or counted.
    counts: Vec<u64>,
    /// It was ended: nothing more goes on.
    ended: bool,
}

/// A part of an answer that is under way.
struct Part {
    stuff: Stuff,
    /// One a check.
    held: Vec<Held>,
}

/// What a check holds of a part.
#[derive(Default)]
struct Held {
    finder: Finder,
    /// The beginning, for its language; none once it was told.
    begin: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stuff {
    Text,
    Reasoning,
    Args,
}

/// The check that ends an answer.
struct Blocked(Arc<str>);

impl Guard {
    pub(super) fn new(checked: Arc<Checked>, guarded: Arc<Guarded>) -> Self {
        let counts = vec![0; checked.checks.len()];
        Self { checked, guarded, parts: BTreeMap::new(), counts, ended: false }
    }

    /// Takes a piece of a part; what may go on.
    fn piece(&mut self, place: Place, stuff: Stuff, text: String) -> Result<String, Blocked> {
        if self.parts.len() >= MOST_PARTS && !self.parts.contains_key(&place) {
            return Err(Blocked(Arc::from("parts")));
        }
        let mut part = self.parts.remove(&place).unwrap_or_else(|| self.part(stuff));
        let out = self.pass(&mut part, text, false);
        self.parts.insert(place, part);
        out
    }

    fn part(&self, stuff: Stuff) -> Part {
        let begin = |check: &Check| matches!(check.what, What::Languages { .. }).then(String::new);
        let held = self.checked.checks.iter().map(|check| Held { finder: Finder::default(), begin: begin(check) });
        Part { stuff, held: held.collect() }
    }

    /// A text through all checks; with `whole` nothing comes after it.
    fn pass(&mut self, part: &mut Part, mut text: String, whole: bool) -> Result<String, Blocked> {
        let checked = self.checked.clone();
        for (at, (check, held)) in checked.checks.iter().zip(&mut part.held).enumerate() {
            let acts = checked.names.get(at).is_some_and(|(_, word)| *word != "shadow");
            let blocks = acts && matches!(check.act, Act::Block);
            let past = match &check.what {
                What::Personal(_) | What::Words(..) => {
                    let Some(scan) = check.scan() else { continue };
                    let (out, found) = through(check, &scan, held, &text, (whole, acts));
                    text = out;
                    self.count(at, check, found)
                }
                What::Size(most) => {
                    let Some(count) = self.counts.get_mut(at) else { continue };
                    let before = *count;
                    *count += text.len() as u64;
                    let past = *count > *most;
                    check.found(at, u32::from(past && before <= *most), &self.guarded);
                    past
                }
                What::Languages { .. } if part.stuff == Stuff::Text => {
                    let against = held.is_against(&check.what, &text, whole);
                    check.found(at, u32::from(against), &self.guarded);
                    against
                }
                _ => false,
            };
            if past && blocks {
                return Err(Blocked(check.name.clone()));
            }
        }
        Ok(text)
    }

    /// Counts what a check found; whether it is enough to act.
    fn count(&mut self, at: usize, check: &Check, found: u32) -> bool {
        let Some(count) = self.counts.get_mut(at) else { return false };
        let (before, least) = (*count, u64::from(check.least()));
        *count += u64::from(found);
        if *count < least {
            return false;
        }
        // Those before count too, once there are enough.
        let told = if before < least { *count } else { u64::from(found) };
        check.found(at, u32::try_from(told).unwrap_or(u32::MAX), &self.guarded);
        true
    }

    /// All of a text.
    fn all(&mut self, stuff: Stuff, text: &mut String) -> Result<(), Blocked> {
        let mut part = self.part(stuff);
        *text = self.pass(&mut part, std::mem::take(text), true)?;
        Ok(())
    }

    /// What is held back of the parts that end.
    fn flush(&mut self, ends: impl Fn(&Place) -> bool, out: &mut Vec<Event>) -> Result<(), Blocked> {
        while let Some(place) = self.parts.keys().find(|place| ends(place)).copied() {
            let Some(mut part) = self.parts.remove(&place) else { break };
            let rest = self.pass(&mut part, String::new(), true)?;
            if !rest.is_empty() {
                out.push(part.stuff.event(place, rest));
            }
        }
        Ok(())
    }

    /// What goes on of an event.
    fn step(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), Blocked> {
        let (stuff, place, text) = match event {
            Event::Text(place, text) => (Stuff::Text, place, text),
            Event::Reasoning(place, text) => (Stuff::Reasoning, place, text),
            Event::Args(place, text) => (Stuff::Args, place, text),
            // They tell the text that is masked.
            Event::Logprobs(..) if self.alters() => return Ok(()),
            event => {
                match &event {
                    Event::Close(place) => self.flush(|held| held == place, out)?,
                    Event::Finish { choice, .. } => self.flush(|held| held.choice == *choice, out)?,
                    Event::Error(_) | Event::End => self.flush(|_| true, out)?,
                    _ => {}
                }
                out.push(event);
                return Ok(());
            }
        };
        let text = self.piece(place, stuff, text)?;
        if !text.is_empty() {
            out.push(stuff.event(place, text));
        }
        Ok(())
    }
}

impl Watch for Guard {
    fn alters(&self) -> bool {
        let acts = |check: &Check| matches!(check.act, Act::Block | Act::Mask);
        self.checked
            .checks
            .iter()
            .zip(self.checked.names.iter())
            .any(|(check, (_, word))| acts(check) && *word != "shadow")
    }

    fn answer(&mut self, answer: &mut Answer) -> Result<(), Error> {
        for choice in &mut answer.choices {
            for part in &mut choice.parts {
                let passed = match &mut part.content {
                    Content::Text(text) | Content::Refusal(text) => self.all(Stuff::Text, text),
                    Content::Reasoning(thought) => self.all(Stuff::Reasoning, &mut thought.text),
                    Content::ToolCall(call) => self.all(Stuff::Args, &mut call.arguments),
                    _ => Ok(()),
                };
                passed.map_err(Blocked::error)?;
            }
            if self.alters() {
                choice.logprobs = None;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if let Err(blocked) = self.step(event, out) {
            self.ended = true;
            out.push(Event::Error(blocked.told()));
        }
    }
}

/// A text through a check that looks within it: what may go on, and how often it found something.
fn through(check: &Check, scan: &Scan<'_>, held: &mut Held, text: &str, (whole, acts): (bool, bool)) -> (String, u32) {
    let (mut out, mut found) = (String::with_capacity(text.len()), 0);
    // One that only notes holds nothing back.
    let holds = acts && matches!(check.act, Act::Mask | Act::Block);
    let mut tell = |piece: Piece<'_>| match piece {
        Piece::Plain(text) => out.push_str(text),
        Piece::Found(finding, text) => {
            found += 1;
            if matches!(check.act, Act::Mask) {
                out.push('[');
                out.push_str(finding.kind.label());
                out.push(']');
            } else if check.least() > 1 {
                out.push_str(text);
            }
        }
    };
    held.finder.push(scan, text, &mut tell);
    if whole {
        held.finder.finish(scan, &mut tell);
    }
    if holds { (out, found) } else { (text.to_owned(), found) }
}

impl Held {
    /// Whether the language is told by now, and is one that the check is against.
    fn is_against(&mut self, what: &What, text: &str, whole: bool) -> bool {
        let Some(begin) = &mut self.begin else { return false };
        begin.push_str(text);
        if begin.len() < LANGUAGE && !whole {
            return false;
        }
        let language = language::of(begin);
        self.begin = None;
        what.is_against(language)
    }
}

impl Stuff {
    const fn event(self, place: Place, text: String) -> Event {
        match self {
            Self::Text => Event::Text(place, text),
            Self::Reasoning => Event::Reasoning(place, text),
            Self::Args => Event::Args(place, text),
        }
    }
}

impl Blocked {
    const MESSAGE: &str = "A guardrail of this gateway ended this answer.";

    /// For an answer in one piece.
    fn error(self) -> Error {
        Error::new(&WITHHELD, Self::MESSAGE).because(format!("the check `{}` of the answer", self.0))
    }

    /// In the middle of a stream.
    fn told(&self) -> Told {
        tracing::debug!(target: "tollgate::ai", check = &*self.0, "a guardrail ended a stream");
        Told::new(ErrorKind::ContentPolicy, Self::MESSAGE).code(WITHHELD.name)
    }
}
