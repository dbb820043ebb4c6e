//! CEL's syntax tree to [`Node`], checked on the way: every name, every type, every bound. All faults are found, not
//! the first.

mod call;
mod name;
mod operator;

use std::ops::Range;

use cel::common::ast::{EntryExpr, Expr as Tree, IdedExpr, LiteralValue, operators};

use super::node::{Node, Test};
use super::parse::{Fault, Parsed};
use super::schema::{Item, Type};
use super::{Reads, Scope};

/// How deep the lowered tree may be: it is evaluated by recursion on a worker's stack.
const MOST_DEPTH: usize = 64;
/// The most items of a literal list or map.
const MOST_LITERALS: usize = 1_000;

/// A lowered expression with its type.
pub(super) struct Typed {
    pub(super) node: Node,
    pub(super) kind: Type,
}

impl Typed {
    fn new(node: Node, kind: Type) -> Option<Self> {
        Some(Self { node, kind })
    }

    fn test(test: Test) -> Option<Self> {
        Self::new(Node::Test(Box::new(test)), Type::Bool)
    }
}

/// What lowering gives: the tree, its type, and what it reads.
pub(super) struct Lowered {
    pub(super) typed: Typed,
    pub(super) reads: Reads,
}

/// Lowers a parsed expression over what `scope` knows.
pub(super) fn lower(parsed: &Parsed<'_>, scope: Scope) -> Result<Lowered, Vec<Fault>> {
    let mut lowerer = Lowerer { parsed, scope, faults: Vec::new(), item: None, depth: 0, reads: Reads::default() };
    let typed = lowerer.typed(&parsed.root);
    match typed {
        Some(typed) if lowerer.faults.is_empty() => Ok(Lowered { typed, reads: lowerer.reads }),
        _ => Err(lowerer.faults),
    }
}

struct Lowerer<'t> {
    parsed: &'t Parsed<'t>,
    scope: Scope,
    faults: Vec<Fault>,
    /// The item of the comprehension that is being lowered: there is at most one.
    item: Option<(String, Type)>,
    depth: usize,
    reads: Reads,
}

