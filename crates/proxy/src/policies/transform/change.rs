//! The changes of a document, compiled.

use std::borrow::Cow;

use model::load::{Node, Spanned};
use model::resource::Pairs;

use super::filter::Filter;
use super::path::{Part, Path, each, each_made};
use super::select::Selection;
use super::spec;
use super::tree::{Name, TooLarge, Tree};
use crate::exchange::Exchange;
use crate::expr::{Expr, Scope, Value};
use crate::program::Compile;

/// The most values that changes put into a document, all together.
const MOST_VALUES: usize = 1_000_000;

/// A change of a document.
pub(super) enum Change {
    Select(Selection),
    Remove(Vec<Path>),
    Rename(Vec<(Path, Box<str>)>),
    Move(Vec<Way>),
    Copy(Vec<Way>),
    Set(Vec<(Path, Tree<'static>)>),
    Default(Vec<(Path, Tree<'static>)>),
    Compute(Vec<(Path, Expr)>),
    Flatten(Path, Box<str>),
    Filter(Filter),
}

/// From a path to another; what they have in common, with every `*`, is gone once.
pub(super) struct Way {
    common: Path,
    from: Path,
    to: Path,
}

/// What may still be put into a document.
struct Room(usize);

impl Room {
    /// A copy of a value, where there is room for it.
    fn copy<'a>(&mut self, value: &Tree<'a>) -> Result<Tree<'a>, TooLarge> {
        self.0 = self.0.checked_sub(value.count()).ok_or(TooLarge)?;
        Ok(value.clone())
    }
}

impl Change {
    /// Compiles what was written; `None` with a problem.
    pub(super) fn compile(written: &spec::Change, scope: Scope, cx: &mut Compile<'_>) -> Option<Self> {
        Some(match written {
            spec::Change::Select(paths) => Change::Select(Selection::of(&all(paths, |path| parse(path, cx))?)),
            spec::Change::Remove(paths) => Change::Remove(all(paths, |path| named(path, cx))?),
            spec::Change::Rename(pairs) => {
                Change::Rename(all(pairs, |(from, to)| Some((named(from, cx)?, name(to, cx)?)))?)
            }
            spec::Change::Move(pairs) => Change::Move(ways(pairs, cx)?),
            spec::Change::Copy(pairs) => Change::Copy(ways(pairs, cx)?),
            spec::Change::Set(pairs) => Change::Set(constants(pairs, cx)?),
            spec::Change::Default(pairs) => Change::Default(constants(pairs, cx)?),
            spec::Change::Compute(pairs) => {
                Change::Compute(all(pairs, |(path, text)| Some((named(path, cx)?, cx.expr(text, scope)?)))?)
            }
            spec::Change::Flatten(flatten) => {
                Change::Flatten(parse(&flatten.at, cx)?, flatten.separator.clone().into())
            }
            spec::Change::Filter(filter) => Change::Filter(Filter::compile(filter, cx)?),
        })
    }
}

/// Each of them, or none where one has a problem; all problems are found.
fn all<W, M>(written: &[W], mut make: impl FnMut(&W) -> Option<M>) -> Option<Vec<M>> {
    let made: Vec<M> = written.iter().filter_map(&mut make).collect();
    (made.len() == written.len()).then_some(made)
}

/// A path as a user wrote it.
pub(super) fn parse(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Path> {
    match Path::parse(written) {
        Ok(path) => Some(path),
        Err(message) => {
            cx.problem(written.span, message, "write a path such as `address.city` or `items.*.price`");
            None
        }
    }
}

/// A path that ends with a name.
fn named(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Path> {
    let path = parse(written, cx)?;
    if path.split().is_none() {
        cx.problem(written.span, "the path does not end with a name", "write a path such as `items.*.price`");
        return None;
    }
    Some(path)
}

fn name(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Box<str>> {
    let path = parse(written, cx)?;
    match path.0.as_slice() {
        [Part::Name(name)] => Some(name.clone()),
        _ => {
            cx.problem(written.span, "a new name is asked for, and this is a path", "use `move` to move it elsewhere");
            None
        }
    }
}

fn constants(pairs: &Pairs<Node>, cx: &mut Compile<'_>) -> Option<Vec<(Path, Tree<'static>)>> {
    all(pairs, |(path, value)| Some((named(path, cx)?, Tree::of(&value.to_json()))))
}

fn ways(pairs: &Pairs<Spanned<String>>, cx: &mut Compile<'_>) -> Option<Vec<Way>> {
    all(pairs, |(from, to)| {
        let (source, target) = (named(from, cx)?, named(to, cx)?);
        let equal = source.0.iter().zip(&target.0).take_while(|(a, b)| a == b).count();
        // The name at the end of each stays apart, so that something is left to be moved.
        let shared = equal.min(source.0.len() - 1).min(target.0.len() - 1);
        let (common, source) = source.0.split_at_checked(shared)?;
        let (_, target) = target.0.split_at_checked(shared)?;
        if source.iter().chain(target).any(|part| *part == Part::Each) {
            let message = "a `*` of the one path is not in the other";
            cx.problem(to.span, message, "begin both alike up to the last `*`: `items.*.a` to `items.*.b`");
            return None;
        }
        if target.starts_with(source) {
            cx.problem(to.span, "it would be moved into itself", "move it to a path beside it");
            return None;
        }
        Some(Way { common: Path(common.into()), from: Path(source.into()), to: Path(target.into()) })
    })
}

/// Makes all changes, one after the other.
pub(super) fn apply<'a>(changes: &'a [Change], tree: &mut Tree<'a>, x: &Exchange) -> Result<(), TooLarge> {
    let mut room = Room(MOST_VALUES);
    for change in changes {
        match change {
            Change::Select(selection) => selection.keep(tree),
            Change::Remove(paths) => paths.iter().for_each(|path| remove(tree, path)),
            Change::Rename(pairs) => pairs.iter().for_each(|(path, to)| rename(tree, path, to)),
            Change::Move(ways) => ways.iter().for_each(|way| relocate(tree, way)),
            Change::Copy(ways) => ways.iter().try_for_each(|way| copy(tree, way, &mut room))?,
            Change::Set(pairs) => pairs.iter().try_for_each(|(path, value)| set(tree, path, value, &mut room))?,
            Change::Default(pairs) => {
                pairs.iter().try_for_each(|(path, value)| default(tree, path, value, &mut room))?;
            }
            Change::Compute(pairs) => {
                for (path, expr) in pairs {
                    if let Some(value) = computed(expr.value(x)) {
                        set_own(tree, path, &value, &mut room)?;
                    }
                }
            }
            Change::Flatten(path, separator) => each(tree, &path.0, &mut |found| flatten(found, separator)),
            Change::Filter(filter) => filter.keep(tree),
        }
    }
    Ok(())
}

fn remove(tree: &mut Tree<'_>, path: &Path) {
    let Some((above, name)) = path.split() else { return };
    each(tree, above, &mut |found| match found {
        Tree::List(items) => {
            if let Some(at) = name.parse::<usize>().ok().filter(|at| *at < items.len()) {
                items.remove(at);
            }
        }
        _ => drop(found.take(name)),
    });
}

fn rename<'a>(tree: &mut Tree<'a>, path: &'a Path, to: &'a str) {
    let Some((above, name)) = path.split() else { return };
    each(tree, above, &mut |found| {
        if name == to || found.get(name).is_none() {
            return;
        }
        found.take(to);
        let Tree::Map(entries) = found else { return };
        for (known, _) in entries.iter_mut().filter(|(known, _)| known.is(name)) {
            *known = Name::of(to);
        }
    });
}

fn relocate<'a>(tree: &mut Tree<'a>, way: &'a Way) {
    let Some((above, name)) = way.from.split() else { return };
    each(tree, &way.common.0, &mut |place| {
        let mut taken = None;
        each(place, above, &mut |found| taken = found.take(name));
        if let (Some(value), Some((above, name))) = (taken, way.to.split()) {
            let mut value = Some(value);
            each_made(place, above, &mut |found| {
                if let Some(value) = value.take() {
                    found.put(name, value);
                }
            });
        }
    });
}

fn copy<'a>(tree: &mut Tree<'a>, way: &'a Way, room: &mut Room) -> Result<(), TooLarge> {
    let mut done = Ok(());
    each(tree, &way.common.0, &mut |place| {
        let mut found = None;
        each(place, &way.from.0, &mut |value| found = Some(room.copy(value)));
        match (found, way.to.split()) {
            (Some(Ok(value)), Some((above, name))) => {
                let mut value = Some(value);
                each_made(place, above, &mut |found| {
                    if let Some(value) = value.take() {
                        found.put(name, value);
                    }
                });
            }
            (Some(Err(large)), _) => done = Err(large),
            _ => {}
        }
    });
    done
}

/// Puts a value at every place of a path.
fn set<'a>(tree: &mut Tree<'a>, path: &'a Path, value: &'a Tree<'static>, room: &mut Room) -> Result<(), TooLarge> {
    place(tree, path, room, &|found, name, room| {
        room.0 = room.0.checked_sub(value.count()).ok_or(TooLarge)?;
        found.put(name, value.lend());
        Ok(())
    })
}

