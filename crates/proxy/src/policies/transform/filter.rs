//! Which items of an array stay.

use super::change::parse;
use super::path::{Part, Path, each, step};
use super::spec;
use super::tree::Tree;
use crate::program::Compile;

/// Keeps items of an array.
pub(super) struct Filter {
    at: Path,
    keep: Vec<Test>,
}

struct Test {
    path: Path,
    equals: Option<Tree<'static>>,
    not: Option<Tree<'static>>,
    one_of: Option<Vec<Tree<'static>>>,
    exists: Option<bool>,
    above: Option<f64>,
    below: Option<f64>,
}

impl Filter {
    pub(super) fn compile(written: &spec::Filter, cx: &mut Compile<'_>) -> Option<Self> {
        let at = parse(&written.at, cx);
        let keep: Vec<Test> = written.keep.iter().filter_map(|test| Test::compile(test, cx)).collect();
        if written.keep.is_empty() {
            cx.problem(written.at.span, "the filter has no condition", "add one to `keep`");
            return None;
        }
        (keep.len() == written.keep.len()).then_some(Self { at: at?, keep })
    }

    pub(super) fn keep(&self, tree: &mut Tree<'_>) {
        each(tree, &self.at.0, &mut |found| {
            if let Tree::List(items) = found {
                items.retain(|item| self.keep.iter().all(|test| test.holds(item)));
            }
        });
    }
}

impl Test {
    fn compile(written: &spec::Test, cx: &mut Compile<'_>) -> Option<Self> {
        let path = parse(&written.path, cx)?;
        if path.0.contains(&Part::Each) {
            cx.problem(written.path.span, "a condition looks at one value, and `*` is many", "name one");
            return None;
        }
        Some(Self {
            path,
            equals: written.equals.as_ref().map(|value| Tree::of(&value.to_json())),
            not: written.not.as_ref().map(|value| Tree::of(&value.to_json())),
            one_of: written
                .one_of
                .as_ref()
                .map(|values| values.iter().map(|value| Tree::of(&value.to_json())).collect()),
            exists: written.exists,
            above: written.above,
            below: written.below,
        })
    }

    fn holds(&self, item: &Tree<'_>) -> bool {
        let found = self.path.0.iter().try_fold(item, |tree, part| match part {
            Part::Name(name) => step(tree, name),
            Part::Each => None,
        });
        let number = found.and_then(Tree::as_number);
        self.equals.as_ref().is_none_or(|value| found.is_some_and(|found| found.equals(value)))
            && self.not.as_ref().is_none_or(|value| found.is_some_and(|found| !found.equals(value)))
            && self
                .one_of
                .as_ref()
                .is_none_or(|values| found.is_some_and(|found| values.iter().any(|value| found.equals(value))))
            && self.exists.is_none_or(|there| found.is_some_and(|found| *found != Tree::NULL) == there)
            && self.above.is_none_or(|least| number.is_some_and(|number| number > least))
            && self.below.is_none_or(|most| number.is_some_and(|number| number < most))
    }
}
