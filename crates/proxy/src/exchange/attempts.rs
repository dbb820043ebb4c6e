//! The attempts of a call of a model: who was asked, how it went, how long it took. They go on while the answer goes out,
//! which may be after the exchange has let go of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Duration;

use parking_lot::Mutex;

/// The most attempts that are remembered of one call.
const MOST: usize = 32;

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It answered.
    Ok,
    /// It went on with an answer that another began.
    Continued,
    /// It could not be reached.
    Connect,
    /// It took too long.
    Timeout,
    /// It said nothing in time.
    FirstToken,
    /// It had too many calls.
    RateLimit,
    /// It had too much to do.
    Overloaded,
    /// It failed.
    Server,
    /// It broke its answer off.
    Broken,
    /// It refused the gateway.
    Refused,
    /// It does not know the model.
    NotFound,
    /// It did not take the request.
    BadRequest,
    /// The prompt was too long.
    ContextWindow,
    /// It would not treat of this.
    ContentPolicy,
    /// Another was faster.
    Lost,
    /// The caller left.
    Cancelled,
}

impl AttemptOutcome {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Ok,
        Self::Continued,
        Self::Connect,
        Self::Timeout,
        Self::FirstToken,
        Self::RateLimit,
        Self::Overloaded,
        Self::Server,
        Self::Broken,
        Self::Refused,
        Self::NotFound,
        Self::BadRequest,
        Self::ContextWindow,
        Self::ContentPolicy,
        Self::Lost,
        Self::Cancelled,
    ];

    /// The word for it in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Continued => "continued",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::FirstToken => "first_token",
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::Server => "server",
            Self::Broken => "broken",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
            Self::BadRequest => "bad_request",
            Self::ContextWindow => "context_window",
            Self::ContentPolicy => "content_policy",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct ModelAttempt {
    /// Who was asked.
    pub provider: Arc<str>,
    /// For which of its models.
    pub model: Arc<str>,
    /// How it went.
    pub outcome: AttemptOutcome,
    /// How long it took, to the end of what it said.
    pub took: Duration,
}

/// The attempts of one call.
#[derive(Debug, Default)]
pub struct Attempts {
    done: Mutex<Vec<ModelAttempt>>,
    begun: AtomicU32,
    won: AtomicBool,
    /// Tokens that those read who lost, and what that cost in billionths of a US dollar.
    lost: [AtomicU64; 2],
    /// About how many tokens the request has.
    input: AtomicU64,
}

impl Attempts {
    /// One begins.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    /// How many were begun.
    pub fn begun(&self) -> u32 {
        self.begun.load(Relaxed)
    }

    /// Remembers about how many tokens the request has.
    pub fn has_input(&self, tokens: u64) {
        self.input.store(tokens, Relaxed);
    }

    /// About how many tokens the request has, where that is known.
    pub fn input(&self) -> u64 {
        self.input.load(Relaxed)
    }

    /// One that lost had read so many tokens by then, which cost so much.
    pub fn lose(&self, tokens: u64, cost: u64) {
        for (sum, more) in self.lost.iter().zip([tokens, cost]) {
            sum.fetch_add(more, Relaxed);
        }
    }

    /// Tokens that those read who lost, and what that cost in billionths of a US dollar.
    pub fn lost(&self) -> (u64, u64) {
        let [tokens, cost] = &self.lost;
        (tokens.load(Relaxed), cost.load(Relaxed))
    }

    /// One is over.
    pub fn add(&self, attempt: ModelAttempt) {
        let mut done = self.done.lock();
        if done.len() < MOST {
            done.push(attempt);
        }
    }

    /// Somebody answers: whoever is still being asked has lost.
    pub fn win(&self) {
        self.won.store(true, Relaxed);
    }

    /// Whether somebody answers.
    pub fn is_won(&self) -> bool {
        self.won.load(Relaxed)
    }

    /// Those that are over.
    pub fn done(&self) -> Vec<ModelAttempt> {
        self.done.lock().clone()
    }

    /// In words: `openai/gpt-5:rate_limit:12ms anthropic/claude-sonnet-4-5:ok:840ms`; none where none is over.
    pub fn told(&self) -> Option<String> {
        use std::fmt::Write as _;
        let done = self.done.lock();
        let mut told = String::new();
        for ModelAttempt { provider, model, outcome, took } in done.iter() {
            let gap = if told.is_empty() { "" } else { " " };
            let _ = write!(told, "{gap}{provider}/{model}:{}:{}ms", outcome.as_str(), took.as_millis());
        }
        Some(told).filter(|told| !told.is_empty())
    }
}
