//! What a user writes.

use model::load::Spanned;
use model::problem::did_you_mean;
use model::resource::Pairs;
use regex::{RegexSet, RegexSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::crawlers::Crawlers;
use crate::policies::denial::{Mode, Tell};
use crate::program::Compile;

/// Tells bots by their `User-Agent`. What it tells is `client.bot` in expressions and `bot` in the access log, so that limits
/// may be narrower for them. Who lies is not told: that takes limits, keys or addresses.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Bot")]
pub(crate) struct Spec {
    /// Regular expressions; whose `User-Agent` one matches is no bot, whatever else is said. Case does not matter. At most
    /// 1000.
    pub(super) allow: Vec<Spanned<String>>,
    /// Regular expressions; whose `User-Agent` one matches is denied. Case does not matter. At most 1000.
    pub(super) deny: Vec<Spanned<String>>,
    /// What becomes of a request without a `User-Agent`, or with an empty one.
    pub(super) empty: Action,
    /// What becomes of a crawler that is known (a table of 1500 that comes with the gateway).
    pub(super) known: Action,
    /// The same by category: `academic`, `advertising`, `ai-crawler`, `archiver`, `browser-automation`, `feed-reader`,
    /// `http-library`, `monitoring`, `scanner`, `search-engine`, `seo`, `social-preview`. Of a crawler of several the one that
    /// denies counts, then the one that lets pass.
    pub(super) categories: Pairs<Action>,
    /// Whether it denies.
    pub(super) mode: Mode,
    /// Who is told why a request is denied.
    pub(super) tell: Tell,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            empty: Action::Deny,
            known: Action::Tag,
            categories: Pairs::default(),
            mode: Mode::default(),
            tell: Tell::default(),
        }
    }
}

/// What becomes of a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BotAction")]
pub(super) enum Action {
    /// It is denied: 403.
    Deny,
    /// It passes, and expressions and the log know what it is.
    Tag,
    /// It passes as if it were none.
    Pass,
}

const MOST_PATTERNS: usize = 1000;
/// Bytes that a set of patterns is compiled to.
const MOST_SIZE: usize = 8 << 20;

/// The set of these patterns.
pub(super) fn patterns(written: &[Spanned<String>], cx: &mut Compile<'_>) -> Option<RegexSet> {
    if let Some(over) = written.get(MOST_PATTERNS) {
        cx.problem(over.span, format!("more than {MOST_PATTERNS} patterns"), "join some of them with `|`");
        return None;
    }
    let mut good = true;
    for pattern in written {
        let wrong = match regex_syntax::parse(pattern) {
            Ok(parsed) if parsed.properties().minimum_len() == Some(0) && parsed.properties().look_set().is_empty() => {
                Some("it matches everything".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(error.to_string().lines().last().unwrap_or_default().trim().to_owned()),
        };
        if let Some(wrong) = wrong {
            let message = format!("`{}` is no good pattern: {wrong}", **pattern);
            cx.problem(pattern.span, message, "write a regular expression such as `^acme-probe/`");
            good = false;
        }
    }
    let texts = written.iter().map(|pattern| pattern.as_str());
    let set = RegexSetBuilder::new(texts).case_insensitive(true).size_limit(MOST_SIZE).build();
    match set {
        Ok(set) => good.then_some(set),
        Err(_) if !good => None,
        Err(_) => {
            cx.problem(cx.span, "the patterns are too large together", "make them simpler, or have fewer");
            None
        }
    }
}

impl Spec {
    /// What becomes of each known crawler; nothing where all pass.
    pub(super) fn actions(&self, crawlers: &Crawlers, cx: &mut Compile<'_>) -> Option<Box<[Action]>> {
        let mut good = true;
        for (category, _) in self.categories.iter() {
            let known = || crawlers.categories();
            if !known().any(|known| known == category.as_str()) {
                let mut message = format!("unknown category `{}`", **category);
                if let Some(near) = did_you_mean(category, known()) {
                    message = format!("{message}; did you mean `{near}`?");
                }
                let known: Vec<_> = known().collect();
                cx.problem(category.span, message, format!("known are {}", known.join(", ")));
                good = false;
            }
        }
        if self.known == Action::Pass && self.categories.iter().all(|(_, action)| *action == Action::Pass) {
            return good.then(Box::default);
        }
        let of = |categories: &[&str]| {
            let said = |wanted| {
                let of = |(name, action): &(Spanned<String>, Action)| {
                    *action == wanted && categories.contains(&name.as_str())
                };
                self.categories.iter().any(of).then_some(wanted)
            };
            said(Action::Deny).or_else(|| said(Action::Pass)).or_else(|| said(Action::Tag)).unwrap_or(self.known)
        };
        good.then(|| crawlers.each_categories().map(of).collect())
    }
}
