//! Tells bots by their `User-Agent`: none at all, patterns of the user's own, and a table of known crawlers.
//!
//! A `User-Agent` is what a client says of itself, so this keeps out the honest and the careless; what is to hold against
//! others is limits, keys and addresses. Every pattern is matched in linear time, all of them in one pass.

mod crawlers;
mod spec;

use std::sync::Arc;

use http::header::{HeaderValue, USER_AGENT};

use self::crawlers::Crawlers;
use self::spec::{Action, Spec};
use crate::exchange::{Blame, Code, Exchange};
use crate::policies::denial::{Denial, Tally};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Tells bots by their `User-Agent`.
pub(crate) struct Bot;

static DENIED: Code =
    Code { name: "bot.denied", status: 403, title: "Bot denied", blame: Blame::Client, proxy_status: None };

impl Policy for Bot {
    type Spec = Spec;
    const KIND: &'static str = "bot";
    const ORDER: (Stage, u8) = (Stage::Protect, 5);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let allow = spec::patterns(&spec.allow, cx);
        let deny = spec::patterns(&spec.deny, cx);
        let crawlers = Crawlers::get();
        let actions = spec.actions(crawlers, cx);
        let denial = Denial::new(&DENIED, spec.tell, spec.mode, cx);
        let [tally_empty, tally_deny, tally_known] = ["empty", "deny", "known"].map(|signal| denial.tally(signal, cx));
        let labels = spec.deny.iter().map(|pattern| pattern.as_str().into()).collect();
        Some(Arc::new(Guard {
            allow: allow?,
            deny: deny?,
            labels,
            empty: spec.empty,
            none: "empty".into(),
            crawlers,
            actions: actions?,
            denial,
            tallies: Tallies { empty: tally_empty, deny: tally_deny, known: tally_known },
        }))
    }
}

struct Guard {
    allow: regex::RegexSet,
    deny: regex::RegexSet,
    /// What stands in the log for each of `deny`.
    labels: Box<[Arc<str>]>,
    empty: Action,
    none: Arc<str>,
    crawlers: &'static Crawlers,
    /// What becomes of each known crawler.
    actions: Box<[Action]>,
    denial: Denial,
    tallies: Tallies,
}

struct Tallies {
    empty: Tally,
    deny: Tally,
    known: Tally,
}

/// What a `User-Agent` tells.
struct Told<'a> {
    action: Action,
    label: Arc<str>,
    tally: &'a Tally,
}

impl Step for Guard {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(told) = self.tell(x) else { return Verdict::NEXT };
        x.record.bot = Some(told.label.clone());
        match told.action {
            Action::Pass | Action::Tag => Verdict::NEXT,
            Action::Deny => Verdict::Done(self.refuse(x, &told)),
        }
    }
}

impl Guard {
    /// What the request tells; nothing of who is no bot, or is let pass as if it were none.
    fn tell(&self, x: &Exchange) -> Option<Told<'_>> {
        let mut lines = x.request.headers.get_all(USER_AGENT).iter().map(HeaderValue::as_bytes);
        let first = lines.next().unwrap_or_default();
        if first.trim_ascii().is_empty() {
            let told = Told { action: self.empty, label: self.none.clone(), tally: &self.tallies.empty };
            return (self.empty != Action::Pass).then_some(told);
        }
        // No client sends several; what one hides behind another is seen.
        std::iter::once(first).chain(lines).find_map(|line| self.line(&String::from_utf8_lossy(line)))
    }

    fn line(&self, text: &str) -> Option<Told<'_>> {
        if !self.allow.is_empty() && self.allow.is_match(text) {
            return None;
        }
        if !self.deny.is_empty()
            && let Some(label) = self.deny.matches(text).iter().next().and_then(|at| self.labels.get(at))
        {
            return Some(Told { action: Action::Deny, label: label.clone(), tally: &self.tallies.deny });
        }
        if self.actions.is_empty() {
            return None;
        }
        let at = self.crawlers.find(text)?;
        let action = self.actions.get(at).copied().filter(|action| *action != Action::Pass)?;
        Some(Told { action, label: self.crawlers.name(at)?, tally: &self.tallies.known })
    }

    #[cold]
    fn refuse(&self, x: &mut Exchange, told: &Told<'_>) -> Outcome {
        let why = format!("the user agent tells the bot `{}`", told.label);
        self.denial.deny(x, told.tally, why, Some("bots are not let in here"))
    }
}
