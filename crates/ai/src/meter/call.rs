//! A call of a model from its first step to its last: what it took, and who waits to know it.
//!
//! The terminal tells it what the provider tells and says. When the exchange is over, and the last that holds the meter lets
//! go of it (the answer's end, a client that leaves, a panic), the bill is made: of what the provider told; else counted by
//! a vocabulary, where there is one, on a thread of its own; else estimated. Then the holds of limits and budgets are
//! settled with it, and usage is written down.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use parking_lot::Mutex;
use proxy::exchange::ModelCall;
use proxy::stores;
use proxy::telemetry::Telemetry;
use store::usage::{Took, Whose};

use super::{Scale, Text, Vocabulary, Weight, weigh};
use crate::call::AiCall;
use crate::catalog::{Charged, Entry, Money};
use crate::fleet::Target;
use crate::meter::count;
use crate::translate::canonical::{Content, Part};
use crate::translate::{Answer, Event, Format, Told, Usage};

/// What a call came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Tokens.
    pub(crate) usage: Usage,
    /// Billionths of a US dollar, rounded up; none where the model has no price.
    pub(crate) cost: Option<u64>,
}

/// What is done with the bill.
pub(crate) type Settle = Box<dyn FnOnce(&Bill) + Send>;

/// A call of a model from its first step to its last.
#[derive(Default)]
pub(crate) struct CallMeter(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<Settle>,
    row: Option<Row>,
    served: Option<Served>,
    usage: Usage,
    /// What else is charged for, of a call that is no turn of a conversation.
    charged: Option<Charged>,
    said: Text,
    /// What attempts took that broke off before this one, or whose answer was refused.
    beside: Took,
    /// What attempts took that lost.
    lost: Took,
    /// The answer came to its end.
    whole: bool,
    failed: bool,
}

/// Where usage is written down, and as whose.
pub(crate) struct Row {
    pub(crate) book: stores::Usage,
    pub(crate) whose: Whose,
    /// Seconds since 1970.
    pub(crate) at: i64,
    pub(crate) telemetry: Arc<Telemetry>,
}

/// Who serves a call.
pub(crate) struct Served {
    pub(crate) call: Arc<ModelCall>,
    pub(crate) entry: Option<Arc<Entry>>,
    pub(crate) scale: Arc<Scale>,
    pub(crate) vocabulary: Option<Vocabulary>,
    /// What the provider and its model are called.
    pub(crate) names: (Arc<str>, Arc<str>),
    /// In which format it was asked, and the request.
    pub(crate) format: Format,
    pub(crate) body: Bytes,
}

impl CallMeter {
    /// Has this done once it is known what the call came to, which may be nothing.
    pub(crate) fn settle(&self, settle: Settle) {
        self.0.lock().waiting.push(settle);
    }

    /// A provider is about to be asked.
    pub(crate) fn asks(&self, row: Row) {
        self.0.lock().row = Some(row);
    }

    /// The consumer whose call it is, once somebody is about to be asked.
    pub(crate) fn consumer(&self) -> Option<Arc<str>> {
        let state = self.0.lock();
        state.row.as_ref().map(|row| row.whose.consumer.clone()).filter(|name| !name.is_empty())
    }

    /// A provider answers. Where one did before, its answer was refused, and is paid for.
    pub(crate) fn served(&self, served: Served) {
        let mut state = self.0.lock();
        if let Some(before) = state.served.replace(served) {
            let usage = if state.is_told() { state.usage } else { state.estimate(&before) };
            state.leave(&usage, before.cost(&usage));
        }
    }

    /// All attempts that lost had read so much, which cost so much.
    pub(crate) fn lost(&self, input: u64, cost: u64) {
        self.0.lock().lost = Took { input, cost, ..Took::default() };
    }

    /// The provider that spoke broke off, having taken this, and another is asked to go on.
    pub(crate) fn broke(&self, took: &Usage, cost: Option<u64>) {
        self.0.lock().leave(took, cost);
    }

    /// Another goes on.
    pub(crate) fn goes_on(&self, target: &Target) {
        if let Some(served) = &mut self.0.lock().served {
            served.is_at(target);
        }
    }

    /// An answer in one piece.
    pub(crate) fn answered(&self, answer: &Answer) {
        let mut state = self.0.lock();
        for part in answer.choices.iter().flat_map(|choice| &choice.parts) {
            state.part(part);
        }
        state.whole = true;
        state.usage.update(&answer.usage);
        state.note();
    }