fn set_own<'a>(tree: &mut Tree<'a>, path: &'a Path, value: &Tree<'static>, room: &mut Room) -> Result<(), TooLarge> {
    place(tree, path, room, &|found, name, room| {
        found.put(name, room.copy(value)?);
        Ok(())
    })
}

fn default<'a>(tree: &mut Tree<'a>, path: &'a Path, value: &'a Tree<'static>, room: &mut Room) -> Result<(), TooLarge> {
    place(tree, path, room, &|found, name, room| {
        let absent = found.get(name).is_none_or(|known| *known == Tree::NULL);
        if absent && matches!(found, Tree::Map(_)) {
            room.0 = room.0.checked_sub(value.count()).ok_or(TooLarge)?;
            found.put(name, value.lend());
        }
        Ok(())
    })
}

type Put<'p, 'a> = &'p dyn Fn(&mut Tree<'a>, &'a str, &mut Room) -> Result<(), TooLarge>;

/// Acts on each object that a path's last name is to stand in; those that are absent are made.
fn place<'a>(tree: &mut Tree<'a>, path: &'a Path, room: &mut Room, put: Put<'_, 'a>) -> Result<(), TooLarge> {
    let Some((above, name)) = path.split() else { return Ok(()) };
    let mut done = Ok(());
    each_made(tree, above, &mut |found| {
        if let Tree::List(items) = found {
            // A place in an array is set where there is one.
            if let Some(item) = name.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                let mut holder = Tree::Map(Vec::new());
                if done.is_ok() {
                    done = put(&mut holder, name, room);
                }
                if let Some(value) = holder.take(name) {
                    *item = value;
                }
            }
        } else if done.is_ok() {
            done = put(found, name, room);
        }
    });
    done
}

