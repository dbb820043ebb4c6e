//! Operators.

use cel::common::ast::{CallExpr, Expr as Tree, IdedExpr, operators};

use super::{Lowerer, Typed, is, is_null};
use crate::expr::node::{Call, Node, Order, Set, Sign, Test};
use crate::expr::schema::{Item, Type};

/// The most operands of one sum of numbers: it is evaluated by recursion.
const MOST_OPERANDS: usize = 48;

impl Lowerer<'_> {
    /// An operator, a function or a macro.
    pub(super) fn call(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        if call.target.is_some() {
            return self.method(tree, call);
        }
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, _) => self.logic(tree, name),
            (operators::LOGICAL_NOT, [of]) => Typed::test(Test::Not(Box::new(self.test(of)?))),
            (operators::EQUALS, [a, b]) => self.equal(tree, a, b).and_then(Typed::test),
            (operators::NOT_EQUALS, [a, b]) => Typed::test(Test::Not(Box::new(self.equal(tree, a, b)?))),
            (operators::LESS, [a, b]) => self.order(tree, Order::Less, a, b),
            (operators::LESS_EQUALS, [a, b]) => self.order(tree, Order::LessOrEqual, a, b),
            (operators::GREATER, [a, b]) => self.order(tree, Order::Greater, a, b),
            (operators::GREATER_EQUALS, [a, b]) => self.order(tree, Order::GreaterOrEqual, a, b),
            (operators::IN, [of, among]) => self.among(tree, of, among),
            (operators::ADD, _) => self.sum(tree),
            (operators::SUBSTRACT, [a, b]) => self.arithmetic(tree, Sign::Subtract, a, b),
            (operators::MULTIPLY, [a, b]) => self.arithmetic(tree, Sign::Multiply, a, b),
            (operators::DIVIDE, [a, b]) => self.arithmetic(tree, Sign::Divide, a, b),
            (operators::MODULO, [a, b]) => self.arithmetic(tree, Sign::Remainder, a, b),
            (operators::NEGATE, [of]) => self.negate(tree, of),
            (operators::CONDITIONAL, [condition, yes, no]) => self.choice(tree, condition, yes, no),
            (operators::INDEX, [_, _]) => self.index(tree),
            _ => self.function(tree, call),
        }
    }

    /// `a && b && c`, `a || b || c`: one node, however many.
    fn logic(&mut self, tree: &IdedExpr, operator: &str) -> Option<Typed> {
        let mut operands = Vec::new();
        let mut left = vec![tree];
        while let Some(next) = left.pop() {
            match &next.expr {
                Tree::Call(call) if is(call, operator) => left.extend(call.args.iter().rev()),
                _ => operands.push(next),
            }
        }
        let tests: Vec<_> = operands.into_iter().map(|operand| self.test(operand)).collect();
        let tests: Box<[Test]> = tests.into_iter().collect::<Option<_>>()?;
        Typed::test(if operator == operators::LOGICAL_AND { Test::All(tests) } else { Test::Any(tests) })
    }

    fn pair(&mut self, a: &IdedExpr, b: &IdedExpr) -> Option<(Typed, Typed)> {
        let (a, b) = (self.typed(a), self.typed(b));
        Some((a?, b?))
    }

    fn equal(&mut self, tree: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Option<Test> {
        match (is_null(a), is_null(b)) {
            (true, true) => return Some(Test::Known(true)),
            (false, true) => return Some(Test::Not(Box::new(self.given(a)?))),
            (true, false) => return Some(Test::Not(Box::new(self.given(b)?))),
            (false, false) => {}
        }
        let (a, b) = self.pair(a, b)?;
        let comparable = match (a.kind, b.kind) {
            (Type::Map(_), _) | (_, Type::Map(_)) => false,
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::List(a), Type::List(b)) => {
                a == b || a == Item::None || b == Item::None || a == Item::Any || b == Item::Any
            }
            (a, b) => a == b || a.is_number() && b.is_number(),
        };
        if !comparable {
            let at = self.parsed.place(tree);
            let message = format!("{} and {} cannot be compared", a.kind.as_str(), b.kind.as_str());
            return self.fault(at, message, "bring them to one type with `int()`, `double()` or `string()`");
        }
        Some(match (a.node, b.node) {
            (Node::Text(text), node) | (node, Node::Text(text)) => Test::TextIs(node, text),
            (a, b) => Test::Same(a, b),
        })
    }

    fn order(&mut self, tree: &IdedExpr, order: Order, a: &IdedExpr, b: &IdedExpr) -> Option<Typed> {
        let (a, b) = self.pair(a, b)?;
        let texts = a.kind.may_be(Type::Text) && b.kind.may_be(Type::Text);
        let number = |kind: Type| kind.is_number() || kind == Type::Any;
        if !(texts || number(a.kind) && number(b.kind)) {
            let at = self.parsed.place(tree);
            let message = format!("{} and {} have no order", a.kind.as_str(), b.kind.as_str());
            return self.fault(at, message, "compare numbers, or texts; `int(…)` makes a number of a text");
        }
        Typed::test(Test::Order(order, a.node, b.node))
    }

    /// `a in b`: a key of a map, an item of a list.
    fn among(&mut self, tree: &IdedExpr, of: &IdedExpr, among: &IdedExpr) -> Option<Typed> {
        let list = self.typed(among);
        if let Some(Typed { node: Node::Keys(map), .. }) = &list {
            let found = self.under(*map, of)?;
            return Typed::test(Test::Given(found.node));
        }
        let (of, list) = (self.typed(of), list?);
        let of = of?;
        let item = match list.kind {
            Type::List(item) => Some(item),
            Type::Any => Some(Item::Any),
            _ => None,
        };
        let Some(item) = item else {
            let at = self.parsed.place(among);
            let message = format!("`in` looks into a list or a map, and this is {}", list.kind.as_str());
            return self.fault(at, message, "for a part of a text write `text.contains(part)`");
        };
        let any = of.kind == Type::Any || matches!(item, Item::Any | Item::None);
        if !any && of.kind != item.as_type() && !(of.kind.is_number() && item.as_type().is_number()) {
            let at = self.parsed.place(tree);
            let message = format!("the list does not hold {}", of.kind.as_str());
            return self.fault(at, message, "bring them to one type with `int()` or `string()`");
        }
        Typed::test(match (list.node, item) {
            (Node::Fact(fact), _) => Test::Listed(of.node, fact),
            (node, Item::Text | Item::Int) if of.kind.may_be(item.as_type()) => match set(&node) {
                Some(set) => Test::Among(of.node, set),
                None => Test::In(of.node, node),
            },
            (node, _) => Test::In(of.node, node),
        })
    }

    /// `a + b + c`: texts become one, numbers their sum.
    fn sum(&mut self, tree: &IdedExpr) -> Option<Typed> {
        let mut operands = Vec::new();
        let mut rest = tree;
        while let Tree::Call(call) = &rest.expr
            && is(call, operators::ADD)
            && let [left, right] = call.args.as_slice()
        {
            operands.push(right);
            rest = left;
        }
        operands.push(rest);
        operands.reverse();
        let typed: Vec<_> = operands.iter().map(|operand| self.typed(operand)).collect();
        let mut typed = typed.into_iter().collect::<Option<Vec<_>>>()?;
        let first = typed.first()?.kind;
        if let Some((at, other)) = operands.iter().zip(&typed).find(|(_, other)| other.kind != first) {
            let place = self.parsed.place(at);
            let message = format!("{} cannot be added to {}", other.kind.as_str(), first.as_str());
            return self.fault(place, message, "bring them to one type with `string()`, `int()` or `double()`");
        }
        match first {
            Type::Text => Typed::new(Node::Join(typed.into_iter().map(|typed| typed.node).collect()), Type::Text),
            Type::Int | Type::Double if typed.len() <= MOST_OPERANDS => {
                let start = typed.remove(0).node;
                let add = |sum, typed: Typed| Node::Arithmetic(Sign::Add, Box::new((sum, typed.node)));
                Typed::new(typed.into_iter().fold(start, add), first)
            }
            Type::Int | Type::Double => {
                let at = self.parsed.place(tree);
                self.fault(at, format!("the sum has more than {MOST_OPERANDS} parts"), "add what is known before")
            }
            other => {
                let at = self.parsed.place(tree);
                self.fault(at, format!("{} cannot be added", other.as_str()), "add numbers, or texts")
            }
        }
    }

    fn arithmetic(&mut self, tree: &IdedExpr, sign: Sign, a: &IdedExpr, b: &IdedExpr) -> Option<Typed> {
        let (a, b) = self.pair(a, b)?;
        if a.kind != b.kind || !a.kind.is_number() || (sign == Sign::Remainder && a.kind == Type::Double) {
            let at = self.parsed.place(tree);
            let message = format!("no such arithmetic between {} and {}", a.kind.as_str(), b.kind.as_str());
            return self.fault(at, message, "both sides are whole numbers, or both have a fraction: `double(…)`");
        }
        Typed::new(Node::Arithmetic(sign, Box::new((a.node, b.node))), a.kind)
    }

    fn negate(&mut self, tree: &IdedExpr, of: &IdedExpr) -> Option<Typed> {
        let of = self.typed(of)?;
        if !of.kind.is_number() {
            let at = self.parsed.place(tree);
            return self.fault(at, format!("{} has no negative", of.kind.as_str()), "negate a number");
        }
        Typed::new(Node::Call(Call::Negate, [of.node].into()), of.kind)
    }

    fn choice(&mut self, tree: &IdedExpr, condition: &IdedExpr, yes: &IdedExpr, no: &IdedExpr) -> Option<Typed> {
        let condition = self.test(condition);
        let (yes, no) = self.pair(yes, no)?;
        let condition = condition?;
        let kind = match (yes.kind, no.kind) {
            (Type::Null, kind) | (kind, Type::Null) => kind,
            (Type::List(Item::None), kind @ Type::List(_)) | (kind @ Type::List(_), Type::List(Item::None)) => kind,
            (a, b) if a == b => a,
            (Type::Any, other) | (other, Type::Any) if !matches!(other, Type::Map(_)) => Type::Any,
            (a, b) => {
                let at = self.parsed.place(tree);
                let message = format!("the two outcomes are {} and {}", a.as_str(), b.as_str());
                return self.fault(at, message, "both outcomes have one type: `string(…)`, `double(…)`");
            }
        };
        if matches!(kind, Type::Map(_)) {
            let at = self.parsed.place(tree);
            return self.fault(at, "a map cannot be chosen", "choose an entry of it");
        }
        match (yes.node, no.node) {
            (Node::Test(yes), Node::Test(no)) => Typed::test(Test::If(Box::new((condition, *yes, *no)))),
            (yes, no) => Typed::new(Node::If(Box::new((condition, yes, no))), kind),
        }
    }
}

/// A list of literals as a set.
fn set(list: &Node) -> Option<Set> {
    let Node::List(items) = list else { return None };
    let texts = items.iter().map(|item| if let Node::Text(text) = item { Some(text.clone()) } else { None });
    if let Some(texts) = texts.collect() {
        return Some(Set::Texts(texts));
    }
    let ints = items.iter().map(|item| if let Node::Int(number) = item { Some(*number) } else { None });
    ints.collect::<Option<_>>().map(Set::Ints)
}
