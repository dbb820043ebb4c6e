//! Limits how many tokens calls of models take. Before a call as many are taken as it may come to, after it what it did not
//! take is given back.

mod bucket;
mod fields;
mod of_keys;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use proxy::clock::Clock;
use proxy::exchange::{Blame, Code, Error, Exchange};
use proxy::limit::Mode;
use proxy::policies::{Merge, Needs, Outcome, Policy, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use store::shared::{self, Algorithm, By as Decided, Shared, Take, WhenGone};

use self::bucket::{Buckets, Reading, Refusal, Rule};
pub(super) use self::of_keys::OfKeys;
use self::spec::{Count, Headers, LimitSpec, Spec, StoreWord};
use super::whose::By;
use crate::call::AiCall;
use crate::meter::Estimate;
use crate::translate::Usage;

/// Limits how many tokens calls of models take.
pub(crate) struct TokenLimit;

static EXCEEDED: Code = Code {
    name: "token_limit.exceeded",
    status: 429,
    title: "Too many tokens",
    blame: Blame::Client,
    proxy_status: None,
};

static UNAVAILABLE: Code = Code {
    name: "token_limit.unavailable",
    status: 503,
    title: "Tokens cannot be counted",
    blame: Blame::Gateway,
    proxy_status: None,
};

const MOST_LIMITS: usize = 8;

impl Policy for TokenLimit {
    type Spec = Spec;
    const KIND: &'static str = "token_limit";
    const ORDER: (Stage, u8) = (Stage::Limit, 70);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&EXCEEDED, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.limits.is_empty() || spec.limits.len() > MOST_LIMITS {
            let message = format!("`limits` has {} limits, not from 1 to {MOST_LIMITS}", spec.limits.len());
            cx.problem(cx.span, message, "write a limit such as `{ limit: 200000/minute, by: consumer }`");
            return None;
        }
        for (at, written) in spec.limits.iter().enumerate() {
            if spec.limits.iter().take(at).any(|other| other.name() == written.name()) {
                let message = format!("two limits are named `{}`", written.name());
                cx.problem(written.span, message, "give one of them a `name:` of its own");
            }
        }
        let books = match spec.store.value {
            StoreWord::Memory => Books::Memory,
            StoreWord::Redis => Books::Shared(cx.shared(spec.store.span)?),
        };
        let limits: Vec<Limit> =
            spec.limits.iter().filter_map(|written| Limit::compile(written, spec.mode, cx)).collect();
        (limits.len() == spec.limits.len()).then(|| {
            Arc::new(Tokens {
                limits: limits.into_iter().map(Arc::new).collect(),
                books,
                mode: spec.mode,
                tells: spec.headers == Headers::Sdk && spec.mode == Mode::Enforce,
                expected: *spec.expected_output,
            }) as Arc<dyn Step>
        })
    }
}

/// Where tokens are counted.
#[derive(Clone)]
enum Books {
    Memory,
    Shared(Arc<Shared>),
}

/// One limit.
struct Limit {
    rule: Rule,
    shown: String,
    word: &'static str,
    by: By,
    count: Count,
    buckets: Arc<Buckets>,
    /// What its keys on Redis begin with.
    prefix: String,
    refused: Arc<AtomicU64>,
}

impl Limit {
    fn compile(written: &LimitSpec, mode: Mode, cx: &mut Compile<'_>) -> Option<Self> {
        let rate = *written.limit;
        let name = written.name();
        let identity = format!("{}|{}|{:?}", written.by.identity(), rate.period(), written.count);
        Some(Self {
            rule: Rule { limit: rate.count(), period: rate.period().get() },
            shown: rate.to_string(),
            word: written.by.word(),
            by: By::compile(&written.by, cx)?,
            count: written.count,
            buckets: cx.keep(&identity, Buckets::default),
            prefix: format!("{{{}/{}}}:tokens:{identity}:", cx.owner.path(), cx.instance),
            refused: cx.env.telemetry.limit(TokenLimit::KIND, &name, mode.word()),
        })
    }

    fn of(&self, input: u64, output: u64) -> u64 {
        match self.count {
            Count::Total => input.saturating_add(output),
            Count::Input => input,
            Count::Output => output,
        }
    }

    fn shared_rule(&self) -> shared::Rule {
        let Rule { limit, period } = self.rule;
        shared::Rule { algorithm: Algorithm::Gcra, limit, period, burst: limit }
    }
}

/// The limits of one policy, or of one key.
pub(super) struct Tokens {
    limits: Box<[Arc<Limit>]>,
    books: Books,
    mode: Mode,
    tells: bool,
    /// What is taken for the output of a call that sets no bound.
    expected: u64,
}

/// What a call takes of one limit.
struct Taken {
    limit: Arc<Limit>,
    key: String,
    tokens: u64,
}

/// Which limit refuses, for how long.
struct Refused {
    at: usize,
    why: Refusal,
}

impl Tokens {
    fn asks(&self, x: &Exchange, estimate: &Estimate) -> Vec<Taken> {
        let mut asks = Vec::with_capacity(self.limits.len());
        for limit in &self.limits {
            // What may come to more than all of it, needs all of it.
            let tokens = limit.of(estimate.input, estimate.output).min(limit.rule.limit);
            asks.extend(limit.by.keys(x).into_iter().map(|key| Taken { limit: limit.clone(), key, tokens }));
        }
        asks
    }

