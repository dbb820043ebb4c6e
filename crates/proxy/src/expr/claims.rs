//! Claims: what a credential says of the caller, as JSON of any shape.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::Value;
use crate::exchange::{Exchange, Learnt};

/// All claims of the caller.
pub(super) fn all(x: &Exchange) -> Option<&serde_json::Map<String, Json>> {
    learnt(x).map(|learnt| &learnt.claims)
}

/// What the identifying steps learnt of the caller.
pub(super) fn learnt(x: &Exchange) -> Option<&Learnt> {
    x.identity.as_ref()?.learnt.as_deref()
}

/// The claim under these names, one inside of the other.
pub(super) fn find<'x>(x: &'x Exchange, path: &[Box<str>]) -> Option<&'x Json> {
    let (first, rest) = path.split_first()?;
    let claim = all(x)?.get(&**first)?;
    let found = rest.iter().try_fold(claim, |claim, name| claim.as_object()?.get(&**name))?;
    (!found.is_null()).then_some(found)
}

/// A claim as a value. An object has none of its own: its entries do. A whole number that does not fit is a number.
pub(super) fn value(json: &Json) -> Value<'_> {
    match json {
        Json::Null | Json::Object(_) => Value::Absent,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(double)) => Value::Double(double),
            (None, None) => Value::Absent,
        },
        Json::String(text) => Value::Text(Cow::Borrowed(text)),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
    }
}
