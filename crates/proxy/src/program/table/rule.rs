//! A route as the table holds it.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use http::Method;
use model::load::Span;
use model::resource::Route;

use super::RouteId;
use super::methods::Methods;
use super::pattern::PathRegex;
use super::predicate::{Predicate, kind};
use crate::exchange::Exchange;

/// A route as the table holds it: what is asked beside host and path.
pub(super) struct Rule {
    /// The route's plan.
    pub(super) id: RouteId,
    pub(super) methods: Methods,
    /// The other predicates, the cheap ones first.
    pub(super) predicates: Box<[Predicate]>,
    /// The regular expression over what follows the api's path.
    pub(super) regex: Option<Box<PathRegex>>,
    /// Names of captures.
    pub(super) names: Option<Arc<[Box<str>]>>,
    /// The bits of the kinds of predicates.
    kinds: u8,
    pub(super) priority: i32,
    pub(super) told: Told,
}

/// What is told of a rule.
pub(super) struct Told {
    /// Its names: `api/route`.
    pub(super) name: Box<str>,
    /// Its path pattern, whole.
    pub(super) path: Box<str>,
}

/// What goes first among routes of the same host and path pattern: the more kinds of predicates, then the more
/// conditions, then the higher priority. What is equal up to here must not meet. Then `HEAD` by name goes before `HEAD`
/// by `GET`, and the order in the file makes the rest definite.
pub(super) type Rank = (Reverse<u32>, Reverse<usize>, Reverse<i32>, Reverse<bool>, u32);

impl Rule {
    /// A rule of these parts.
    pub(super) fn new(id: RouteId, methods: Methods, predicates: Vec<Predicate>, route: &Route, told: Told) -> Self {
        let method = if methods.is_all() { 0 } else { kind::METHOD };
        let kinds = predicates.iter().fold(method, |kinds, predicate| kinds | predicate.kind());
        let predicates = predicates.into();
        Self { id, methods, predicates, regex: None, names: None, kinds, priority: route.priority, told }
    }

    /// Its rank, when it is the rule of this number.
    pub(super) fn rank(&self, number: u32) -> Rank {
        let (kinds, conditions, priority) = self.specificity();
        (Reverse(kinds), Reverse(conditions), Reverse(priority), Reverse(self.methods.names_head()), number)
    }

    /// How specific it is beside host and path: kinds of predicates, conditions, priority.
    pub(super) fn specificity(&self) -> (u32, usize, i32) {
        let methods = usize::from(!self.methods.is_all());
        (self.kinds.count_ones(), self.predicates.len() + methods, self.priority)
    }

    /// Whether it takes this method; `bit` is the method's.
    pub(super) fn takes(&self, method: &Method, bit: u16) -> bool {
        self.methods.take(method, bit)
    }

    /// Whether everything but host, path and method holds.
    pub(super) fn holds(&self, x: &Exchange) -> bool {
        self.predicates.iter().all(|predicate| predicate.holds(x))
    }

    /// Whether the regular expression, if it has one, matches what follows the api's path.
    pub(super) fn matches(&self, rest: &str) -> bool {
        self.regex.as_ref().is_none_or(|path| path.regex.is_match(or_root(rest)))
    }
}

/// The path within an api, which is never empty.
pub(super) fn or_root(rest: &str) -> &str {
    if rest.is_empty() { "/" } else { rest }
}

/// The place in the file that best says which route is meant.
pub(super) fn place(route: &Route) -> Span {
    let written = &route.matches;
    let path = [&written.path, &written.prefix, &written.regex].into_iter().flatten().next().map(|text| text.span);
    let other = || written.methods.first().map(|method| method.span);
    path.or_else(other).or_else(|| route.name.as_ref().map(|name| name.span)).unwrap_or(route.to.span)
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.told.name, self.told.path)
    }
}