    /// Takes from every bucket, or from none.
    fn take(asks: &[Taken], now: u64) -> Result<Vec<Reading>, Refused> {
        let mut readings = Vec::with_capacity(asks.len());
        for (at, ask) in asks.iter().enumerate() {
            match ask.limit.buckets.take(&ask.key, ask.limit.rule, ask.tokens, now) {
                Ok(reading) => readings.push(reading),
                Err(why) => {
                    for taken in asks.iter().take(at) {
                        taken.limit.buckets.settle(&taken.key, taken.limit.rule, (taken.tokens, 0), now);
                    }
                    return Err(Refused { at, why });
                }
            }
        }
        Ok(readings)
    }

    /// Takes what is asked of this gateway's memory.
    fn at_once(&self, x: &mut Exchange, asks: Vec<Taken>) -> Outcome {
        let now = x.local.program.clock.now().0;
        match Self::take(&asks, now) {
            Ok(readings) => {
                self.taken(x, asks, &readings);
                Outcome::Next
            }
            Err(refused) => self.refuse(x, &asks, &refused),
        }
    }

    /// The same on Redis, in one round trip.
    async fn ask(shared: &Shared, asks: &[Taken]) -> Result<Vec<Reading>, Refused> {
        let keys: Vec<String> = asks.iter().map(|ask| format!("{}{}", ask.limit.prefix, ask.key)).collect();
        let takes: Vec<Take<'_>> =
            asks.iter().zip(&keys).map(|(ask, key)| take(&ask.limit, key, signed(ask.tokens))).collect();
        let decision = shared.take(&takes).await;
        if let Some(at) = decision.refused {
            let gone = decision.by == Decided::Gone(WhenGone::Refuse);
            let wait = decision.readings.iter().map(|reading| reading.wait).max().unwrap_or_default();
            return Err(Refused { at, why: if gone { Refusal::Full } else { Refusal::Wait(wait) } });
        }
        Ok(decision.readings.iter().map(|reading| Reading { left: reading.left, reset: reading.reset }).collect())
    }

    /// Has the call's tokens settled once they are known, and tells how the limits stand.
    fn taken(&self, x: &mut Exchange, asks: Vec<Taken>, readings: &[Reading]) {
        let clock = x.local.program.clock.clone();
        let books = self.books.clone();
        let Some(call) = AiCall::of(x) else { return };
        let format = call.turn.format;
        let tightest = asks.iter().zip(readings).min_by_key(|(_, reading)| reading.left);
        let told = tightest.map(|(ask, reading)| (ask.limit.rule.limit, *reading));
        call.meter.settle(Box::new(move |bill| settle(&books, &asks, &bill.usage, &clock)));
        if let (true, Some((limit, reading))) = (self.tells, told) {
            fields::put(x, format, limit, reading);
        }
    }

    fn refuse(&self, x: &mut Exchange, asks: &[Taken], refused: &Refused) -> Outcome {
        let Some(ask) = asks.get(refused.at) else { return Outcome::Next };
        let limit = &ask.limit;
        limit.refused.fetch_add(1, Relaxed);
        if self.mode == Mode::Shadow {
            return Outcome::Next;
        }
        let Refusal::Wait(wait) = refused.why else {
            let detail = "What tokens are counted on does not answer, or is full.";
            let error = Error::new(&UNAVAILABLE, detail).header(RETRY_AFTER, HeaderValue::from(1_u64));
            return Outcome::Fail(Box::new(error));
        };
        let format = AiCall::past(x).map(|call| call.turn.format);
        if let (true, Some(format)) = (self.tells, format) {
            let now = x.local.program.clock.now().0;
            let left = limit.rule.limit.saturating_sub(ask.tokens);
            let reading = match &self.books {
                Books::Memory => limit.buckets.reading(&ask.key, limit.rule, now),
                Books::Shared(_) => Reading { left: left.min(ask.tokens.saturating_sub(1)), reset: wait },
            };
            fields::put(x, format, limit.rule.limit, reading);
        }
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let (shown, word) = (&limit.shown, limit.word);
        let detail = format!("The limit of {shown} tokens by {word} is used up; try again in {seconds} s.");
        let error = Error::new(&EXCEEDED, detail).header(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        Outcome::Fail(Box::new(error))
    }
}

/// The call is over: what it took more or less is counted.
fn settle(books: &Books, asks: &[Taken], usage: &Usage, clock: &Clock) {
    for ask in asks {
        let used = ask.limit.of(usage.input, usage.output);
        match books {
            Books::Memory => {
                ask.limit.buckets.settle(&ask.key, ask.limit.rule, (ask.tokens, used), clock.now().0);
            }
            Books::Shared(shared) => {
                let more = signed(used).saturating_sub(signed(ask.tokens));
                if more != 0 {
                    shared.charge_soon(&take(&ask.limit, &format!("{}{}", ask.limit.prefix, ask.key), more));
                }
            }
        }
    }
}

fn take<'a>(limit: &Limit, key: &'a str, cost: i64) -> Take<'a> {
    Take { key, rule: limit.shared_rule(), cost }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Step for Tokens {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(call) = AiCall::past(x) else { return Verdict::NEXT };
        let asks = self.asks(x, &Estimate::of(call, Some(self.expected)));
        match &self.books {
            Books::Memory => Verdict::Done(self.at_once(x, asks)),
            Books::Shared(shared) => Verdict::Await(Box::pin(async move {
                match Self::ask(shared, &asks).await {
                    Ok(readings) => {
                        self.taken(x, asks, &readings);
                        Outcome::Next
                    }
                    Err(refused) => self.refuse(x, &asks, &refused),
                }
            })),
        }
    }
}