    /// What was taken by a call that is no turn of a conversation.
    pub(crate) fn took(&self, usage: &Usage, charged: Charged) {
        let mut state = self.0.lock();
        state.whole = true;
        state.usage = *usage;
        state.charged = Some(charged);
        state.note();
    }

    /// Pieces of an answer.
    pub(crate) fn came(&self, events: &[Event]) {
        let mut state = self.0.lock();
        let before = (state.usage, state.said.len() / NOTED);
        for event in events {
            match event {
                Event::Text(_, said) | Event::Reasoning(_, said) | Event::Args(_, said) => state.said.push(said),
                Event::Usage(usage) => state.usage.update(usage),
                Event::Error(_) => state.failed = true,
                Event::End => state.whole = !state.failed,
                _ => {}
            }
        }
        if before != (state.usage, state.said.len() / NOTED) {
            state.note();
        }
    }

    /// What it costs so far, in billionths of a US dollar.
    pub(crate) fn cost(&self) -> Option<u64> {
        let state = self.0.lock();
        Some(
            state
                .price(state.served.as_ref()?, &state.usage)?
                .saturating_add(state.beside.cost)
                .saturating_add(state.lost.cost),
        )
    }
}

/// After so many bytes the record learns what was said.
const NOTED: u64 = 512;

impl State {
    /// What was taken up to now is paid for, and another begins.
    fn leave(&mut self, took: &Usage, cost: Option<u64>) {
        self.beside.add(&Took {
            unpriced: u64::from(cost.is_none()),
            input: took.input,
            cached: took.cached_input,
            output: took.output,
            reasoning: took.reasoning,
            cost: cost.unwrap_or(0),
            ..Took::default()
        });
        self.usage = Usage::default();
        self.said = Text::default();
        self.whole = false;
    }

    fn part(&mut self, part: &Part) {
        match &part.content {
            Content::Text(said) | Content::Refusal(said) => self.said.push(said),
            Content::ToolCall(call) => self.said.push(&call.arguments),
            Content::Reasoning(thought) => self.said.push(&thought.text),
            _ => {}
        }
    }

    /// Lets the record know, which may be written before the bill.
    fn note(&self) {
        if let Some(served) = &self.served {
            let usage = if self.is_told() { self.usage } else { self.estimate(served) };
            served.call.took(usage.input, usage.output, self.price(served, &usage));
        }
    }

    /// What it costs to have taken this. To have taken nothing is free, whatever has a price.
    fn price(&self, served: &Served, usage: &Usage) -> Option<u64> {
        match &self.charged {
            None => served.cost(usage),
            Some(charged) if *charged == Charged::default() => Some(0),
            Some(charged) => served.entry.as_ref()?.cost(charged).map(nanos),
        }
    }

    /// Whether the provider told all of it.
    fn is_told(&self) -> bool {
        let silent = self.usage.input == 0 || self.usage.output == 0 && !self.said.is_empty();
        self.whole && (!silent || self.charged.is_some())
    }

    /// What was told, and for the rest what it usually is.
    fn estimate(&self, served: &Served) -> Usage {
        let weight = if self.usage.input == 0 { weigh(&served.body) } else { Weight::default() };
        self.with(served.scale.usual_input(weight), served.scale.usual_output(self.said.len()))
    }

    /// What was told, where it was.
    fn with(&self, input: u64, output: u64) -> Usage {
        let mut usage = self.usage;
        if usage.input == 0 {
            usage.input = input;
        }
        // What a provider tells in the middle of a stream is what it was then.
        usage.output = usage.output.max(output);
        usage
    }

    /// Makes the bill.
    fn close(mut self) {
        let Some(served) = self.served.take() else {
            if let Some(row) = &self.row {
                row.add(None, &Took { calls: 1, errors: 1, ..Took::default() });
            }
            return self.give(&Bill { usage: Usage::default(), cost: Some(0) });
        };
        if self.is_told() {
            if self.charged.is_none() {
                let Weight { bytes, media } = weigh(&served.body);
                served.scale.learn((bytes, self.usage.input.saturating_sub(media)), (self.said.len(), &self.usage));
            }
            let usage = self.usage;
            return self.bill(&served, &usage);
        }
        match served.vocabulary {
            Some(vocabulary) => count::give(Uncounted { state: self, served, vocabulary }),
            None => {
                let usage = self.estimate(&served);
                self.bill(&served, &usage);
            }
        }
    }

