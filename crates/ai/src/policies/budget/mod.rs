//! Limits how much money calls of models cost. Before a call the most that it may come to is held, after it what it came to
//! is spent. Money is drawn from the account a lease at a time ([`store::purse`]): on the disk, on Redis or in memory.

mod limit;
mod of_keys;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use proxy::exchange::{Blame, Code, Error, Exchange};
use proxy::policies::{Merge, Needs, Outcome, Policy, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use store::purse::{Draw, Held, Purse, Refusal};

use self::limit::{Books, Limit};
pub(super) use self::of_keys::OfKeys;
pub(crate) use self::of_keys::spent;
use self::spec::{Mode, Spec, StoreWord, Unpriced};
use crate::call::AiCall;
use crate::meter::may_cost;

/// Limits how much money calls of models cost.
pub(crate) struct Budget;

/// 402 and not 429: SDKs try a 429 again, and a budget that is spent is so until its window ends or somebody raises it. It is
/// what providers with credits answer (DeepSeek, OpenRouter), and reads as `insufficient_quota` in OpenAI's format.
static EXCEEDED: Code =
    Code { name: "budget.exceeded", status: 402, title: "Budget spent", blame: Blame::Client, proxy_status: None };

static HELD: Code = Code {
    name: "budget.held",
    status: 429,
    title: "Budget held by open calls",
    blame: Blame::Client,
    proxy_status: None,
};

static UNPRICED: Code = Code {
    name: "budget.unpriced",
    status: 403,
    title: "Model without a price",
    blame: Blame::Gateway,
    proxy_status: None,
};

static UNAVAILABLE: Code = Code {
    name: "budget.unavailable",
    status: 503,
    title: "Budgets cannot be counted",
    blame: Blame::Gateway,
    proxy_status: None,
};

const MOST_LIMITS: usize = 8;

impl Policy for Budget {
    type Spec = Spec;
    const KIND: &'static str = "budget";
    const ORDER: (Stage, u8) = (Stage::Limit, 80);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&EXCEEDED, &HELD, &UNPRICED, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.limits.is_empty() || spec.limits.len() > MOST_LIMITS {
            let message = format!("`limits` has {} budgets, not from 1 to {MOST_LIMITS}", spec.limits.len());
            cx.problem(cx.span, message, "write a budget such as `{ limit: 50 USD/month, by: consumer }`");
            return None;
        }
        for (at, written) in spec.limits.iter().enumerate() {
            if spec.limits.iter().take(at).any(|other| other.name() == written.name()) {
                let message = format!("two budgets are named `{}`", written.name());
                cx.problem(written.span, message, "give one of them a `name:` of its own");
            }
        }
        if spec.lease.millionths() > 100_000 {
            cx.problem(spec.lease.span, "`lease` is more than 10%", "a hundredth is usual");
        }
        let books = match spec.store.value {
            StoreWord::Disk => Books::Disk(cx.ledger()),
            StoreWord::Memory => Books::memory(cx),
            StoreWord::Redis => Books::Shared(cx.shared(spec.store.span)?),
        };
        let limits: Vec<Limit> = spec
            .limits
            .iter()
            .filter_map(|written| Limit::compile(written, spec.lease.millionths(), &books, cx))
            .collect();
        if limits.len() != spec.limits.len() {
            return None;
        }
        let hard = limits.iter().any(|limit| limit.mode == Mode::Hard);
        let refuses_unpriced = hard && spec.unpriced == Unpriced::Refuse;
        Some(Arc::new(Money {
            limits: limits.into_iter().map(Arc::new).collect(),
            books,
            refuses_unpriced,
            expected: spec.expected_output.map(|expected| *expected),
        }))
    }
}

/// The budgets of one policy, or of one key.
pub(super) struct Money {
    limits: Box<[Arc<Limit>]>,
    books: Books,
    refuses_unpriced: bool,
    /// What is taken for the output of a call that sets no bound.
    expected: Option<u64>,
}

/// What one budget is asked for a call.
pub(super) struct Ask {
    limit: Arc<Limit>,
    key: String,
    purse: Arc<Purse>,
    draw: Draw,
}

impl Money {
    /// What is asked of every budget; an error where one cannot be counted.
    fn asks(&self, x: &Exchange, amount: i64) -> Result<Vec<Ask>, Error> {
        let now = i64::try_from(x.local.program.clock.wall().as_secs()).unwrap_or(i64::MAX);
        let mut asks = Vec::with_capacity(self.limits.len());
        for limit in &self.limits {
            let window = limit.window(now);
            for key in limit.by.keys(x) {
                let purse = limit.purses.get(&key, window, || self.books.purse(&limit.book, &key, window));
                let Some(purse) = purse else {
                    if limit.mode == Mode::Soft {
                        continue;
                    }
                    return Err(unavailable());
                };
                asks.push(Ask { limit: limit.clone(), key, purse, draw: limit.draw(amount) });
            }
        }
        Ok(asks)
    }

