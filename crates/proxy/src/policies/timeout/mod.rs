//! Bounds how long an exchange may wait.

use std::sync::Arc;

use model::load::Spanned;
use model::value::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::Exchange;
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Bounds how long an exchange may wait.
pub(crate) struct Timeout;

/// Bounds how long an exchange may wait, in place of what its route and upstream say. A value is from `1ms` to `24h`; what
/// is not given stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// From the request's last byte to the head of the response.
    first_byte: Option<Spanned<Duration>>,
    /// The longest pause between two parts of a body.
    idle: Option<Spanned<Duration>>,
    /// The whole exchange.
    total: Option<Spanned<Duration>>,
}

const LONGEST: Duration = Duration::from_secs(86_400);

impl Policy for Timeout {
    type Spec = Spec;
    const KIND: &'static str = "timeout";
    const ORDER: (Stage, u8) = (Stage::Shape, 30);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let given: Vec<_> = [spec.first_byte, spec.idle, spec.total].into_iter().flatten().collect();
        if given.is_empty() {
            cx.problem(cx.span, "the policy bounds nothing", "give `first_byte`, `idle` or `total`");
            return None;
        }
        let mut wrong = false;
        for value in given.iter().filter(|value| value.is_zero() || ***value > LONGEST) {
            cx.problem(value.span, format!("`{}` is not from 1ms to 24h", **value), "mend the duration");
            wrong = true;
        }
        let value = |given: Option<Spanned<Duration>>| given.map(|given| given.value);
        let step = Patience { first_byte: value(spec.first_byte), idle: value(spec.idle), total: value(spec.total) };
        (!wrong).then(|| Arc::new(step) as Arc<dyn Step>)
    }
}

struct Patience {
    first_byte: Option<Duration>,
    idle: Option<Duration>,
    total: Option<Duration>,
}

impl Step for Patience {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        x.timeouts.first_byte = self.first_byte.or(x.timeouts.first_byte);
        x.timeouts.idle = self.idle.or(x.timeouts.idle);
        x.timeouts.total = self.total.or(x.timeouts.total);
        Verdict::NEXT
    }
}
