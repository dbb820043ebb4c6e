//! Which route takes a request: a trie of path segments for each host, with predicates at its leaves.
//!
//! # Precedence
//! Of all routes that match a request, the most specific takes it. Routes are compared by, in this order:
//!
//! 1. **Host**: exact, then the wildcard with more labels, then any.
//! 2. **Path**, segment by segment from the left. At the first place where two patterns differ, a literal segment goes
//!    before a capture `{x}`, that before a regular expression, that before `{rest*}`, and that before a prefix (a
//!    route that says nothing of the path is the prefix of its api). So an exact path goes before a template, a longer
//!    prefix before a shorter one, and a regular expression, which is relative to its api's `path`, before what takes
//!    everything there.
//! 3. **Predicates**: how many of the kinds method, header, query, cookie, client and `when` the route has; then how
//!    many conditions it has (all its methods are one). An api's `version` in a header, media type or query parameter counts.
//! 4. **`priority`**, the higher first. It decides here and nowhere else: only between routes whose host and path
//!    patterns are the same (whatever the captures are called) and whose predicates are as many.
//!
//! Two routes that are equal in all of it and can match the same request are a problem at check; one that names `HEAD`
//! goes before one that takes it for `GET`. A request for which the most specific path's predicates do not hold goes on
//! to the next, other hosts included, as if all routes were tried in this order.

mod ambiguous;
mod build;
mod candidates;
mod host;
mod methods;
mod pattern;
mod predicate;
mod report;
mod rule;
mod trie;
mod value;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use http::HeaderValue;
use http::uri::PathAndQuery;
use model::problem::Problems;
use model::resource::{Api, Route};
use smallvec::SmallVec;

use super::RouteId;
use crate::exchange::{Captures, Exchange};
use host::{By, Hosts};
use rule::{Rule, or_root};
use trie::{Met, Trie};

pub use candidates::{Candidate, Condition, Verdict};
pub(crate) use pattern::{anchored, api_path_length};

/// A route as the table is built from it.
pub struct Entry<'a> {
    /// Its plan.
    pub id: RouteId,
    /// Its api.
    pub api: &'a Api,
    /// Its name.
    pub name: &'a str,
    /// What was written.
    pub route: &'a Route,
    /// Where its `match` stands, for problems.
    pub path: String,
    /// Whether it is known where addresses are.
    pub knows_places: bool,
}

/// What the table found.
#[derive(Debug)]
pub enum Found {
    /// This route takes it.
    Route(RouteId, Captures),
    /// Routes match but for the method; the `Allow` field names theirs.
    Method(HeaderValue),
    /// None matches.
    None,
}

/// Which route takes a request.
#[derive(Default)]
pub struct Table {
    hosts: Hosts,
    trie: Trie,
    rules: Box<[Rule]>,
}

impl Table {
    /// Builds the table. Ambiguous pairs and impossible conditions are problems. Entries of an api stand together.
    pub fn build(entries: &[Entry<'_>], problems: &mut Problems) -> Self {
        build::build(entries, problems)
    }

    /// Finds the route of a request. Allocates nothing, unless a regular expression captures or a template has more than
    /// four captures.
    pub fn find(&self, x: &Exchange) -> Found {
        let path = x.request.uri.path();
        let method = &x.request.method;
        let bit = methods::bit(method);
        let mut found = None;
        let mut missed = false;
        let _ = self.walk(&x.host, path, &mut |_, rule, met| {
            if !rule.takes(method, bit) {
                missed = true;
            } else if rule.holds(x) && rule.matches(path.get(met.tail..).unwrap_or_default()) {
                found = Some(Found::Route(rule.id, captures(rule, &met, x)));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match found {
            Some(found) => found,
            None if missed => self.allow(x),
            None => Found::None,
        }
    }

    /// The methods of the routes that match but for theirs (RFC 9110 section 10.2.1).
    fn allow(&self, x: &Exchange) -> Found {
        let path = x.request.uri.path();
        let mut methods = BTreeSet::new();
        let _ = self.walk(&x.host, path, &mut |_, rule, met| {
            if rule.holds(x) && rule.matches(path.get(met.tail..).unwrap_or_default()) {
                methods.extend(rule.methods.iter().map(http::Method::as_str));
            }
            ControlFlow::Continue(())
        });
        let list = methods.into_iter().collect::<Vec<_>>().join(", ");
        match HeaderValue::try_from(list) {
            Ok(list) if !list.is_empty() => Found::Method(list),
            _ => Found::None,
        }
    }

    /// Shows each rule whose host and path may take the request, in the order of precedence, until told to stop.
    fn walk<'t>(
        &'t self,
        host: &'t str,
        path: &str,
        visit: &mut impl FnMut(By<'t>, &'t Rule, Met<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (by, root) in self.hosts.roots(host) {
            self.trie.walk(root, path, &mut |met| match self.rules.get(met.rule as usize) {
                Some(rule) => visit(by, rule, met),
                None => ControlFlow::Continue(()),
            })?;
        }
        ControlFlow::Continue(())
    }
}

/// What a rule captures of the path that met it. The path's bytes are shared.
fn captures(rule: &Rule, met: &Met<'_>, x: &Exchange) -> Captures {
    let Some(names) = &rule.names else { return Captures::default() };
    let path = x.request.uri.path();
    let rest = path.get(met.tail..).unwrap_or_default();
    let mut ranges: SmallVec<[(u32, u32); 4]> = SmallVec::from_slice(met.params);
    let end = path.len() as u32;
    match &rule.regex {
        Some(regex) => {
            let groups = regex.regex.captures(or_root(rest));
            // A rest of nothing was matched as `/`, which the path does not have: `end` bounds what it captured.
            ranges.extend(regex.groups.iter().map(|&group| {
                let found = groups.as_ref().and_then(|groups| groups.get(group));
                let place = |at: usize| end.min((met.tail + at) as u32);
                found.map_or((end, end), |found| (place(found.start()), place(found.end())))
            }));
        }
        None if ranges.len() < names.len() => ranges.push((end.min(met.tail as u32 + 1), end)),
        None => {}
    }
    let path = x.request.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Captures { names: Some(names.clone()), path, ranges }
}

#[cfg(test)]
mod tests;
