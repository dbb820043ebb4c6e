//! Decides by rules in CEL, in order: the first that applies says whether the request may pass.
//!
//! It fails closed: a rule that allows applies only where its condition holds; one that denies applies also where that
//! cannot be said ([`Expr::decide`]); where none applies, `default` stands.

use std::collections::HashSet;
use std::sync::Arc;

use model::load::Spanned;
use model::value::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::{Blame, Code, Exchange};
use crate::expr::{Expr, Scope};
use crate::policies::denial::{Denial, Mode, Tally, Tell};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Decides by rules in CEL.
pub(crate) struct Authz;

/// Decides by rules in CEL, in order: the first that applies says whether the request may pass. Where several levels have
/// such a policy, each must let the request pass. `tollgate authz test` tries rules on requests in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Authz")]
pub(crate) struct Spec {
    /// The rules, from 1 to 1000.
    #[schemars(length(min = 1, max = 1000))]
    rules: Vec<RuleSpec>,
    /// What becomes of a request that no rule applies to.
    #[serde(default)]
    default: Effect,
    /// Whether it denies.
    #[serde(default)]
    mode: Mode,
    /// Who is told the reason of the rule that denied.
    #[serde(default)]
    tell: Tell,
}

/// A rule.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuthzRule")]
struct RuleSpec {
    /// Its name in the access log (`rule`) and in metrics.
    name: Spanned<Name>,
    /// The condition (CEL) on which it applies. A rule that denies applies also where a comparison by size has nothing to
    /// compare, or a value is not of the type that it is asked as.
    when: Spanned<String>,
    /// Whether the request passes.
    effect: Effect,
    /// Why, for the access log (`error_cause`) and, by `tell: client`, for clients; at most 500 characters.
    reason: Option<Spanned<String>>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AuthzEffect")]
enum Effect {
    /// The request passes.
    Allow,
    /// It does not: 403, or 401 where rules ask who calls and nobody is known.
    #[default]
    Deny,
}

static DENIED: Code =
    Code { name: "authz.denied", status: 403, title: "Request denied", blame: Blame::Client, proxy_status: None };

const MOST_RULES: usize = 1000;
const MOST_REASON: usize = 500;

impl Policy for Authz {
    type Spec = Spec;
    const KIND: &'static str = "authz";
    const ORDER: (Stage, u8) = (Stage::Authorize, 50);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if !(1..=MOST_RULES).contains(&spec.rules.len()) {
            let help = "write `{ name: staff, when: '\"staff\" in auth.groups', effect: allow }`";
            cx.problem(cx.span, format!("`rules` has from 1 to {MOST_RULES} rules"), help);
            return None;
        }
        let mut names = HashSet::new();
        for rule in &spec.rules {
            if !names.insert(rule.name.as_str()) {
                let message = format!("two rules are named `{}`", *rule.name);
                cx.problem(rule.name.span, message, "give each a name of its own");
            }
        }
        let denial = Denial::new(&DENIED, spec.tell, spec.mode, cx);
        let rules: Vec<_> = spec.rules.iter().filter_map(|rule| rule.compile(&denial, cx)).collect();
        let tally = denial.tally("default", cx);
        let asks_who = rules.iter().any(|rule| rule.when.reads_identity());
        let complete = rules.len() == spec.rules.len();
        let judge = Judge { rules: rules.into(), default: spec.default, denial, tally, asks_who };
        complete.then(|| Arc::new(judge) as Arc<dyn Step>)
    }
}

impl RuleSpec {
    fn compile(&self, denial: &Denial, cx: &mut Compile<'_>) -> Option<Rule> {
        if let Some(reason) = &self.reason
            && (reason.len() > MOST_REASON || reason.chars().any(char::is_control))
        {
            let message = format!("a reason is one line of at most {MOST_REASON} characters");
            cx.problem(reason.span, message, "make it shorter");
        }
        let when = cx.condition(&self.when, Scope::Request)?;
        Some(Rule {
            name: self.name.as_str().into(),
            when,
            effect: self.effect,
            reason: self.reason.as_ref().map(|reason| reason.as_str().into()),
            tally: denial.tally(&self.name, cx),
        })
    }
}

struct Rule {
    name: Arc<str>,
    when: Expr,
    effect: Effect,
    reason: Option<Box<str>>,
    tally: Tally,
}

impl Rule {
    fn applies(&self, x: &Exchange) -> bool {
        match self.effect {
            Effect::Allow => self.when.test(x),
            Effect::Deny => self.when.decide(x) != Some(false),
        }
    }
}

struct Judge {
    rules: Box<[Rule]>,
    default: Effect,
    denial: Denial,
    tally: Tally,
    /// Whether a rule looks at who calls: then a caller that nobody knows is asked for a credential.
    asks_who: bool,
}

impl Step for Judge {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(rule) = self.rules.iter().find(|rule| rule.applies(x)) else {
            return match self.default {
                Effect::Allow => Verdict::NEXT,
                Effect::Deny => Verdict::Done(self.deny(x, &self.tally, "no rule allows it".to_owned(), None)),
            };
        };
        x.record.rule = Some(rule.name.clone());
        match rule.effect {
            Effect::Allow => Verdict::NEXT,
            Effect::Deny => Verdict::Done(self.deny(x, &rule.tally, rule.why(x), rule.reason.as_deref())),
        }
    }
}

impl Rule {
    #[cold]
    fn why(&self, x: &Exchange) -> String {
        let mut why = format!("rule `{}` denies it", self.name);
        if self.when.decide(x).is_none() {
            why.push_str(", as its condition has no outcome for this request");
        }
        if let Some(reason) = &self.reason {
            why.push_str(": ");
            why.push_str(reason);
        }
        why
    }
}

impl Judge {
    #[cold]
    fn deny(&self, x: &mut Exchange, tally: &Tally, why: String, told: Option<&str>) -> Outcome {
        if self.asks_who && x.identity.is_none() && !x.challenges.is_empty() {
            return self.denial.nobody(x, tally, &why);
        }
        self.denial.deny(x, tally, why, told)
    }
}
