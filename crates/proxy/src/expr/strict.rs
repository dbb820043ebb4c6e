//! Whether a condition holds, where that can be said. What forbids something has to know: where a comparison by size has
//! nothing to compare, or something is not of the type that it is asked as, a rule that denies is to deny.
//!
//! What is absent equals nothing, is in no list and begins with no text: that is an answer. It is neither smaller nor
//! larger than anything: that is none. `&&` and `||` go by what can be said (Kleene's logic, as CEL's own for errors).

use super::Value;
use super::eval::{View, items};
use super::node::{Address, Node, Test};

impl Test {
    /// Whether it holds; `None` where that cannot be said.
    pub(super) fn decide(&self, view: View<'_>) -> Option<bool> {
        match self {
            Test::Is(node) => truth(&node.value(view)),
            Test::Not(test) => test.decide(view).map(|holds| !holds),
            Test::All(tests) => any(tests.iter().map(|test| test.decide(view).map(|holds| !holds))).map(|any| !any),
            Test::Any(tests) => any(tests.iter().map(|test| test.decide(view))),
            Test::If(parts) => {
                let (condition, yes, no) = &**parts;
                if condition.decide(view)? { yes.decide(view) } else { no.decide(view) }
            }
            Test::Order(_, a, b) => a.value(view).order(&b.value(view)).map(|_| self.holds(view)),
            Test::Begins(a, b) | Test::Ends(a, b) | Test::Holds(a, b) => {
                (is_text(a, view) && is_text(b, view)).then(|| self.holds(view))
            }
            Test::Matches(text, _) => is_text(text, view).then(|| self.holds(view)),
            Test::Network(Address::Text(text), _) => match text.value(view) {
                Value::Text(text) if text.parse::<std::net::IpAddr>().is_err() => None,
                Value::Text(_) | Value::Absent => Some(self.holds(view)),
                _ => None,
            },
            Test::In(_, list) => is_list(list, view).then(|| self.holds(view)),
            Test::Exists(list, test) => each(list, view, |items| any(items.map(|item| test.decide(view.with(item))))),
            Test::Every(list, test) => each(list, view, |items| {
                any(items.map(|item| test.decide(view.with(item)).map(|holds| !holds))).map(|any| !any)
            }),
            Test::One(list, test) => each(list, view, |mut items| {
                items.try_fold(0, |count, item| Some(count + u32::from(test.decide(view.with(item))?))).map(|n| n == 1)
            }),
            Test::Known(_)
            | Test::Given(_)
            | Test::GroupGiven(_)
            | Test::TextIs(..)
            | Test::Same(..)
            | Test::Among(..)
            | Test::Listed(..)
            | Test::Network(Address::Client | Address::Local, _) => Some(self.holds(view)),
        }
    }
}

/// A value as a condition.
pub(super) fn truth(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(holds) => Some(*holds),
        Value::Absent => Some(false),
        _ => None,
    }
}

/// Whether one of them holds: one is enough, and else all have to be known.
fn any(tests: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(false);
    for holds in tests {
        match holds {
            Some(true) => return Some(true),
            Some(false) => {}
            None => known = None,
        }
    }
    known
}

fn is_text(node: &Node, view: View<'_>) -> bool {
    matches!(node.value(view), Value::Text(_) | Value::Absent)
}

fn is_list(node: &Node, view: View<'_>) -> bool {
    node.value(view).is_absent() || items(node, view).is_some()
}

/// What is said of the items of a list; none of them where it is absent, nothing where it is no list, or too long.
fn each<'a>(
    list: &'a Node,
    view: View<'a>,
    ask: impl FnOnce(std::slice::Iter<'_, Value<'a>>) -> Option<bool>,
) -> Option<bool> {
    if list.value(view).is_absent() {
        return Some(false);
    }
    ask(items(list, view)?.iter())
}
