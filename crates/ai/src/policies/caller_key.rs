//! What a key of a caller is good for, where it was given while the gateway runs: models, budgets and tokens of its own. It
//! is no policy that could be left out, but a step of every route that calls models: such a key never does more than it may.

use std::sync::Arc;

use proxy::caller_keys::CallerKey;
use proxy::exchange::{Error, Exchange};
use proxy::policies::{Needs, Outcome, Stage, Step, Verdict};
use proxy::program::Compile;
use proxy::terminals::OwnStep;

use super::budget::{self, Begun, Money};
use super::models::NOT_GRANTED;
use super::token_limit::{self, Tokens};
use crate::call::{AiCall, Listing, Names};

/// The step.
pub(crate) struct CallerKeys {
    money: budget::OfKeys,
    tokens: token_limit::OfKeys,
}

/// What was made of a key.
struct Terms {
    models: Arc<Models>,
    money: Option<Money>,
    tokens: Option<Tokens>,
}

struct Models {
    allow: Names,
    deny: Names,
}

impl Models {
    /// By its own name, or the one that was used.
    fn grants(&self, own: &str, used: &str) -> bool {
        let allowed = self.allow.is_empty() || self.allow.has(own) || self.allow.has(used);
        allowed && !self.deny.has(own) && !self.deny.has(used)
    }
}

impl CallerKeys {
    /// As routes list it.
    pub(crate) const KIND: &'static str = "caller_key";

    /// The step of all routes of a program.
    pub(crate) fn of(cx: &mut Compile<'_>) -> Arc<Self> {
        cx.once(|cx| Self { money: budget::OfKeys::compile(cx), tokens: token_limit::OfKeys::compile(cx) })
    }

    /// Its place among the steps of a route.
    pub(crate) fn own_step(self: &Arc<Self>) -> OwnStep {
        OwnStep { kind: Self::KIND, order: (Stage::Limit, 65), step: self.clone() }
    }

    fn terms(&self, key: &CallerKey) -> Terms {
        let names = |patterns: &[String]| {
            let mut names = Names::default();
            patterns.iter().for_each(|pattern| {
                names.add(pattern);
            });
            names
        };
        let written = &key.terms.models;
        let models = Models { allow: names(&written.allow), deny: names(&written.deny) };
        Terms { models: Arc::new(models), money: self.money.money(key), tokens: self.tokens.tokens(key) }
    }
}

impl Step for CallerKeys {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(key) = x.identity.as_ref().and_then(|known| known.key.as_ref()) else { return Verdict::NEXT };
        let Some(terms) = key.made(|| self.terms(key)) else { return Verdict::NEXT };
        if let Some(listing) = Listing::of(x) {
            let models = terms.models.clone();
            listing.only(Arc::new(move |name| models.grants(name, name)));
            return Verdict::NEXT;
        }
        let Some(call) = AiCall::past(x) else { return Verdict::NEXT };
        let used = call.named();
        if !terms.models.grants(&call.model.name, used) {
            let named: String = used.chars().take(200).collect();
            return Verdict::fail(Error::new(&NOT_GRANTED, format!("The model `{named}` is not granted to this key.")));
        }
        match terms.tokens.as_ref().map(|tokens| tokens.of_key(x)) {
            None | Some(Outcome::Next) => {}
            Some(refused) => return Verdict::Done(refused),
        }
        match terms.money.as_ref().map(|money| money.begin(x)) {
            None => Verdict::NEXT,
            Some(Begun::Done(outcome)) => Verdict::Done(outcome),
            Some(Begun::Waits(asks)) => Verdict::Await(Box::pin(budget::wait(x, asks))),
        }
    }
}
