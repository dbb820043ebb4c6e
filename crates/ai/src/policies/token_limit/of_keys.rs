//! Token limits of keys that callers were given while the gateway runs.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use model::resource::{KeyTokens, TokenCount};
use proxy::caller_keys::CallerKey;
use proxy::exchange::Exchange;
use proxy::limit::Mode;
use proxy::policies::{Outcome, Policy as _};
use proxy::program::Compile;

use super::bucket::{Buckets, Rule};
use super::spec::Count;
use super::{Books, Limit, TokenLimit, Tokens};
use crate::call::AiCall;
use crate::meter::Estimate;
use crate::policies::whose::By;

/// Tokens of output that are taken for a call whose request sets no bound.
const EXPECTED: u64 = 1024;

/// What token limits of keys have in common.
pub(in crate::policies) struct OfKeys {
    buckets: Arc<Buckets>,
    refused: Arc<AtomicU64>,
}

impl OfKeys {
    pub(in crate::policies) fn compile(cx: &Compile<'_>) -> Self {
        let buckets = cx.keep_for_all("tokens of keys", Buckets::default);
        Self { buckets, refused: cx.env.telemetry.limit(TokenLimit::KIND, "key", Mode::Enforce.word()) }
    }

    /// The limits of a key; none where it has none.
    pub(in crate::policies) fn tokens(&self, key: &CallerKey) -> Option<Tokens> {
        let written = &key.terms.tokens;
        let limits = written.iter().map(|tokens| Arc::new(self.limit(&key.id, tokens)));
        (!written.is_empty()).then(|| Tokens {
            limits: limits.collect(),
            books: Books::Memory,
            mode: Mode::Enforce,
            tells: true,
            expected: EXPECTED,
        })
    }

    fn limit(&self, id: &str, written: &KeyTokens) -> Limit {
        let (count, word) = match written.count {
            TokenCount::Total => (Count::Total, "total"),
            TokenCount::Input => (Count::Input, "input"),
            TokenCount::Output => (Count::Output, "output"),
        };
        let rate = written.limit;
        Limit {
            rule: Rule { limit: rate.count(), period: rate.period().get() },
            shown: rate.to_string(),
            word: "key",
            by: By::Single(format!("{id}:{word}:{}", rate.period())),
            count,
            buckets: self.buckets.clone(),
            prefix: String::new(),
            refused: self.refused.clone(),
        }
    }
}

impl Tokens {
    /// Takes what a call by a key may come to.
    pub(in crate::policies) fn of_key(&self, x: &mut Exchange) -> Outcome {
        let Some(call) = AiCall::past(x) else { return Outcome::Next };
        let asks = self.asks(x, &Estimate::of(call, Some(self.expected)));
        self.at_once(x, asks)
    }
}