/// The value of an expression.
fn computed(value: Value<'_>) -> Option<Tree<'static>> {
    let plain = |text: String| Some(Tree::Plain(Cow::Owned(text)));
    match value {
        Value::Absent => None,
        Value::Bool(value) => plain(value.to_string()),
        Value::Int(value) => plain(value.to_string()),
        Value::Double(value) => serde_json::Number::from_f64(value).and_then(|number| plain(number.to_string())),
        Value::Text(text) => Some(Tree::text(&text)),
        Value::List(items) => Some(Tree::List(items.into_iter().filter_map(computed).collect())),
    }
}

fn flatten<'a>(tree: &mut Tree<'a>, separator: &str) {
    match tree {
        Tree::Plain(_) => {}
        Tree::List(items) => {
            let nested = std::mem::take(items);
            for item in nested {
                match item {
                    Tree::List(inner) => items.extend(inner),
                    other => items.push(other),
                }
            }
        }
        Tree::Map(entries) => {
            let nested = std::mem::take(entries);
            let separator = super::tree::escaped(separator);
            for (name, value) in nested {
                hoist(name, value, &separator, entries);
            }
        }
    }
}

/// Puts a value under its name, and what stands in an object under both names.
fn hoist<'a>(name: Name<'a>, value: Tree<'a>, separator: &str, out: &mut Vec<(Name<'a>, Tree<'a>)>) {
    match value {
        Tree::Map(entries) if !entries.is_empty() => {
            for (inner, value) in entries {
                let joined = Name(Cow::Owned(format!("{}{separator}{}", name.0, inner.0)));
                hoist(joined, value, separator, out);
            }
        }
        value => out.push((name, value)),
    }
}
