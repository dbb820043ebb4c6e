//! What a request counts.

use model::load::Spanned;

use crate::exchange::Exchange;
use crate::expr::{Expr, Scope, Value};
use crate::program::Compile;

/// The most that one request counts.
pub(crate) const MOST: u64 = 1_000_000_000;

/// What a request counts, from itself at first and from its answer at last.
pub(crate) struct Cost {
    first: Option<Expr>,
    last: Option<Expr>,
}

impl Cost {
    pub(crate) fn compile(
        first: Option<&Spanned<String>>,
        last: Option<&Spanned<String>>,
        cx: &mut Compile<'_>,
    ) -> Self {
        let first = first.and_then(|text| cx.expr(text, Scope::Request));
        let last = last.and_then(|text| cx.expr(text, Scope::Response));
        Self { first, last }
    }

    /// What it counts before it is answered: 1 where nothing is said, or what is said has no value.
    pub(crate) fn of_request(&self, x: &Exchange) -> u64 {
        self.first.as_ref().map_or(1, |expr| number(&expr.value(x)).unwrap_or(1))
    }

    /// Whether the answer says something else.
    pub(crate) fn is_settled(&self) -> bool {
        self.last.is_some()
    }

    /// What it came to; none where the answer does not say.
    pub(crate) fn of_answer(&self, x: &Exchange) -> Option<u64> {
        self.last.as_ref().and_then(|expr| number(&expr.value(x)))
    }
}

/// A value as a count: whole, rounded up, from 0 to [`MOST`].
fn number(value: &Value<'_>) -> Option<u64> {
    let number = match value {
        Value::Int(number) => return Some(u64::try_from(*number).unwrap_or(0).min(MOST)),
        Value::Double(number) => *number,
        Value::Bool(holds) => return Some(u64::from(*holds)),
        Value::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let whole = number.ceil() as u64;
    (!number.is_nan()).then_some(whole.min(MOST))
}
