//! Names: variables, entries of maps, groups of names; and what stands behind a `[…]`.

use cel::common::ast::{Expr as Tree, IdedExpr, LiteralValue};
use http::HeaderName;

use super::{Lowerer, Typed, index};
use crate::expr::fact::Map;
use crate::expr::node::{Head, Node, Test};
use crate::expr::schema::{self, Item, Source, Type, Variable, children, variable};

/// What a name means.
enum Meaning {
    Item(Type),
    Variable(&'static Variable),
    Entry(Map, String),
    Claim(Box<[Box<str>]>),
}

impl Lowerer<'_> {
    /// A name as a value.
    pub(super) fn name(&mut self, tree: &IdedExpr) -> Option<Typed> {
        let Some(segments) = segments(tree) else {
            let Tree::Select(select) = &tree.expr else { return None };
            let of = self.typed(&select.operand)?;
            if let Node::Claim(path) = of.node {
                return Typed::new(Node::Claim(deeper(path, &select.field)), Type::Any);
            }
            let at = self.parsed.place(tree);
            return self.fault(at, format!("{} has no fields", of.kind.as_str()), "take what is behind the dot out");
        };
        match self.meaning(&segments)? {
            Meaning::Item(kind) => Typed::new(Node::Item, kind),
            Meaning::Entry(map, key) => self.entry(tree, map, &key),
            Meaning::Claim(path) => Typed::new(Node::Claim(path), Type::Any),
            Meaning::Variable(variable) => match variable.source {
                Source::Fact(fact) => Typed::new(Node::Fact(fact), variable.kind),
                Source::Map(map) => Typed::new(Node::Keys(map), variable.kind),
                Source::Group(_) => {
                    let at = self.parsed.place(tree);
                    self.group(at, variable.name)
                }
            },
        }
    }

    fn group<T>(&mut self, at: std::ops::Range<usize>, name: &str) -> Option<T> {
        let (message, help) = schema::is_group(name);
        self.fault(at, message, help)
    }

    /// The longest known name that the segments begin with, and what is left of them.
    fn meaning(&mut self, segments: &[(&str, &IdedExpr)]) -> Option<Meaning> {
        let (first, _) = segments.first()?;
        if let Some((_, kind)) = self.item.as_ref().filter(|(name, _)| name == first) {
            let kind = *kind;
            return match segments.get(1) {
                None => Some(Meaning::Item(kind)),
                Some((_, tree)) => {
                    let at = self.parsed.place(tree);
                    self.fault(at, format!("{} has no fields", kind.as_str()), "take what is behind the dot out")
                }
            };
        }
        let mut name = String::new();
        for (place, (segment, tree)) in segments.iter().enumerate() {
            let above = name.clone();
            name.push_str(segment);
            let rest = segments.get(place + 1..).unwrap_or_default();
            if let Some(found) = variable(&name) {
                if rest.is_empty() || !matches!(found.source, Source::Group(_)) {
                    self.known(tree, found)?;
                }
                match (found.source, rest) {
                    (_, []) => return Some(Meaning::Variable(found)),
                    (Source::Map(Map::Claims), path) => {
                        return Some(Meaning::Claim(path.iter().map(|(name, _)| (*name).into()).collect()));
                    }
                    (Source::Map(map), [(key, _)]) => return Some(Meaning::Entry(map, (*key).to_owned())),
                    (Source::Map(_), [_, (_, over), ..]) | (Source::Fact(_), [(_, over), ..]) => {
                        let kind = if matches!(found.source, Source::Map(_)) { Type::Text } else { found.kind };
                        let at = self.parsed.place(over);
                        let message = format!("{} has no fields", kind.as_str());
                        return self.fault(at, message, "take what is behind the dot out");
                    }
                    (Source::Group(_), _) => {}
                }
            } else if children(&format!("{name}.")).next().is_none() {
                return self.unknown(tree, &above, segment);
            } else if rest.is_empty() {
                let at = self.parsed.place(tree);
                return self.group(at, &name);
            }
            name.push('.');
        }
        None
    }

    fn unknown<T>(&mut self, tree: &IdedExpr, above: &str, segment: &str) -> Option<T> {
        let at = self.parsed.place(tree);
        let (message, help) = schema::unknown(above, segment);
        self.fault(at, message, help)
    }

    /// Checks that a variable is known at this point of an exchange, and remembers what is read.
    fn known(&mut self, tree: &IdedExpr, variable: &'static Variable) -> Option<()> {
        if let Some((message, help)) = variable.refusal(self.scope) {
            let at = self.parsed.place(tree);
            return self.fault(at, message, help);
        }
        self.reads.add(variable.reads());
        Some(())
    }

