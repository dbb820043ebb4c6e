//! Evaluation. Nothing fails: what has no value is absent, a comparison with it does not hold, a function of it is
//! absent. What is made here is bounded ([`MOST_TEXT`], [`MOST_ITEMS`]); what goes over the bound is absent too.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use super::fact::{field, local};
use super::node::{Address, Call, Head, Node, Order, Set, Sign, Test};
use super::{Value, claims};
use crate::exchange::Exchange;

/// The longest text that is made, in bytes.
pub(super) const MOST_TEXT: usize = 64 * 1024;
/// The most items of a list that is made or gone through.
pub(super) const MOST_ITEMS: usize = 1_000;

/// What an evaluation sees: the exchange, and inside a comprehension its item.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) x: &'a Exchange,
    pub(super) item: Option<&'a Value<'a>>,
}

impl<'a> From<&'a Exchange> for View<'a> {
    fn from(x: &'a Exchange) -> Self {
        Self { x, item: None }
    }
}

impl<'a> View<'a> {
    pub(super) fn with(self, item: &'a Value<'a>) -> Self {
        Self { item: Some(item), ..self }
    }
}

impl Test {
    /// Whether it holds.
    pub(super) fn holds(&self, view: View<'_>) -> bool {
        match self {
            Test::Known(known) => *known,
            Test::Is(node) => node.value(view) == Value::Bool(true),
            Test::Not(test) => !test.holds(view),
            Test::All(tests) => tests.iter().all(|test| test.holds(view)),
            Test::Any(tests) => tests.iter().any(|test| test.holds(view)),
            Test::If(parts) => {
                let (condition, yes, no) = &**parts;
                if condition.holds(view) { yes.holds(view) } else { no.holds(view) }
            }
            // An object has no value of its own, and is there.
            Test::Given(Node::Claim(path)) => claims::find(view.x, path).is_some(),
            Test::Given(node) => !node.value(view).is_absent(),
            Test::GroupGiven(group) => group.given(view.x),
            Test::TextIs(node, text) => node.value(view).as_text() == Some(text),
            Test::Same(a, b) => a.value(view).same(&b.value(view)),
            Test::Order(order, a, b) => {
                let found = a.value(view).order(&b.value(view));
                found.is_some_and(|found| match order {
                    Order::Less => found == Ordering::Less,
                    Order::LessOrEqual => found != Ordering::Greater,
                    Order::Greater => found == Ordering::Greater,
                    Order::GreaterOrEqual => found != Ordering::Less,
                })
            }
            Test::Begins(of, with) => both(of, with, view, |of, with| of.starts_with(with)),
            Test::Ends(of, with) => both(of, with, view, |of, with| of.ends_with(with)),
            Test::Holds(of, part) => both(of, part, view, |of, part| of.contains(part)),
            Test::Matches(of, regex) => of.value(view).as_text().is_some_and(|text| regex.is_match(text)),
            Test::Among(node, set) => match (node.value(view), set) {
                (Value::Text(text), Set::Texts(set)) => set.contains(&*text),
                (Value::Int(number), Set::Ints(set)) => set.contains(&number),
                _ => false,
            },
            Test::In(node, list) => {
                let wanted = node.value(view);
                items(list, view).is_some_and(|items| items.iter().any(|item| item.same(&wanted)))
            }
            Test::Listed(node, list) => {
                let wanted = node.value(view);
                let mut found = false;
                list.each(view.x, |item| found |= wanted.as_text() == Some(item));
                found
            }
            Test::Network(address, networks) => {
                let address = match address {
                    Address::Client => Some(view.x.client),
                    Address::Local => Some(local(view.x)),
                    Address::Text(node) => node.value(view).as_text().and_then(|text| text.parse().ok()),
                };
                let address = address.map(|address: IpAddr| address.to_canonical());
                address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
            }
            Test::Exists(list, test) => {
                items(list, view).is_some_and(|items| items.iter().any(|item| test.holds(view.with(item))))
            }
            Test::Every(list, test) => {
                items(list, view).is_some_and(|items| items.iter().all(|item| test.holds(view.with(item))))
            }
            Test::One(list, test) => items(list, view)
                .is_some_and(|items| items.iter().filter(|item| test.holds(view.with(item))).count() == 1),
        }
    }
}

/// Whether a test of two texts holds.
fn both(a: &Node, b: &Node, view: View<'_>, test: impl FnOnce(&str, &str) -> bool) -> bool {
    match (a.value(view).as_text(), b.value(view).as_text()) {
        (Some(a), Some(b)) => test(a, b),
        _ => false,
    }
}

/// The items of a list, unless there is none or it is too long.
pub(super) fn items<'a>(list: &'a Node, view: View<'a>) -> Option<Vec<Value<'a>>> {
    match list.value(view) {
        Value::List(items) if items.len() <= MOST_ITEMS => Some(items),
        _ => None,
    }
}