    /// Holds on every budget or on none, from what is in the purses.
    fn at_once(asks: &[Ask]) -> Option<Vec<Held>> {
        let mut held = Vec::with_capacity(asks.len());
        for ask in asks {
            match ask.purse.hold_at_once(&ask.draw) {
                Some(one) => held.push(one),
                None => {
                    held.into_iter().for_each(Held::release);
                    return None;
                }
            }
        }
        Some(held)
    }

    /// Holds what the call may cost, if that is in the purses.
    pub(super) fn begin(&self, x: &mut Exchange) -> Begun {
        let Some(call) = AiCall::past(x) else { return Begun::Done(Outcome::Next) };
        let cost = match may_cost(call, self.expected) {
            // What is free is never held up by money.
            Some(0) => return Begun::Done(Outcome::Next),
            Some(cost) => i64::try_from(cost).unwrap_or(i64::MAX),
            None if self.refuses_unpriced => {
                let detail =
                    format!("The price of the model `{}` is not known, and a budget applies.", call.model.name);
                return Begun::fail(Error::new(&UNPRICED, detail));
            }
            None => return Begun::Done(Outcome::Next),
        };
        let asks = match self.asks(x, cost) {
            Ok(asks) => asks,
            Err(error) => return Begun::fail(error),
        };
        match Self::at_once(&asks) {
            Some(held) => {
                settles(x, asks, held);
                Begun::Done(Outcome::Next)
            }
            None => Begun::Waits(asks),
        }
    }

    async fn hold(asks: &[Ask]) -> Result<Vec<Held>, Error> {
        let mut held = Vec::with_capacity(asks.len());
        for ask in asks {
            match ask.purse.hold(&ask.draw).await {
                Ok(one) => held.push(one),
                Err(refusal) => {
                    held.into_iter().for_each(Held::release);
                    return Err(ask.limit.refuse(refusal));
                }
            }
        }
        Ok(held)
    }
}

/// How far a call has come.
pub(super) enum Begun {
    /// It is decided.
    Done(Outcome),
    /// What it is counted on has to be asked.
    Waits(Vec<Ask>),
}

impl Begun {
    fn fail(error: Error) -> Self {
        Self::Done(Outcome::Fail(Box::new(error)))
    }
}

/// Holds what the call may cost, asking for what is missing in the purses.
pub(super) async fn wait(x: &mut Exchange, asks: Vec<Ask>) -> Outcome {
    match Money::hold(&asks).await {
        Ok(held) => {
            settles(x, asks, held);
            Outcome::Next
        }
        Err(error) => Outcome::Fail(Box::new(error)),
    }
}

/// Has what is held settled with what the call comes to.
fn settles(x: &mut Exchange, asks: Vec<Ask>, held: Vec<Held>) {
    // Without a call, what is held would be spent here.
    let Some(call) = AiCall::of(x) else { return held.into_iter().for_each(Held::release) };
    call.meter.settle(Box::new(move |bill| {
        let cost = bill.cost.map_or(0, |cost| i64::try_from(cost).unwrap_or(i64::MAX));
        for (ask, held) in asks.iter().zip(held) {
            held.settle(cost);
            ask.limit.warn(&ask.key, &ask.purse);
        }
    }));
}

impl Limit {
    fn refuse(&self, refusal: Refusal) -> Error {
        self.refused.fetch_add(1, Relaxed);
        let (limit, word) = (self.spending, self.word);
        match refusal {
            Refusal::Spent => {
                let detail = format!("What is left of the budget of {limit} by {word} does not pay for this call.");
                Error::new(&EXCEEDED, detail)
            }
            Refusal::Held => {
                let detail =
                    format!("Open calls hold what is left of the budget of {limit} by {word}; try again in 1 s.");
                Error::new(&HELD, detail).header(RETRY_AFTER, HeaderValue::from(1_u64))
            }
            Refusal::Unavailable => unavailable(),
        }
    }
}

fn unavailable() -> Error {
    let detail = "What this is counted on does not answer, or is full.";
    Error::new(&UNAVAILABLE, detail).header(RETRY_AFTER, HeaderValue::from(1_u64))
}

impl Step for Money {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        match self.begin(x) {
            Begun::Done(outcome) => Verdict::Done(outcome),
            Begun::Waits(asks) => Verdict::Await(Box::pin(wait(x, asks))),
        }
    }
}
