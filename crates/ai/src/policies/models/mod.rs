//! Which models callers may use.

use std::sync::Arc;

use model::load::Spanned;
use proxy::exchange::{Blame, Code, Error, Exchange};
use proxy::policies::{Merge, Needs, Policy, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::call::{AiCall, Listing, Names};

#[cfg(test)]
mod tests;

/// Which models callers may use.
pub(crate) struct Models;

/// Which models callers may use, by name, where `*` at the end stands for whatever follows. Other models are refused with 403,
/// and are not in the list of models. Where several levels say it, each must let the model through: a plan or a consumer
/// can only narrow what its api grants.
///
/// A pattern with a provider before a slash (`openai/gpt-5`, `openai/*`) grants that provider's own names too, as
/// `provider/model`, which nobody may use otherwise.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ModelsPolicy")]
pub(crate) struct Spec {
    /// Those that may be used; none means all but those denied.
    allow: Vec<Spanned<String>>,
    /// Those that may not, even if allowed too.
    deny: Vec<Spanned<String>>,
}

pub(super) static NOT_GRANTED: Code = Code {
    name: "models.not_granted",
    status: 403,
    title: "Model not granted",
    blame: Blame::Client,
    proxy_status: None,
};

const MOST: usize = 10_000;

impl Policy for Models {
    type Spec = Spec;
    const KIND: &'static str = "models";
    const ORDER: (Stage, u8) = (Stage::Authorize, 90);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&NOT_GRANTED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let grants = Grants { allow: names(&spec.allow, cx)?, deny: names(&spec.deny, cx)? };
        if grants.allow.is_empty() && grants.deny.is_empty() {
            cx.problem(cx.span, "the policy grants every model", "write `allow: [a-model]`, or `deny`");
            return None;
        }
        Some(Arc::new(Gate { grants: Arc::new(grants) }))
    }
}

fn names(written: &[Spanned<String>], cx: &mut Compile<'_>) -> Option<Names> {
    let mut names = Names::default();
    if written.len() > MOST {
        cx.problem(cx.span, format!("more than {MOST} names"), "use patterns such as `gpt-*`");
        return None;
    }
    let mut good = true;
    for pattern in written {
        if !names.add(pattern) {
            let message = format!("`{}` is not a model's name", **pattern);
            cx.problem(pattern.span, message, "write a name, or the beginning of one with `*` after it");
            good = false;
        }
    }
    good.then_some(names)
}

struct Grants {
    allow: Names,
    deny: Names,
}

impl Grants {
    fn has(&self, name: &str) -> bool {
        (self.allow.is_empty() || self.allow.has(name)) && !self.deny.has(name)
    }
}

struct Gate {
    grants: Arc<Grants>,
}

impl Step for Gate {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if let Some(listing) = Listing::of(x) {
            let grants = self.grants.clone();
            listing.only(Arc::new(move |name| grants.has(name)));
            return Verdict::NEXT;
        }
        let Some(call) = AiCall::of(x) else { return Verdict::NEXT };
        // A model is denied by any of its names, and allowed by its own or the one that was used.
        let (own, used) = (&*call.model.name, call.named());
        let named = self.grants.allow.has(own) || self.grants.allow.has(used);
        if !named && !self.grants.allow.is_empty() || self.grants.deny.has(own) || self.grants.deny.has(used) {
            let named: String = used.chars().take(200).collect();
            return Verdict::fail(Error::new(&NOT_GRANTED, format!("The model `{named}` is not granted.")));
        }
        // A provider's own model needs somebody who says so.
        call.granted |= named;
        Verdict::NEXT
    }
}
