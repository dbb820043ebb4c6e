//! Pairs of routes that nothing tells apart: the same host and path pattern, equally specific, of the same priority, and
//! a request may match both. Said conservatively (expressions and most regular expressions cannot be compared), but
//! never of routes whose methods, values or addresses exclude each other.

use std::collections::{HashMap, HashSet};

use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};

use super::rule::Rule;
use super::trie::{Leaf, RuleId};

/// Groups of more are split by a value that they ask for before pairs are compared.
const SMALL: usize = 32;
/// As many pairs are told of; nobody mends more in one go.
const MOST: usize = 100;

/// Collects the pairs.
#[derive(Default)]
pub(super) struct Ambiguous {
    pairs: Vec<(RuleId, RuleId)>,
    known: HashSet<(RuleId, RuleId)>,
}

impl Ambiguous {
    /// Looks at the rules of one leaf, which are in the order of their ranks.
    pub(super) fn leaf(&mut self, leaf: Leaf, rules: &[RuleId], all: &[Rule]) {
        let group: Vec<(RuleId, &Rule)> = rules.iter().filter_map(|&id| Some((id, all.get(id as usize)?))).collect();
        for equal in group.chunk_by(|(_, a), (_, b)| a.specificity() == b.specificity()) {
            self.group(leaf, equal.to_vec());
        }
    }

    /// The pairs that were found, each once.
    pub(super) fn into_pairs(self) -> Vec<(RuleId, RuleId)> {
        self.pairs
    }

    fn group(&mut self, leaf: Leaf, mut group: Vec<(RuleId, &Rule)>) {
        if group.len() > SMALL {
            // Those of one value exclude those of another; the rest may meet any.
            for part in split(&mut group) {
                for one in &part {
                    group.iter().for_each(|rest| self.pair(leaf, one, rest));
                }
                self.group(leaf, part);
            }
        }
        for (at, a) in group.iter().enumerate() {
            for b in group.iter().skip(at + 1) {
                if self.pairs.len() >= MOST {
                    return;
                }
                self.pair(leaf, a, b);
            }
        }
    }

    fn pair(&mut self, leaf: Leaf, a: &(RuleId, &Rule), b: &(RuleId, &Rule)) {
        if self.pairs.len() < MOST && meet(leaf, a.1, b.1) {
            let pair = (a.0.min(b.0), a.0.max(b.0));
            if self.known.insert(pair) {
                self.pairs.push(pair);
            }
        }
    }
}

/// Whether a request may match both.
fn meet(leaf: Leaf, a: &Rule, b: &Rule) -> bool {
    a.methods.meet(&b.methods)
        && !a.predicates.iter().any(|one| b.predicates.iter().any(|other| one.excludes(other)))
        && (leaf != Leaf::Regex || paths_meet(a, b))
}

/// Takes those out, by value, that ask for one value under the name that has the most values. None where nothing is
/// gained.
fn split<'r>(group: &mut Vec<(RuleId, &'r Rule)>) -> Vec<Vec<(RuleId, &'r Rule)>> {
    let mut values: HashMap<(u8, &str), HashSet<&[u8]>> = HashMap::new();
    for (kind, name, value) in group.iter().flat_map(|(_, rule)| rule.predicates.iter().filter_map(|p| p.exact())) {
        values.entry((kind, name)).or_default().insert(value);
    }
    let most = values.iter().max_by_key(|(key, values)| (values.len(), **key));
    let Some(key) = most.filter(|(_, values)| values.len() > 1).map(|(key, _)| *key) else { return Vec::new() };
    let mut parts: HashMap<&[u8], Vec<(RuleId, &'r Rule)>> = HashMap::new();
    let mut rest = Vec::new();
    for (id, rule) in group.drain(..) {
        let mut exact = rule.predicates.iter().filter_map(|predicate| predicate.exact());
        match exact.find(|(kind, name, _)| (*kind, *name) == key) {
            Some((_, _, value)) => parts.entry(value).or_default().push((id, rule)),
            None => rest.push((id, rule)),
        }
    }
    *group = rest;
    parts.into_values().collect()
}

/// Whether two regular expressions may match the same path, as far as what they begin and end with tells.
fn paths_meet(a: &Rule, b: &Rule) -> bool {
    let hir = |rule: &Rule| regex_syntax::parse(rule.regex.as_ref()?.regex.as_str()).ok();
    let (Some(a), Some(b)) = (hir(a), hir(b)) else { return true };
    let ends = |kind: ExtractKind| {
        let mut extractor = Extractor::new();
        extractor.kind(kind);
        (extractor.extract(&a), extractor.extract(&b))
    };
    let (a_starts, b_starts) = ends(ExtractKind::Prefix);
    let (a_ends, b_ends) = ends(ExtractKind::Suffix);
    literals_meet(&a_starts, &b_starts, |a, b| a.starts_with(b))
        && literals_meet(&a_ends, &b_ends, |a, b| a.ends_with(b))
}

fn literals_meet(a: &Seq, b: &Seq, extends: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    match (a.literals(), b.literals()) {
        (Some(a), Some(b)) => a.iter().any(|a| {
            let a = a.as_bytes();
            b.iter().any(|b| extends(a, b.as_bytes()) || extends(b.as_bytes(), a))
        }),
        _ => true,
    }
}