    /// The value under a known key.
    fn entry(&mut self, tree: &IdedExpr, map: Map, key: &str) -> Option<Typed> {
        let head = match map {
            Map::RequestHeaders => Head::Request,
            Map::ResponseHeaders => Head::Response,
            Map::Claims => return Typed::new(Node::Claim([key.into()].into()), Type::Any),
            _ => return Typed::new(Node::Entry(map, key.into()), Type::Text),
        };
        match HeaderName::try_from(key) {
            Ok(name) => Typed::new(Node::Field(head, name), Type::Text),
            Err(_) => {
                let at = self.parsed.place(tree);
                self.fault(at, format!("`{key}` is not a header name"), "use letters, digits and `-`")
            }
        }
    }

    /// The value under a key of a map of the exchange.
    pub(super) fn under(&mut self, map: Map, key: &IdedExpr) -> Option<Typed> {
        if let Tree::Literal(LiteralValue::String(literal)) = &key.expr {
            return self.entry(key, map, literal.inner());
        }
        let typed = self.typed(key)?;
        if !typed.kind.may_be(Type::Text) {
            let at = self.parsed.place(key);
            return self.fault(at, "the keys of this map are texts", "look up a text");
        }
        let kind = if map == Map::Claims { Type::Any } else { Type::Text };
        Typed::new(Node::EntryAt(map, Box::new(typed.node)), kind)
    }

    /// `a[b]`.
    pub(super) fn index(&mut self, tree: &IdedExpr) -> Option<Typed> {
        let (of, key) = index(tree)?;
        if matches!(of.expr, Tree::Map(_)) {
            return self.pick(tree, of, key);
        }
        let typed = self.typed(of)?;
        match (typed.node, typed.kind) {
            (Node::Keys(map), Type::Map(_)) => self.under(map, key),
            (Node::Claim(path), Type::Any) => self.in_claim(path, key),
            (node, Type::List(item)) => {
                let place = self.typed(key)?;
                if !place.kind.may_be(Type::Int) || item == Item::None {
                    let at = self.parsed.place(key);
                    return self.fault(at, "the items of a list are counted, from 0", "write a whole number");
                }
                Typed::new(Node::At(Box::new((node, place.node))), item.as_type())
            }
            (_, other) => {
                let at = self.parsed.place(tree);
                self.fault(at, format!("{} has no entries", other.as_str()), "take the `[…]` out")
            }
        }
    }

    /// `auth.claims.a["b"]`, `auth.claims.a[0]`.
    fn in_claim(&mut self, path: Box<[Box<str>]>, key: &IdedExpr) -> Option<Typed> {
        if let Tree::Literal(LiteralValue::String(literal)) = &key.expr {
            return Typed::new(Node::Claim(deeper(path, literal.inner())), Type::Any);
        }
        let place = self.typed(key)?;
        if place.kind != Type::Int {
            let at = self.parsed.place(key);
            return self.fault(
                at,
                "inside of a claim, a name is a literal text",
                "write `[\"name\"]`, or `[0]` in a list",
            );
        }
        Typed::new(Node::At(Box::new((Node::Claim(path), place.node))), Type::Any)
    }

    /// Whether there is such a thing: `has(…)`, `… != null`.
    pub(super) fn given(&mut self, tree: &IdedExpr) -> Option<Test> {
        let Some(segments) = segments(tree) else {
            return self.typed(tree).map(|typed| Test::Given(typed.node));
        };
        match self.meaning(&segments)? {
            Meaning::Item(_) => Some(Test::Given(Node::Item)),
            Meaning::Entry(map, key) => self.entry(tree, map, &key).map(|typed| Test::Given(typed.node)),
            Meaning::Claim(path) => Some(Test::Given(Node::Claim(path))),
            Meaning::Variable(variable) => Some(match variable.source {
                Source::Fact(fact) => Test::Given(Node::Fact(fact)),
                Source::Map(_) => Test::Known(true),
                Source::Group(group) => Test::GroupGiven(group),
            }),
        }
    }
}

fn deeper(path: Box<[Box<str>]>, name: &str) -> Box<[Box<str>]> {
    path.into_iter().chain([name.into()]).collect()
}

/// The segments of a dotted name, each with its tree; `None` for anything else.
fn segments(tree: &IdedExpr) -> Option<Vec<(&str, &IdedExpr)>> {
    let mut segments = Vec::new();
    let mut rest = tree;
    loop {
        match &rest.expr {
            Tree::Ident(name) => {
                segments.push((name.strip_prefix('.').unwrap_or(name), rest));
                segments.reverse();
                return Some(segments);
            }
            Tree::Select(select) if !select.test => {
                segments.push((&select.field, rest));
                rest = &select.operand;
            }
            _ => return None,
        }
    }
}
