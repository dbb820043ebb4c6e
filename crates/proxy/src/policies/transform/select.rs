//! Which parts of a document stay.

use super::path::{Part, Path};
use super::tree::Tree;

/// What of a value stays.
#[derive(Default)]
pub(super) struct Selection {
    /// All of it.
    whole: bool,
    names: Vec<(Box<str>, Selection)>,
    /// Of each item or value.
    each: Option<Box<Selection>>,
}

impl Selection {
    pub(super) fn of(paths: &[Path]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut here = &mut root;
            for part in &path.0 {
                here = match part {
                    Part::Each => here.each.get_or_insert_default(),
                    Part::Name(name) => here.named(name),
                };
            }
            here.whole = true;
        }
        root
    }

    fn named(&mut self, name: &str) -> &mut Selection {
        let at = self.names.iter().position(|(known, _)| **known == *name).unwrap_or_else(|| {
            self.names.push((name.into(), Selection::default()));
            self.names.len() - 1
        });
        // It was found, or put there just now.
        match self.names.get_mut(at) {
            Some((_, selection)) => selection,
            None => self.each.get_or_insert_default(),
        }
    }

    /// Keeps what is selected and nothing else.
    pub(super) fn keep(&self, tree: &mut Tree<'_>) {
        if !self.keeps(tree) {
            *tree = Tree::NULL;
        }
    }

    /// The same; whether anything of it stays.
    fn keeps(&self, tree: &mut Tree<'_>) -> bool {
        if self.whole {
            return true;
        }
        match tree {
            Tree::Plain(_) => false,
            Tree::List(items) => {
                let mut at = 0;
                items.retain_mut(|item| {
                    let place = self.names.iter().find(|(name, _)| name.parse() == Ok(at)).map(|(_, kept)| kept);
                    at += 1;
                    kept(place, self.each.as_deref(), item)
                });
                true
            }
            Tree::Map(entries) => {
                entries.retain_mut(|(name, value)| {
                    let named = self.names.iter().find(|(known, _)| name.is(known)).map(|(_, kept)| kept);
                    kept(named, self.each.as_deref(), value)
                });
                true
            }
        }
    }
}

/// Whether a value stays by its own name, or as one of all.
fn kept(named: Option<&Selection>, each: Option<&Selection>, value: &mut Tree<'_>) -> bool {
    named.or(each).is_some_and(|selection| selection.keeps(value))
}