    fn bill(self, served: &Served, usage: &Usage) {
        let cost = self.price(served, usage);
        served.call.took(usage.input, usage.output, cost);
        let mut took = Took {
            calls: 1,
            errors: u64::from(self.failed),
            unpriced: u64::from(cost.is_none()),
            input: usage.input,
            cached: usage.cached_input,
            output: usage.output,
            reasoning: usage.reasoning,
            cost: cost.unwrap_or(0),
        };
        took.add(&self.beside);
        took.add(&self.lost);
        took.unpriced = took.unpriced.min(1);
        if let Some(row) = &self.row {
            row.add(Some(served), &took);
            let totals = row.telemetry.model_totals(&row.whose.model, &served.names.0);
            totals.input.fetch_add(took.input, Relaxed);
            totals.output.fetch_add(took.output, Relaxed);
            totals.cost.fetch_add(took.cost, Relaxed);
        }
        let usage = Usage { input: took.input, output: took.output, ..*usage };
        self.give(&Bill { usage, cost: cost.map(|_| took.cost) });
    }

    fn give(self, bill: &Bill) {
        self.waiting.into_iter().for_each(|settle| settle(bill));
    }
}

impl Drop for CallMeter {
    fn drop(&mut self) {
        let state = mem::take(self.0.get_mut());
        if !state.waiting.is_empty() || state.row.is_some() || state.served.is_some() {
            state.close();
        }
    }
}

impl Row {
    fn add(&self, served: Option<&Served>, took: &Took) {
        let Some(book) = self.book.get() else { return };
        let mut whose = self.whose.clone();
        if let Some(served) = served {
            (whose.provider, whose.target) = served.names.clone();
        }
        book.add(self.at, whose, took);
    }
}

impl Served {
    /// By this target.
    pub(crate) fn of(asked: &AiCall, target: &Target, call: Arc<ModelCall>) -> Self {
        Self {
            call,
            entry: target.entry.clone(),
            scale: target.scale.clone(),
            vocabulary: target.vocabulary(),
            names: (target.provider.name.clone(), target.model.clone()),
            format: asked.turn.format,
            body: asked.body().clone(),
        }
    }

    /// Another goes on with it.
    fn is_at(&mut self, target: &Target) {
        self.entry = target.entry.clone();
        self.scale = target.scale.clone();
        self.vocabulary = target.vocabulary();
        self.names = (target.provider.name.clone(), target.model.clone());
    }

    fn cost(&self, usage: &Usage) -> Option<u64> {
        let cost = self.entry.as_ref()?.cost(&Charged::from(usage))?;
        Some(nanos(cost))
    }
}

/// Billionths, rounded up.
pub(crate) fn nanos(money: Money) -> u64 {
    u64::try_from(money.nanos_up()).unwrap_or_default()
}

/// A call whose tokens nobody told.
pub(super) struct Uncounted {
    state: State,
    served: Served,
    vocabulary: Vocabulary,
}

impl Uncounted {
    /// Counts, and makes the bill. Not on threads that carry traffic.
    pub(super) fn count(self) {
        let input = if self.state.usage.input == 0 {
            let asked = asked(self.served.format, &self.served.body);
            asked.map_or_else(|| self.state.estimate(&self.served).input, |text| self.vocabulary.count(&text))
        } else {
            self.state.usage.input
        };
        let usage = self.state.with(input, self.vocabulary.count(&self.state.said));
        self.state.bill(&self.served, &usage);
    }

    /// Makes the bill without.
    pub(super) fn estimate(self) {
        let usage = self.state.estimate(&self.served);
        self.state.bill(&self.served, &usage);
    }
}

/// The texts of a request.
fn asked(format: Format, body: &Bytes) -> Option<Text> {
    let request = format.read_request(body, &Told { model: Some(""), stream: None }).ok()?;
    let mut text = Text::default();
    for part in request.system.iter().chain(request.messages.iter().flat_map(|message| &message.parts)) {
        match &part.content {
            Content::Text(said) | Content::Refusal(said) => text.push(said),
            Content::ToolCall(call) => text.push(&call.arguments),
            Content::ToolResult(result) => {
                result.parts.iter().filter_map(Part::as_text).for_each(|said| text.push(said));
            }
            Content::Reasoning(thought) => text.push(&thought.text),
            _ => {}
        }
    }
    for tool in &request.tools {
        text.push(&tool.name);
        text.push(tool.description.as_deref().unwrap_or_default());
        text.push(&tool.schema.as_ref().map(ToString::to_string).unwrap_or_default());
    }
    text.messages = 1 + request.messages.len() as u64;
    Some(text)
}
