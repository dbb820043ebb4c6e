//! Typed values from the tree, with every problem at once.
//!
//! serde stops at the first error. So an error is noted with its place, the innermost value it concerns is treated as
//! absent, and the tree is read again until nothing new is found. What follows from an absent value (the key that is
//! now missing, the enum without its content) makes its parent absent too and is not reported. Further passes leave
//! out the elements of long lists that were good before, so that the whole costs about as much as one pass; only the
//! last pass, which makes the value, reads them all.
use std::collections::{HashMap, HashSet};

use serde::de::{DeserializeOwned, DeserializeSeed};

use super::{Entry, Node, STAND_IN, Span};
use crate::problem::{Problem, Problems, did_you_mean};
use crate::value::{is_secretive, quote};

mod access;
mod error;
mod key;
mod probe;
mod value;

#[cfg(test)]
mod tests;

use error::{Error, Wrong};
use value::De;

/// Gives a tree a type. `path` is what the tree is about (empty for a whole document).
///
/// Every problem is added to `problems`. The value is made of what is right, so that later stages can look for more
/// problems; ask `problems` before anything is run with it. `None` when what is wrong leaves nothing.
pub fn from_node<T: DeserializeOwned>(node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
    let mut cx = Context::new(path);
    let value = cx.passes(node);
    problems.append(cx.problems);
    value
}

/// More passes than this find nothing that a user would still read.
const MAX_PASSES: usize = 2_000;

/// What is known of the tree between and during passes. Nodes are known by their address: the tree is only borrowed.
struct Context<'n> {
    problems: Problems,
    base: &'n str,
    path: Vec<Step<'n>>,
    /// Values that are wrong, or cannot be made because a part is.
    absent: HashSet<usize>,
    /// Values under unknown keys.
    ignored: HashSet<usize>,
    /// Elements of long lists and maps that were made without an error.
    good: HashSet<usize>,
    /// Keys that are missing only because they are misspelt: (map, key).
    misspelt: HashSet<(usize, &'n str)>,
    /// Keys that are missing from a map, which get a value to find the next one that is missing.
    missing: HashMap<usize, Vec<&'static str>>,
    /// Values that must not be shown, so that each is told to `problems` once.
    hidden: HashSet<usize>,
    /// Whether this pass leaves out what is good.
    hunting: bool,
    counts: Counts,
}

/// What this pass has left out so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    absent: usize,
    good: usize,
}

/// One step down the tree, for paths in messages.
#[derive(Clone, Copy)]
enum Step<'n> {
    Same,
    Key(&'n str),
    Index(usize),
}

