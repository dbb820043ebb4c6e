//! Guards the words of calls of models, before the call, after it and on the stream.
//!
//! On the way in every text of the request is seen once, and each check acts on what the one before it left. On the way back
//! a [`answer::Guard`] stands between provider and caller and sees events as they come; nearer to the caller a
//! [`restore::Restore`] puts back what was masked. Neither turns streaming off: only what might still become a finding waits.

mod answer;
mod asking;
mod check;
mod outside;
mod restore;
mod spec;

use std::sync::Arc;

use proxy::exchange::{Blame, Code, Exchange, Guarded};
use proxy::policies::{Merge, Needs, Outcome, Policy, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;

use self::answer::Guard;
use self::asking::Asked;
use self::check::Checked;
use self::restore::Restore;
pub(super) use self::spec::Personal;
use self::spec::{Restoring, Spec};
use crate::call::AiCall;

#[cfg(test)]
mod tests;

/// Guards the words of calls of models.
pub(crate) struct Guardrail;

const fn code(name: &'static str, status: u16, title: &'static str, blame: Blame) -> Code {
    Code { name, status, title, blame, proxy_status: None }
}

static BLOCKED: Code = code("guardrail.blocked", 400, "Blocked by a guardrail", Blame::Client);
static WITHHELD: Code = code("guardrail.withheld", 400, "The answer was withheld by a guardrail", Blame::Upstream);
static TOO_LARGE: Code = code("guardrail.too_large", 413, "More text than a guardrail allows", Blame::Client);
static UNREADABLE: Code = code("guardrail.unreadable", 400, "Not a request that can be guarded", Blame::Client);
static UNAVAILABLE: Code = code("guardrail.unavailable", 503, "A guardrail cannot be asked", Blame::Gateway);

impl Policy for Guardrail {
    type Spec = Spec;
    const KIND: &'static str = "guardrail";
    const ORDER: (Stage, u8) = (Stage::Prepare, 80);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&BLOCKED, &WITHHELD, &TOO_LARGE, &UNREADABLE, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        spec.compile(cx).map(|step| Arc::new(step) as Arc<dyn Step>)
    }
}

/// The step.
struct Guarding {
    request: Checked,
    response: Arc<Checked>,
    restoring: Restoring,
}

impl Step for Guarding {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let worker = x.local.worker;
        let Some(call) = AiCall::of(x) else { return Verdict::NEXT };
        let guarded = Arc::new(Guarded::new(self.request.names.clone()));
        let asked = Asked::see(&self.request, call, &guarded);
        if !self.request.is_empty() {
            x.record.guarded.push(guarded.clone());
        }
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => return Verdict::fail(*error),
        };
        if !self.request.asks_outside() {
            self.watch(x, asked);
            return Verdict::NEXT;
        }
        Verdict::Await(Box::pin(async move {
            let Some(call) = AiCall::of(x) else { return Outcome::Next };
            match asked.outside(&self.request, call, worker, &guarded).await {
                Ok(()) => {
                    self.watch(x, asked);
                    Outcome::Next
                }
                Err(error) => Outcome::Fail(error),
            }
        }))
    }
}

impl Guarding {
    /// Lets those stand on the way back who are needed there.
    fn watch(&self, x: &mut Exchange, asked: Asked) {
        let guarded = (!self.response.is_empty()).then(|| Arc::new(Guarded::new(self.response.names.clone())));
        x.record.guarded.extend(guarded.clone());
        let Some(call) = AiCall::of(x) else { return };
        if let Some(guarded) = guarded {
            let wanted = call.again.clone();
            call.watch(Box::new(Guard::new(self.response.clone(), guarded, wanted)));
        }
        if !asked.masks.is_empty() {
            // What is put back is this caller's alone.
            call.personal = true;
            if self.restoring == Restoring::Answer {
                call.watch(Box::new(Restore::new(asked.masks)));
            }
        }
    }
}
