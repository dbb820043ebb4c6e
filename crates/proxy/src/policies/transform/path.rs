//! Paths into a document: `address.city`, `items.*.price`, `items.0`. `\.` and `\*` are a dot and a star in a name.

use super::tree::Tree;

/// The most parts of a path.
const MOST_PARTS: usize = 16;

/// A path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path(pub(super) Vec<Part>);

/// A part of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// What has this name; in an array what has this place.
    Name(Box<str>),
    /// Every item of an array, every value of an object.
    Each,
}

impl Path {
    /// Reads a path; empty is the whole document.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let mut parts = Vec::new();
        let (mut name, mut plain) = (String::new(), false);
        let mut letters = text.chars();
        let mut ended = false;
        while !ended {
            match letters.next() {
                Some('\\') => match letters.next() {
                    Some(letter @ ('.' | '*' | '\\')) => (name.push(letter), plain = true).1,
                    _ => return Err("a backslash stands before `.`, `*` or another".to_owned()),
                },
                Some(letter) if letter != '.' => name.push(letter),
                end => {
                    ended = end.is_none();
                    let part = std::mem::take(&mut name);
                    match part.as_str() {
                        "" => return Err("a part of the path is empty".to_owned()),
                        "*" if !plain => parts.push(Part::Each),
                        _ => parts.push(Part::Name(part.into())),
                    }
                    plain = false;
                }
            }
        }
        if parts.len() > MOST_PARTS {
            return Err(format!("the path has more than {MOST_PARTS} parts"));
        }
        Ok(Self(parts))
    }

    /// All but the last part, which is a name.
    pub(super) fn split(&self) -> Option<(&[Part], &str)> {
        match self.0.split_last() {
            Some((Part::Name(name), above)) => Some((above, name)),
            _ => None,
        }
    }
}

/// What a name, or a place in an array, leads to.
pub(super) fn step<'t, 'a>(tree: &'t Tree<'a>, name: &str) -> Option<&'t Tree<'a>> {
    match tree {
        Tree::List(items) => items.get(name.parse::<usize>().ok()?),
        _ => tree.get(name),
    }
}

fn step_mut<'t, 'a>(tree: &'t mut Tree<'a>, name: &str) -> Option<&'t mut Tree<'a>> {
    match tree {
        Tree::List(items) => items.get_mut(name.parse::<usize>().ok()?),
        _ => tree.get_mut(name),
    }
}

/// Acts on everything that a path leads to.
pub(super) fn each<'a>(tree: &mut Tree<'a>, path: &[Part], act: &mut dyn FnMut(&mut Tree<'a>)) {
    match path.split_first() {
        None => act(tree),
        Some((Part::Name(name), rest)) => {
            if let Some(under) = step_mut(tree, name) {
                each(under, rest, act);
            }
        }
        Some((Part::Each, rest)) => match tree {
            Tree::Plain(_) => {}
            Tree::List(items) => items.iter_mut().for_each(|item| each(item, rest, act)),
            Tree::Map(entries) => entries.iter_mut().for_each(|(_, value)| each(value, rest, act)),
        },
    }
}

/// The same, and makes the objects on the way there that are absent.
pub(super) fn each_made<'a>(tree: &mut Tree<'a>, path: &'a [Part], act: &mut dyn FnMut(&mut Tree<'a>)) {
    match path.split_first() {
        None => act(tree),
        Some((Part::Name(name), rest)) => {
            let absent = matches!(tree, Tree::Map(_)) && tree.get(name).is_none();
            if absent || matches!(tree, Tree::Plain(text) if text == "null") {
                tree.put(name, Tree::Map(Vec::new()));
            }
            if let Some(under) = step_mut(tree, name) {
                each_made(under, rest, act);
            }
        }
        Some((Part::Each, rest)) => match tree {
            Tree::Plain(_) => {}
            Tree::List(items) => items.iter_mut().for_each(|item| each_made(item, rest, act)),
            Tree::Map(entries) => entries.iter_mut().for_each(|(_, value)| each_made(value, rest, act)),
        },
    }
}