impl Lowerer<'_> {
    /// Remembers a fault. `None`, so that it can be returned.
    fn fault<T>(&mut self, at: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        if self.faults.len() < 10 {
            self.faults.push(Fault::new(at, message, help));
        }
        None
    }

    fn typed(&mut self, tree: &IdedExpr) -> Option<Typed> {
        if self.depth >= MOST_DEPTH {
            let at = self.parsed.place(tree);
            return self.fault(at, "the expression is nested too deeply", "split it into several");
        }
        self.depth += 1;
        let typed = self.any(tree);
        self.depth -= 1;
        typed
    }

    fn any(&mut self, tree: &IdedExpr) -> Option<Typed> {
        match &tree.expr {
            Tree::Literal(literal) => self.literal(tree, literal),
            Tree::Ident(_) | Tree::Select(_) => self.name(tree),
            Tree::Call(call) => self.call(tree, call),
            Tree::List(list) => self.list(tree, &list.elements),
            Tree::Map(_) => {
                let at = self.parsed.place(tree);
                self.fault(at, "a map can only be looked up in", "put `[key]` behind it")
            }
            Tree::Struct(_) => {
                let at = self.parsed.place(tree);
                self.fault(at, "there are no message types here", "use a map, such as `{\"a\": 1}[key]`")
            }
            Tree::Comprehension(_) | Tree::Unspecified => {
                let at = self.parsed.place(tree);
                self.fault(at, "this cannot be read", "write it in another way")
            }
        }
    }

    /// A condition: an expression that must be a boolean.
    fn test(&mut self, tree: &IdedExpr) -> Option<Test> {
        let typed = self.typed(tree)?;
        self.condition(tree, typed)
    }

    fn condition(&mut self, tree: &IdedExpr, typed: Typed) -> Option<Test> {
        match (typed.node, typed.kind) {
            (Node::Test(test), Type::Bool) => Some(*test),
            (node, Type::Bool | Type::Any) => Some(Test::Is(node)),
            (_, other) => {
                let at = self.parsed.place(tree);
                let message = format!("this is {}, and a condition is asked for", other.as_str());
                self.fault(at, message, "compare it, such as with `== \"…\"`")
            }
        }
    }

    fn literal(&mut self, tree: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        match literal {
            LiteralValue::Boolean(value) => Typed::test(Test::Known(*value.inner())),
            LiteralValue::Int(value) => Typed::new(Node::Int(*value.inner()), Type::Int),
            LiteralValue::Double(value) => Typed::new(Node::Double(*value.inner()), Type::Double),
            LiteralValue::String(value) => Typed::new(Node::Text(value.inner().into()), Type::Text),
            LiteralValue::Null => Typed::new(Node::Null, Type::Null),
            LiteralValue::UInt(value) => match i64::try_from(*value.inner()) {
                Ok(value) => Typed::new(Node::Int(value), Type::Int),
                Err(_) => {
                    let at = self.parsed.place(tree);
                    self.fault(at, "the number does not fit 63 bits", "write a smaller one")
                }
            },
            LiteralValue::Bytes(_) => {
                let at = self.parsed.place(tree);
                self.fault(at, "there are no bytes here", "write a text, without the `b`")
            }
        }
    }

    /// A list literal: items of one type.
    fn list(&mut self, tree: &IdedExpr, elements: &[IdedExpr]) -> Option<Typed> {
        if elements.len() > MOST_LITERALS {
            let at = self.parsed.place(tree);
            return self.fault(at, format!("the list has more than {MOST_LITERALS} items"), "use a regular expression");
        }
        let lowered: Vec<_> = elements.iter().map(|element| self.typed(element)).collect();
        let mut nodes = Vec::with_capacity(lowered.len());
        let mut held = Item::None;
        for (element, typed) in elements.iter().zip(lowered) {
            let typed = typed?;
            let item = typed.kind.as_item();
            match item {
                Some(item) if held == Item::None || held == item => held = item,
                Some(_) => {
                    let at = self.parsed.place(element);
                    let message = format!("this is {}, and the items before are not", typed.kind.as_str());
                    return self.fault(at, message, "the items of a list have one type");
                }
                None => {
                    let at = self.parsed.place(element);
                    return self.fault(at, "a list holds texts, numbers or booleans", "take this out");
                }
            }
            nodes.push(typed.node);
        }
        Typed::new(Node::List(nodes.into()), Type::List(held))
    }

    /// `{…}[key]`: one of several values, by a text.
    fn pick(&mut self, tree: &IdedExpr, map: &IdedExpr, key: &IdedExpr) -> Option<Typed> {
        let Tree::Map(literal) = &map.expr else { return None };
        let looked_up = self.typed(key);
        let mut entries = std::collections::HashMap::new();
        let mut held = None;
        for entry in &literal.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let at = self.parsed.place(&entry.key);
            let Tree::Literal(LiteralValue::String(name)) = &entry.key.expr else {
                return self.fault(at, "keys are literal texts", "write `{\"key\": value}`");
            };
            let value = self.typed(&entry.value)?;
            if held.is_some_and(|held| held != value.kind) || value.kind.as_item().is_none() {
                let at = self.parsed.place(&entry.value);
                let message = format!("this is {}, and the values before are not", value.kind.as_str());
                return self.fault(at, message, "the values of a map are of one type: text, numbers or booleans");
            }
            held = Some(value.kind);
            if entries.insert(Box::from(name.inner()), value.node).is_some() {
                return self.fault(at, format!("the key `{}` is there twice", name.inner()), "take one of them out");
            }
        }
        if looked_up.as_ref().is_some_and(|key| !key.kind.may_be(Type::Text)) {
            let at = self.parsed.place(key);
            return self.fault(at, "the keys of this map are texts", "look up a text");
        }
        let Some(kind) = held else {
            let at = self.parsed.place(tree);
            return self.fault(at, "the map is empty", "add `\"key\": value`");
        };
        Typed::new(Node::Pick(Box::new((entries, looked_up?.node))), kind)
    }
}

/// Whether a call is of this operator.
fn is(call: &cel::common::ast::CallExpr, operator: &str) -> bool {
    call.target.is_none() && call.func_name == operator
}

/// Whether a tree is `null`.
fn is_null(tree: &IdedExpr) -> bool {
    matches!(tree.expr, Tree::Literal(LiteralValue::Null))
}

/// The two sides of `a[b]`.
fn index(tree: &IdedExpr) -> Option<(&IdedExpr, &IdedExpr)> {
    match &tree.expr {
        Tree::Call(call) if is(call, operators::INDEX) => match call.args.as_slice() {
            [of, key] => Some((of, key)),
            _ => None,
        },
        _ => None,
    }
}
