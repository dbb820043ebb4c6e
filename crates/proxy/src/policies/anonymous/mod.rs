//! Gives who shows no credential a consumer.

use std::sync::Arc;

use model::load::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::{Code, Exchange, Finding};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, ConsumerSlot};

#[cfg(test)]
mod tests;

/// Gives who shows no credential a consumer.
pub(crate) struct Anonymous;

/// Makes a request in which no other policy found a credential one of this consumer, with its plan and limits. A wrong
/// credential is refused all the same.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The consumer's name.
    consumer: Spanned<String>,
}

impl Policy for Anonymous {
    type Spec = Spec;
    const KIND: &'static str = "anonymous";
    const ORDER: (Stage, u8) = (Stage::Identify, 250);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let consumer = cx.consumer(&spec.consumer)?;
        Some(Arc::new(Name { consumer }))
    }
}

struct Name {
    consumer: ConsumerSlot,
}

impl Step for Name {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if x.identified > 0 {
            return Verdict::NEXT;
        }
        // Whatever mode asks for, it is answered: nobody is missing any more.
        x.unidentified = 0;
        x.challenges.clear();
        let consumer = Some(self.consumer);
        match x.identify(Finding { method: Anonymous::KIND, consumer, credential: None, learnt: None }) {
            Ok(()) => Verdict::NEXT,
            Err(error) => Verdict::fail(error),
        }
    }
}
