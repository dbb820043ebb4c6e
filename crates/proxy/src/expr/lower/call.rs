//! Functions, methods and comprehensions.

use cel::common::ast::{CallExpr, Expr as Tree, IdedExpr, LiteralValue};
use model::problem::did_you_mean;
use model::resolve::parse_network;
use regex::{Regex, RegexBuilder};

use super::{Lowerer, Typed};
use crate::expr::fact::Fact;
use crate::expr::node::{Address, Call, Node, Test};
use crate::expr::schema::{Item, Type, callable, children};

/// The most bytes of a compiled regular expression.
const MOST_REGEX: usize = 1 << 20;

impl Lowerer<'_> {
    /// `f(…)`.
    pub(super) fn function(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("has", [of]) => self.given(of).and_then(Typed::test),
            ("size", [of]) => self.size(of),
            ("int", [of]) => self.convert(tree, Call::Int, of, Type::Int),
            ("double", [of]) => self.convert(tree, Call::Double, of, Type::Double),
            ("string", [of]) => self.convert(tree, Call::String, of, Type::Text),
            ("matches", [of, pattern]) => self.matches(of, pattern),
            ("inNetwork", [of, networks @ ..]) if !networks.is_empty() => self.network(of, networks),
            _ => self.unknown_call(tree, call),
        }
    }

    /// `a.f(…)`.
    pub(super) fn method(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let of = call.target.as_deref()?;
        let arguments = call.args.as_slice();
        match (call.func_name.as_str(), arguments) {
            ("matches", [pattern]) => self.matches(of, pattern),
            ("startsWith", [with]) => self.both_texts(of, with, Test::Begins),
            ("endsWith", [with]) => self.both_texts(of, with, Test::Ends),
            ("contains", [part]) => self.both_texts(of, part, Test::Holds),
            ("size", []) => self.size(of),
            ("lowerAscii", []) => self.texts(Call::Lower, &[of], Type::Text),
            ("upperAscii", []) => self.texts(Call::Upper, &[of], Type::Text),
            ("trim", []) => self.texts(Call::Trim, &[of], Type::Text),
            ("replace", [old, new]) => self.texts(Call::Replace, &[of, old, new], Type::Text),
            ("split", [by]) => self.texts(Call::Split, &[of, by], Type::List(Item::Text)),
            ("join", [by]) => {
                let list = self.expect(of, Type::List(Item::Text));
                let by = self.expect(by, Type::Text);
                Typed::new(Node::Call(Call::Concat, [list?, by?].into()), Type::Text)
            }
            ("substring", [from]) => self.substring(of, &[from]),
            ("substring", [from, to]) => self.substring(of, &[from, to]),
            ("orValue", [other]) => self.or_value(tree, of, other),
            ("exists" | "all" | "exists_one" | "existsOne" | "filter" | "map", [item, body]) => {
                self.comprehension(tree, call, of, item, body)
            }
            _ => self.unknown_call(tree, call),
        }
    }

    fn unknown_call(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let at = self.parsed.place(tree);
        let name = call.func_name.as_str();
        if let Some(known) = callable().find(|known| known.name == name) {
            return self.fault(at, format!("`{name}` is not called like this"), format!("write `{}`", known.form));
        }
        let near = did_you_mean(name, callable().map(|known| known.name));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let known: Vec<_> = callable().map(|known| known.name).collect();
        self.fault(at, format!("unknown function `{name}`{hint}"), format!("there are {}", known.join(", ")))
    }

    /// An expression of this type.
    fn expect(&mut self, tree: &IdedExpr, kind: Type) -> Option<Node> {
        let typed = self.typed(tree)?;
        if typed.kind.may_be(kind) {
            return Some(typed.node);
        }
        let at = self.parsed.place(tree);
        let help = match kind {
            Type::Text => "`string(…)` makes text of it",
            Type::Int => "`int(…)` makes a whole number of it",
            _ => "`split` makes a list of a text",
        };
        self.fault(at, format!("this is {}, and {} is asked for", typed.kind.as_str(), kind.as_str()), help)
    }

    fn both_texts(&mut self, a: &IdedExpr, b: &IdedExpr, test: fn(Node, Node) -> Test) -> Option<Typed> {
        let (a, b) = (self.expect(a, Type::Text), self.expect(b, Type::Text));
        Typed::test(test(a?, b?))
    }

    fn texts(&mut self, call: Call, arguments: &[&IdedExpr], gives: Type) -> Option<Typed> {
        let nodes: Vec<_> = arguments.iter().map(|argument| self.expect(argument, Type::Text)).collect();
        Typed::new(Node::Call(call, nodes.into_iter().collect::<Option<_>>()?), gives)
    }

    fn substring(&mut self, of: &IdedExpr, places: &[&IdedExpr]) -> Option<Typed> {
        let mut nodes = vec![self.expect(of, Type::Text)];
        nodes.extend(places.iter().map(|place| self.expect(place, Type::Int)));
        Typed::new(Node::Call(Call::Substring, nodes.into_iter().collect::<Option<_>>()?), Type::Text)
    }

    fn size(&mut self, of: &IdedExpr) -> Option<Typed> {
        let typed = self.typed(of)?;
        if matches!(typed.kind, Type::Text | Type::Any | Type::List(_) | Type::Map(_)) {
            return Typed::new(Node::Call(Call::Size, [typed.node].into()), Type::Int);
        }
        let at = self.parsed.place(of);
        self.fault(at, format!("{} has no size", typed.kind.as_str()), "texts, lists and maps have one")
    }

    fn convert(&mut self, tree: &IdedExpr, call: Call, of: &IdedExpr, gives: Type) -> Option<Typed> {
        let typed = self.typed(of)?;
        let fits = typed.kind.is_number()
            || typed.kind.may_be(Type::Text)
            || (gives == Type::Text && typed.kind == Type::Bool);
        if fits {
            return Typed::new(Node::Call(call, [typed.node].into()), gives);
        }
        let at = self.parsed.place(tree);
        let message = format!("{} cannot become {}", typed.kind.as_str(), gives.as_str());
        self.fault(at, message, "convert a text or a number")
    }

    /// The pattern is a literal, so that it is compiled here and its size is known.
    fn matches(&mut self, of: &IdedExpr, pattern: &IdedExpr) -> Option<Typed> {
        let of = self.expect(of, Type::Text);
        let at = self.parsed.place(pattern);
        let Tree::Literal(LiteralValue::String(literal)) = &pattern.expr else {
            return self.fault(
                at,
                "the pattern of `matches` is a literal text",
                "use `contains`, `startsWith` or `==`",
            );
        };
        match RegexBuilder::new(literal.inner()).size_limit(MOST_REGEX).build() {
            Ok(regex) => Typed::test(simple(of?, literal.inner(), regex)),
            Err(error) => {
                let said = error.to_string();
                let reason = said.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
                self.fault(
                    at,
                    format!("not a regular expression: {reason}"),
                    "in quotes, a backslash is written `\\\\`",
                )
            }
        }
    }

    fn network(&mut self, of: &IdedExpr, networks: &[IdedExpr]) -> Option<Typed> {
        let of = self.expect(of, Type::Text);
        let mut parsed = Vec::with_capacity(networks.len());
        for network in networks {
            let at = self.parsed.place(network);
            let Tree::Literal(LiteralValue::String(literal)) = &network.expr else {
                return self.fault(
                    at,
                    "the networks are literal texts",
                    "write `inNetwork(client.address, \"10.0.0.0/8\")`",
                );
            };
            let Some(found) = parse_network(literal.inner()) else {
                let message = format!("`{}` is not an address or a network", literal.inner());
                return self.fault(at, message, "write an address or CIDR such as `10.0.0.0/8`");
            };
            parsed.push(found);
        }
        let address = match of? {
            Node::Fact(Fact::ClientAddress) => Address::Client,
            Node::Fact(Fact::LocalAddress) => Address::Local,
            node => Address::Text(node),
        };
        Typed::test(Test::Network(address, parsed.into()))
    }

    fn or_value(&mut self, tree: &IdedExpr, of: &IdedExpr, other: &IdedExpr) -> Option<Typed> {
        let (of, other) = (self.typed(of), self.typed(other));
        let (of, other) = (of?, other?);
        let any = of.kind == Type::Any || other.kind == Type::Any;
        if (of.kind != other.kind && !any) || other.kind.as_item().is_none() || of.kind.as_item().is_none() {
            let at = self.parsed.place(tree);
            let message = format!("the value is {}, and its substitute {}", of.kind.as_str(), other.kind.as_str());
            return self.fault(at, message, "both are texts, numbers or booleans of one type");
        }
        Typed::new(Node::Or(Box::new((of.node, other.node))), if any { Type::Any } else { of.kind })
    }

    /// `list.exists(item, condition)` and the like. They cannot be nested, so each is bounded by its list.
    fn comprehension(
        &mut self,
        tree: &IdedExpr,
        call: &CallExpr,
        of: &IdedExpr,
        item: &IdedExpr,
        body: &IdedExpr,
    ) -> Option<Typed> {
        let at = self.parsed.place(tree);
        if self.item.is_some() {
            return self.fault(at, "comprehensions cannot be nested", "split the expression into several");
        }
        let list = self.typed(of)?;
        let held = match list.kind {
            Type::List(held) => Some(held),
            Type::Map(_) => Some(Item::Text),
            Type::Any => Some(Item::Any),
            _ => None,
        };
        let Some(held) = held else {
            let message = format!("`{}` goes through a list, and this is {}", call.func_name, list.kind.as_str());
            return self.fault(at, message, "`split` makes a list of a text");
        };
        let Tree::Ident(name) = &item.expr else {
            let at = self.parsed.place(item);
            return self.fault(at, "a name for the item is asked for", format!("write `.{}(item, …)`", call.func_name));
        };
        if children("").any(|known| known == name) {
            let at = self.parsed.place(item);
            return self.fault(at, format!("`{name}` has a meaning already"), "choose another name");
        }
        self.item = Some((name.clone(), held.as_type()));
        let body = if call.func_name == "map" {
            self.typed(body).map(|typed| (typed, None))
        } else {
            self.test(body).map(|test| (Typed { node: Node::Null, kind: Type::Bool }, Some(test)))
        };
        self.item = None;
        match (call.func_name.as_str(), body?) {
            ("exists", (_, Some(test))) => Typed::test(Test::Exists(list.node, Box::new(test))),
            ("all", (_, Some(test))) => Typed::test(Test::Every(list.node, Box::new(test))),
            ("filter", (_, Some(test))) => Typed::new(Node::Filter(Box::new((list.node, test))), Type::List(held)),
            (_, (_, Some(test))) => Typed::test(Test::One(list.node, Box::new(test))),
            (_, (body, None)) => match body.kind.as_item() {
                Some(made) => Typed::new(Node::Each(Box::new((list.node, body.node))), Type::List(made)),
                None => self.fault(at, "a list holds texts, numbers or booleans", "make one of these of each item"),
            },
        }
    }
}

/// A pattern without anything special is cheaper as what it says.
fn simple(of: Node, pattern: &str, regex: Regex) -> Test {
    let special = |text: &str| text.contains(|c: char| regex_syntax_special(c));
    match pattern.strip_prefix('^') {
        Some(start) if !special(start) => Test::Begins(of, Node::Text(start.into())),
        None if !special(pattern) => Test::Holds(of, Node::Text(pattern.into())),
        _ => Test::Matches(of, regex),
    }
}

fn regex_syntax_special(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | ' ' | '=' | ':' | ',' | '@' | '%'))
}
