//! What an expression gives.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A value, borrowed from the exchange or the expression where it can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// None: a missing key, a fact that this exchange lacks, a failed conversion, a division by zero.
    Absent,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// Text borrowed from somewhere, or absent.
    pub(super) fn of(text: Option<&'a str>) -> Self {
        text.map_or(Value::Absent, |text| Value::Text(Cow::Borrowed(text)))
    }

    /// Whether there is none.
    pub fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }

    /// The text, when it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As text: numbers in decimal, booleans by name; `None` for a list and for none.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Text(text) => Some(text),
            Value::Bool(true) => Some(Cow::Borrowed("true")),
            Value::Bool(false) => Some(Cow::Borrowed("false")),
            Value::Int(number) => Some(Cow::Owned(itoa::Buffer::new().format(number).to_owned())),
            Value::Double(number) => Some(Cow::Owned(number.to_string())),
            Value::Absent | Value::List(_) => None,
        }
    }

    /// The same without borrows.
    pub(super) fn into_owned<'b>(self) -> Value<'b> {
        match self {
            Value::Absent => Value::Absent,
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Double(value) => Value::Double(value),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
        }
    }

    /// Whether both are there and the same; a whole number equals the same number with a fraction.
    pub(super) fn same(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// How two numbers or two texts stand to each other; `None` where they have no order.
    pub(super) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
            (Value::Int(a), Value::Double(b)) => mixed(*a, *b),
            (Value::Double(a), Value::Int(b)) => mixed(*b, *a).map(Ordering::reverse),
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// As CEL has it: the whole number becomes a double, which from 2^53 on may be its neighbour.
fn mixed(whole: i64, double: f64) -> Option<Ordering> {
    (whole as f64).partial_cmp(&double)
}
