//! What the table thinks of a request, by the same walk that finds its route: every route whose host and path match,
//! in the order of precedence, with each of its conditions; and those that are near.

use std::collections::HashSet;
use std::ops::ControlFlow;

use serde::Serialize;

use super::host::{By, Host};
use super::rule::Rule;
use super::trie::NodeId;
use super::{RouteId, Table, methods};
use crate::exchange::Exchange;

/// As many near misses are told.
const MOST_NEAR: usize = 10;

/// A route and what stands between it and a request.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Its plan.
    #[serde(skip)]
    pub id: RouteId,
    /// Its names: `api/route`.
    pub route: String,
    /// The host pattern that took the host.
    pub host: String,
    /// Its path pattern, whole.
    pub path: String,
    /// Its priority.
    pub priority: i32,
    /// What it asks for beside host and path.
    pub conditions: Vec<Condition>,
    /// What became of it.
    pub verdict: Verdict,
}

/// One thing a route asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Condition {
    /// In words.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
}

/// What became of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// It takes the request.
    Taken,
    /// It would, but another goes before it.
    Later,
    /// A condition does not hold.
    Missed,
    /// Host or path do not match, but nearly.
    Near(String),
}

impl Table {
    /// Every route whose host and path match, in the order of precedence; then some that nearly do.
    pub fn candidates(&self, x: &Exchange) -> Vec<Candidate> {
        let path = x.request.uri.path();
        let mut found = Vec::new();
        let mut known = HashSet::new();
        let mut taken = false;
        let _ = self.walk(&x.host, path, &mut |by, rule, met| {
            if known.insert(met.rule) {
                let conditions = conditions(rule, x, path.get(met.tail..).unwrap_or_default());
                let verdict = match conditions.iter().all(|condition| condition.holds) {
                    true if !taken => Verdict::Taken,
                    true => Verdict::Later,
                    false => Verdict::Missed,
                };
                taken |= verdict == Verdict::Taken;
                found.push(candidate(rule, by_name(by), conditions, verdict));
            }
            ControlFlow::Continue(())
        });
        self.near(x, &mut known, &mut found);
        found
    }

    /// Routes that another host, or a path a little different, would find.
    fn near(&self, x: &Exchange, known: &mut HashSet<u32>, found: &mut Vec<Candidate>) {
        let path = x.request.uri.path();
        let most = found.len() + MOST_NEAR;
        let mut look = |root: NodeId, host: &Host, path: &str, why: &str, found: &mut Vec<Candidate>| {
            let _ = self.trie.walk(root, path, &mut |met| {
                let Some(rule) = self.rules.get(met.rule as usize) else { return ControlFlow::Continue(()) };
                let rest = path.get(met.tail..).unwrap_or_default();
                if found.len() < most && rule.matches(rest) && known.insert(met.rule) {
                    let near = Verdict::Near(why.to_owned());
                    found.push(candidate(rule, host.to_string(), conditions(rule, x, rest), near));
                }
                ControlFlow::Continue(())
            });
        };
        for (by, root) in self.hosts.roots(&x.host) {
            let host = by_host(by);
            for (variant, why) in self.variants(root, path) {
                look(root, &host, &variant, &why, found);
            }
        }
        let mut others: Vec<(Host, NodeId)> = self.hosts.iter().collect();
        others.sort();
        for (host, root) in others {
            look(root, &host, path, &format!("its host is {host}"), found);
        }
    }

    /// Paths that were perhaps meant.
    fn variants(&self, root: NodeId, path: &str) -> Vec<(String, String)> {
        let mut variants = Vec::new();
        match path.strip_suffix('/') {
            Some("") => {}
            Some(bare) => variants.push((bare.to_owned(), "without the slash at the end it would match".to_owned())),
            None => variants.push((format!("{path}/"), "with a slash at the end it would match".to_owned())),
        }
        let mut meant: Vec<String> = self.trie.meant(root, path);
        meant.extend(Some(path.to_ascii_lowercase()).filter(|lower| lower != path));
        for meant in meant {
            let why = format!("`{meant}` would match");
            variants.push((meant, why));
        }
        variants
    }
}

fn candidate(rule: &Rule, host: String, conditions: Vec<Condition>, verdict: Verdict) -> Candidate {
    Candidate {
        id: rule.id,
        route: rule.told.name.to_string(),
        host,
        path: rule.told.path.to_string(),
        priority: rule.priority,
        conditions,
        verdict,
    }
}

/// Each condition of a rule, by the same code that asks them when it counts.
fn conditions(rule: &Rule, x: &Exchange, rest: &str) -> Vec<Condition> {
    let mut told = Vec::new();
    if !rule.methods.is_all() {
        let methods: Vec<&str> = rule.methods.iter().map(http::Method::as_str).collect();
        let method = &x.request.method;
        told.push(Condition {
            text: format!("method {}", methods.join(", ")),
            holds: rule.takes(method, methods::bit(method)),
        });
    }
    if let Some(regex) = &rule.regex {
        told.push(Condition { text: format!("path matches `{}`", regex.written), holds: rule.matches(rest) });
    }
    told.extend(
        rule.predicates.iter().map(|predicate| Condition { text: predicate.to_string(), holds: predicate.holds(x) }),
    );
    told
}

fn by_host(by: By<'_>) -> Host {
    match by {
        By::Exact(host) => Host::Exact(host.into()),
        By::Wildcard(suffix) => Host::Wildcard(suffix.into()),
        By::Any => Host::Any,
    }
}

fn by_name(by: By<'_>) -> String {
    by_host(by).to_string()
}