fn id(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

impl<'n> Context<'n> {
    fn new(base: &'n str) -> Self {
        Self {
            problems: Problems::new(),
            base,
            path: Vec::new(),
            absent: HashSet::new(),
            ignored: HashSet::new(),
            good: HashSet::new(),
            misspelt: HashSet::new(),
            missing: HashMap::new(),
            hidden: HashSet::new(),
            hunting: false,
            counts: Counts::default(),
        }
    }

    fn passes<T: DeserializeOwned>(&mut self, root: &'n Node) -> Option<T> {
        for _ in 0..MAX_PASSES {
            self.path.clear();
            self.counts = Counts::default();
            match self.descend(Step::Same, root, None, std::marker::PhantomData) {
                Ok(value) if self.counts.good == 0 => return Some(value),
                // All errors are found; now the value of all that is good.
                Ok(_) => self.hunting = false,
                Err(_) if self.problems.is_full() || self.absent.contains(&id(root)) => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Makes the value of a node. An error is noted here, at the innermost node.
    fn descend<S: DeserializeSeed<'n>>(
        &mut self,
        step: Step<'n>,
        node: &'n Node,
        key: Option<Span>,
        seed: S,
    ) -> Result<S::Value, Error> {
        if self.absent.contains(&id(node)) {
            return Err(Error::Absent);
        }
        self.path.push(step);
        let before = self.counts;
        let made = seed.deserialize(De { node, cx: self });
        let made = match made {
            Ok(_) if self.missing.contains_key(&id(node)) => Err(Error::Absent),
            made => made,
        };
        let made = made.map_err(|error| self.settle(error, node, key, before));
        self.path.pop();
        made
    }

    /// Decides what an error means, and what the next pass does differently.
    fn settle(&mut self, error: Error, node: &'n Node, key: Option<Span>, before: Counts) -> Error {
        let wrong = match error {
            Error::Noted => return Error::Noted,
            Error::Absent => {
                self.lose(node);
                return Error::Noted;
            }
            Error::Wrong(wrong) => wrong,
        };
        if self.counts.good != before.good {
            // It may only seem wrong because good elements were left out: look again with all of them.
            self.hunting = false;
            return Error::Noted;
        }
        self.hunting = true;
        if let Wrong::UnknownKey(name, known) = &*wrong {
            self.unknown_name(node, name, known);
            return Error::Noted;
        }
        let known = self.is_consequence(&wrong, node, before);
        match &*wrong {
            // Others may be missing too: the map is lost only when all of them are known.
            Wrong::MissingKey(name) if !self.is_probed(node, name) => {
                self.missing.entry(id(node)).or_default().push(name);
            }
            _ => self.lose(node),
        }
        if !known {
            let at = if wrong.is_about_key(node) { key } else { None };
            let hidden = node.secret || self.is_named_secret();
            let problem = wrong.problem(node, at.unwrap_or(node.span), hidden);
            self.report(problem);
        }
        Error::Noted
    }

    /// Leaves a node out from now on, and remembers the names of the resources that go with it.
    fn lose(&mut self, node: &'n Node) {
        self.absent.insert(id(node));
        for resource in std::iter::once(node).chain(node.items()) {
            if let Some(name) = resource.get("name").and_then(Node::as_str) {
                self.problems.lose(name);
            }
        }
    }

    /// Whether the keys on the way here say that this is a secret.
    fn is_named_secret(&self) -> bool {
        let mut keys = self.path.iter().filter_map(|step| if let Step::Key(key) = step { Some(*key) } else { None });
        keys.next_back().is_some_and(is_secretive)
    }

    /// Whether an error only follows from another that is known already.
    fn is_consequence(&self, wrong: &Wrong, node: &'n Node, before: Counts) -> bool {
        match wrong {
            Wrong::MissingKey(name) => {
                node.get(name).is_some_and(|value| self.absent.contains(&id(value)))
                    || self.misspelt.contains(&(id(node), name))
                    || self.is_probed(node, name)
            }
            _ => self.missing.contains_key(&id(node)) || self.counts.absent != before.absent || is_stand_in(node),
        }
    }

    /// Whether a missing key has got a value already.
    fn is_probed(&self, node: &Node, name: &str) -> bool {
        self.missing.get(&id(node)).is_some_and(|missing| missing.contains(&name))
    }

    /// Notes a key that a type's own visitor does not know.
    fn unknown_name(&mut self, node: &'n Node, name: &str, known: &[&'n str]) {
        match node.entries().iter().find(|entry| entry.key == name && !self.is_ignored(&entry.value)) {
            Some(entry) => self.unknown_key(node, entry, known),
            None => {
                // The visitor made the name up: nothing more can be done than to say so.
                self.lose(node);
                self.report(Problem::error(error::UNKNOWN_KEY, node.span, format!("unknown key {}", quote(name))));
            }
        }
    }

    fn unknown_key(&mut self, node: &'n Node, entry: &'n Entry, known: &[&'n str]) {
        self.ignored.insert(id(&entry.value));
        let mut problem = Problem::error(error::UNKNOWN_KEY, entry.key_span, "");
        // There may be very many of them, of which only the first are shown.
        if !self.problems.is_full() {
            problem.message = format!("unknown key {}", quote(&entry.key));
            let meant = did_you_mean(&entry.key, known.iter().copied()).filter(|meant| node.get(meant).is_none());
            match meant {
                Some(meant) => {
                    self.misspelt.insert((id(node), meant));
                    problem.message.push_str(&format!("; did you mean `{meant}`?"));
                }
                None if known.is_empty() => {}
                None => problem.help = Some(format!("keys here: {}", error::list(known))),
            }
        }
        self.path.push(Step::Key(&entry.key));
        self.report(problem);
        self.path.pop();
    }

    fn report(&mut self, problem: Problem) {
        let path = self.render_path();
        self.problems.push(problem.path(path));
    }

    fn render_path(&self) -> String {
        let mut path = self.base.to_owned();
        for step in &self.path {
            match step {
                Step::Same => {}
                Step::Key(key) => push_key(&mut path, key),
                Step::Index(index) => push_index(&mut path, *index),
            }
        }
        path
    }

    fn is_absent(&self, node: &Node) -> bool {
        self.absent.contains(&id(node))
    }

    fn is_ignored(&self, node: &Node) -> bool {
        self.ignored.contains(&id(node))
    }

    /// Whether this pass leaves an element out, because it is wrong or known to be good.
    fn leaves_out(&mut self, node: &Node) -> bool {
        if self.is_absent(node) {
            self.counts.absent += 1;
            true
        } else if self.hunting && self.good.contains(&id(node)) {
            self.counts.good += 1;
            true
        } else {
            false
        }
    }
}

/// Whether a value only stands in for an absent variable or file, so that being of the wrong kind means nothing.
fn is_stand_in(node: &Node) -> bool {
    node.secret && node.as_str().is_some_and(|text| text.contains(STAND_IN))
}

/// Adds a key to a path such as `apis[0].to`; keys that would confuse it are quoted.
pub(super) fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !plain {
        path.push_str(&format!("[{key:?}]"));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Adds an index to a path.
pub(super) fn push_index(path: &mut String, index: usize) {
    path.push_str(&format!("[{index}]"));
}
