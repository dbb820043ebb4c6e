//! The checks of an answer, whole or as it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxy::exchange::{Error, Guarded};

use super::WITHHELD;
use super::check::{Act, Check, Checked, What};
use crate::call::{Again, Wanted, Watch};
use crate::guard::stream::{Finder, Piece};
use crate::guard::{Scan, language};
use crate::translate::canonical::{Choice, Content, Place};
use crate::translate::{Answer, Error as Told, ErrorKind, Event, Finish};

/// The bytes of a text from which its language is told; what comes after is not looked at.
const LANGUAGE: usize = 512;
/// The most parts of an answer that are followed at a time. Formats close them one by one.
const MOST_PARTS: usize = 256;

/// The most bytes of JSON that are checked.
const MOST_JSON: usize = 1 << 20;

/// Stands between provider and caller.
pub(super) struct Guard {
    checked: Arc<Checked>,
    guarded: Arc<Guarded>,
    parts: BTreeMap<Place, Part>,
    /// How much each check has found, or counted.
    counts: Vec<u64>,
    /// The text of each choice of a stream, where a schema asks for it.
    texts: BTreeMap<u32, String>,
    /// Where it says that the model is to be asked again, and how often it did.
    wanted: Wanted,
    repairs: u8,
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
    pub(super) fn new(checked: Arc<Checked>, guarded: Arc<Guarded>, wanted: Wanted) -> Self {
        let counts = vec![0; checked.checks.len()];
        let (parts, texts) = (BTreeMap::new(), BTreeMap::new());
        Self { checked, guarded, parts, counts, texts, wanted, repairs: 0, ended: false }
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
            if part.stuff == Stuff::Text {
                self.keep(place.choice, &rest);
            }
            if !rest.is_empty() {
                out.push(part.stuff.event(place, rest));
            }
        }
        Ok(())
    }

    /// Remembers the text of a choice, where a schema asks for it.
    fn keep(&mut self, choice: u32, text: &str) {
        if self.checked.checks.iter().any(|check| matches!(check.what, What::Schema(..))) {
            let held = self.texts.entry(choice).or_default();
            if held.len() <= MOST_JSON {
                held.push_str(text);
            }
        }
    }

    /// Whether a choice of a stream keeps to the schemas.
    fn kept(&mut self, choice: u32, finish: Finish) -> Result<(), Blocked> {
        let text = self.texts.remove(&choice).unwrap_or_default();
        let ends = if finish == Finish::ToolCalls { None } else { self.fault(&text) };
        ends.map_or(Ok(()), |(name, ..)| Err(Blocked(name)))
    }

    /// The check whose schema a text does not keep to, how often it asks again, and what is wrong.
    fn fault(&self, text: &str) -> Option<(Arc<str>, u8, Vec<String>)> {
        let mut first = None;
        for (at, check) in self.checked.checks.iter().enumerate() {
            let What::Schema(schema, repair) = &check.what else { continue };
            let faults = match serde_json::from_str(text) {
                _ if text.len() > MOST_JSON => vec![format!("it has more than {MOST_JSON} bytes")],
                Ok(value) => schema.faults(&value),
                Err(_) => vec!["it is not JSON, or not JSON alone".to_owned()],
            };
            check.found(at, u32::from(!faults.is_empty()), &self.guarded);
            let acts = self.checked.names.get(at).is_some_and(|(_, word)| *word == "block");
            if acts && !faults.is_empty() && first.is_none() {
                first = Some((check.name.clone(), *repair, faults));
            }
        }
        first
    }

    /// Whether a choice of a whole answer keeps to the schemas. One that does not may be asked for again.
    fn choice(&mut self, choice: &Choice) -> Result<(), Blocked> {
        if choice.finish == Some(Finish::ToolCalls) {
            return Ok(());
        }
        let text: String = choice.parts.iter().filter_map(|part| part.as_text()).collect();
        let Some((name, repair, faults)) = self.fault(&text) else { return Ok(()) };
        if self.repairs < repair && text.len() <= MOST_JSON {
            self.repairs += 1;
            let told = format!(
                "Your last answer is not what was asked for: {}. Answer again, with nothing but JSON that keeps to the schema.",
                faults.join("; ")
            );
            Again { answered: text, told }.leave(&self.wanted);
        }
        Err(Blocked(name))
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
                    Event::Finish { choice, finish, .. } => {
                        self.flush(|held| held.choice == *choice, out)?;
                        self.kept(*choice, *finish)?;
                    }
                    Event::Error(_) | Event::End => self.flush(|_| true, out)?,
                    _ => {}
                }
                out.push(event);
                return Ok(());
            }
        };
        let text = self.piece(place, stuff, text)?;
        if stuff == Stuff::Text {
            self.keep(place.choice, &text);
        }
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
            self.choice(choice).map_err(Blocked::error)?;
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
