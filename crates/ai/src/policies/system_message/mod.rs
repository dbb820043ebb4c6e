//! Instructions that go with every call of a model.

use std::sync::Arc;

use model::load::Spanned;
use proxy::exchange::{Error, Exchange};
use proxy::expr::{Scope, Template};
use proxy::policies::{Merge, Needs, Policy, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::call::{AiCall, Place};
use crate::terminal::codes;

#[cfg(test)]
mod tests;

/// Instructions that go with every call of a model.
pub(crate) struct SystemMessage;

/// Puts instructions before those of the caller, or after them, in whichever format the caller speaks. Both are templates
/// over the variables of expressions. Where several levels have some, all are put in, the outer level's outermost.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Stands before what the caller says to the model.
    prepend: Option<Spanned<String>>,
    /// Stands after the caller's instructions; in OpenAI's Chat Completions after the whole conversation.
    append: Option<Spanned<String>>,
}

impl Policy for SystemMessage {
    type Spec = Spec;
    const KIND: &'static str = "system_message";
    const ORDER: (Stage, u8) = (Stage::Prepare, 20);
    const MERGE: Merge = Merge::Append;
    const SCOPES: Scopes = Scopes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.prepend.is_none() && spec.append.is_none() {
            cx.problem(cx.span, "there is nothing to say", "write `prepend: \"…\"`, or `append`");
            return None;
        }
        let mut template = |written: Option<Spanned<String>>| match written {
            None => Some(None),
            Some(written) => cx.template(&written, "text/plain", Scope::Request).map(Some),
        };
        let (prepend, append) = (template(spec.prepend), template(spec.append));
        Some(Arc::new(Instructs { prepend: prepend?, append: append? }))
    }
}

struct Instructs {
    prepend: Option<Template>,
    append: Option<Template>,
}

impl Step for Instructs {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if AiCall::of(x).is_none() {
            return Verdict::NEXT;
        }
        for (template, place) in [(&self.prepend, Place::First), (&self.append, Place::Last)] {
            let Some(template) = template else { continue };
            let text = match template.render(x) {
                Ok(text) => text,
                Err(error) => return Verdict::fail(error),
            };
            if let Some(Err(refused)) = AiCall::of(x).map(|call| call.instruct(&text, place)) {
                return Verdict::fail(Error::new(&codes::BAD_REQUEST, refused.to_string()));
            }
        }
        Verdict::NEXT
    }
}