impl Node {
    /// The value.
    pub(super) fn value<'a>(&'a self, view: View<'a>) -> Value<'a> {
        match self {
            Node::Null => Value::Absent,
            Node::Int(number) => Value::Int(*number),
            Node::Double(number) => Value::Double(*number),
            Node::Text(text) => Value::Text(Cow::Borrowed(text)),
            Node::Fact(fact) => fact.get(view.x),
            Node::Field(Head::Request, name) => field(&view.x.request.headers, name),
            Node::Field(Head::Response, name) => {
                view.x.response.as_ref().map_or(Value::Absent, |head| field(&head.headers, name))
            }
            Node::Entry(map, key) => map.get(view.x, key),
            Node::EntryAt(map, key) => match key.value(view) {
                Value::Text(key) => map.get(view.x, &key),
                _ => Value::Absent,
            },
            Node::Claim(path) => claims::find(view.x, path).map_or(Value::Absent, claims::value),
            Node::Keys(map) => Value::List(map.keys(view.x).into_iter().map(Value::Text).collect()),
            Node::Item => view.item.cloned().unwrap_or(Value::Absent),
            Node::Test(test) => Value::Bool(test.holds(view)),
            Node::List(nodes) => Value::List(nodes.iter().map(|node| node.value(view)).collect()),
            Node::Pick(parts) => {
                let (entries, key) = &**parts;
                let found = key.value(view).as_text().and_then(|key| entries.get(key));
                found.map_or(Value::Absent, |node| node.value(view))
            }
            Node::If(parts) => {
                let (condition, yes, no) = &**parts;
                if condition.holds(view) { yes.value(view) } else { no.value(view) }
            }
            Node::Join(parts) => concat(parts, view),
            Node::Arithmetic(sign, parts) => arithmetic(*sign, &parts.0.value(view), &parts.1.value(view)),
            Node::Call(call, arguments) => invoke(*call, arguments, view),
            Node::Or(parts) => match parts.0.value(view) {
                Value::Absent => parts.1.value(view),
                value => value,
            },
            Node::At(parts) => match (parts.0.value(view), parts.1.value(view)) {
                (Value::List(items), Value::Int(at)) => {
                    usize::try_from(at).ok().and_then(|at| items.into_iter().nth(at)).unwrap_or(Value::Absent)
                }
                _ => Value::Absent,
            },
            Node::Filter(parts) => {
                let (list, test) = &**parts;
                let Some(items) = items(list, view) else { return Value::Absent };
                Value::List(items.into_iter().filter(|item| keeps(test, view.x, item)).collect())
            }
            Node::Each(parts) => {
                let (list, body) = &**parts;
                let Some(items) = items(list, view) else { return Value::Absent };
                Value::List(items.iter().map(|item| made(body, view.x, item)).collect())
            }
        }
    }
}

fn keeps(test: &Test, x: &Exchange, item: &Value<'_>) -> bool {
    test.holds(View { x, item: Some(item) })
}

fn made<'b>(body: &Node, x: &Exchange, item: &Value<'_>) -> Value<'b> {
    body.value(View { x, item: Some(item) }).into_owned()
}

fn concat<'a>(parts: &'a [Node], view: View<'a>) -> Value<'a> {
    let mut joined = String::new();
    for part in parts {
        match part.value(view) {
            Value::Text(text) if joined.len() + text.len() <= MOST_TEXT => joined.push_str(&text),
            _ => return Value::Absent,
        }
    }
    Value::Text(Cow::Owned(joined))
}

fn arithmetic<'a>(sign: Sign, a: &Value<'_>, b: &Value<'_>) -> Value<'a> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => {
            let result = match sign {
                Sign::Add => a.checked_add(*b),
                Sign::Subtract => a.checked_sub(*b),
                Sign::Multiply => a.checked_mul(*b),
                Sign::Divide => a.checked_div(*b),
                Sign::Remainder => a.checked_rem(*b),
            };
            result.map_or(Value::Absent, Value::Int)
        }
        (Value::Double(a), Value::Double(b)) => match sign {
            Sign::Add => Value::Double(a + b),
            Sign::Subtract => Value::Double(a - b),
            Sign::Multiply => Value::Double(a * b),
            Sign::Divide => Value::Double(a / b),
            Sign::Remainder => Value::Absent,
        },
        _ => Value::Absent,
    }
}

fn invoke<'a>(call: Call, arguments: &'a [Node], view: View<'a>) -> Value<'a> {
    let argument = |at: usize| arguments.get(at).map_or(Value::Absent, |node| node.value(view));
    match (call, argument(0)) {
        (Call::Lower, Value::Text(text)) => recased(text, |byte| byte.is_ascii_uppercase(), str::make_ascii_lowercase),
        (Call::Upper, Value::Text(text)) => recased(text, |byte| byte.is_ascii_lowercase(), str::make_ascii_uppercase),
        (Call::Trim, Value::Text(text)) => Value::Text(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        }),
        (Call::Replace, Value::Text(text)) => match (argument(1), argument(2)) {
            (Value::Text(old), Value::Text(new)) => replace(&text, &old, &new),
            _ => Value::Absent,
        },
        (Call::Split, Value::Text(text)) => match argument(1) {
            Value::Text(by) => split(text, &by),
            _ => Value::Absent,
        },
        (Call::Concat, Value::List(items)) => match argument(1) {
            Value::Text(by) => join(&items, &by),
            _ => Value::Absent,
        },
        (Call::Substring, Value::Text(text)) => {
            let end = if arguments.len() > 2 { argument(2) } else { Value::Int(i64::MAX) };
            match (argument(1), end) {
                (Value::Int(from), Value::Int(to)) => substring(text, from, to),
                _ => Value::Absent,
            }
        }
        (Call::Size, Value::Text(text)) => length(text.chars().count()),
        (Call::Size, Value::List(items)) => length(items.len()),
        (Call::Int, Value::Text(text)) => text.parse().map_or(Value::Absent, Value::Int),
        (Call::Int, Value::Double(number)) => truncated(number),
        (Call::Int, value @ Value::Int(_)) => value,
        (Call::Double, Value::Text(text)) => {
            text.trim().parse().ok().filter(|number: &f64| number.is_finite()).map_or(Value::Absent, Value::Double)
        }
        (Call::Double, Value::Int(number)) => Value::Double(number as f64),
        (Call::Double, value @ Value::Double(_)) => value,
        (Call::String, value) => value.into_text().map_or(Value::Absent, Value::Text),
        (Call::Negate, Value::Int(number)) => number.checked_neg().map_or(Value::Absent, Value::Int),
        (Call::Negate, Value::Double(number)) => Value::Double(-number),
        _ => Value::Absent,
    }
}

/// Changed only where there is something to change.
fn recased<'a>(text: Cow<'a, str>, other: impl Fn(&u8) -> bool, change: impl Fn(&mut str)) -> Value<'a> {
    if !text.as_bytes().iter().any(other) {
        return Value::Text(text);
    }
    let mut text = text.into_owned();
    change(&mut text);
    Value::Text(Cow::Owned(text))
}

fn replace<'a>(text: &str, old: &str, new: &str) -> Value<'a> {
    let found = text.matches(old).count();
    if text.len() + found * new.len() > MOST_TEXT {
        return Value::Absent;
    }
    Value::Text(Cow::Owned(text.replace(old, new)))
}

fn split<'a>(text: Cow<'a, str>, by: &str) -> Value<'a> {
    fn parts<'t>(text: &'t str, by: &str) -> Vec<&'t str> {
        // Between characters, where there is nothing to split by.
        let all = text.split(by).take(MOST_ITEMS + 3);
        if by.is_empty() { all.filter(|part| !part.is_empty()).collect() } else { all.collect() }
    }
    let items: Vec<Value<'a>> = match text {
        Cow::Borrowed(text) => parts(text, by).into_iter().map(|part| Value::Text(Cow::Borrowed(part))).collect(),
        Cow::Owned(text) => parts(&text, by).into_iter().map(|part| Value::Text(Cow::Owned(part.to_owned()))).collect(),
    };
    if items.len() > MOST_ITEMS { Value::Absent } else { Value::List(items) }
}

fn join<'a>(items: &[Value<'_>], by: &str) -> Value<'a> {
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        let Some(text) = item.as_text() else { return Value::Absent };
        if joined.len() + by.len() + text.len() > MOST_TEXT {
            return Value::Absent;
        }
        if at > 0 {
            joined.push_str(by);
        }
        joined.push_str(text);
    }
    Value::Text(Cow::Owned(joined))
}

/// Characters `from` up to but without `to`; absent where those are not in the text.
fn substring(text: Cow<'_, str>, from: i64, to: i64) -> Value<'_> {
    let place = |count: i64| {
        let count = usize::try_from(count).ok()?;
        text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(count)
    };
    let end = if to == i64::MAX { Some(text.len()) } else { place(to) };
    match (place(from), end) {
        (Some(start), Some(end)) if start <= end => Value::Text(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or_default().to_owned()),
        }),
        _ => Value::Absent,
    }
}

fn length<'a>(count: usize) -> Value<'a> {
    i64::try_from(count).map_or(Value::Absent, Value::Int)
}

/// The whole part, where 64 bits hold it.
fn truncated<'a>(number: f64) -> Value<'a> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if number > -END && number < END { Value::Int(number as i64) } else { Value::Absent }
}
