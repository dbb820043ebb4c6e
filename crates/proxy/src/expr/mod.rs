//! Expressions (CEL) and templates over an exchange.
//!
//! The `cel` crate parses; names, types and bounds are checked against our own [`schema`], and what is right is
//! lowered to our own tree, in which nothing is left to look up or compile. Everything that is accepted is lowered, so
//! there is one meaning and one evaluator; the crate's interpreter is the oracle of the tests.
//!
//! What has no value (a missing key, a failed conversion, a division by zero) is *absent*: it equals nothing, has no
//! order and no parts, so a comparison with it does not hold; a function of it is absent; `!=` is the opposite of `==`.

mod claims;
mod deep;
mod eval;
mod fact;
mod lower;
mod node;
mod parse;
mod reference;
pub mod schema;
mod strict;
pub mod template;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;
use std::sync::Arc;

use model::load::Spanned;
use model::problem::{Part, Problem};

pub use reference::reference;
pub use template::{Form, Template};
pub use value::Value;

use crate::exchange::Exchange;
use node::{Node, Test};
use parse::Fault;
use schema::Type;

/// What an expression may read: what is known by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The request head and the connection.
    Match,
    /// And the caller's identity, captures, the route.
    Request,
    /// And the response head.
    Response,
}

impl Scope {
    /// From where on it is known, for docs.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Match => "match",
            Scope::Request => "request",
            Scope::Response => "response",
        }
    }
}

/// What an expression reads that is not always at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reads(u8);

impl Reads {
    const HEADERS: Reads = Reads(1);
    const IDENTITY: Reads = Reads(2);
    const RESPONSE: Reads = Reads(4);
    const GEO: Reads = Reads(8);

    fn add(&mut self, more: Reads) {
        self.0 |= more.0;
    }

    fn has(self, some: Reads) -> bool {
        self.0 & some.0 != 0
    }
}

/// A compiled expression. Cheap to clone.
#[derive(Clone)]
pub struct Expr(Arc<Compiled>);

struct Compiled {
    source: Box<str>,
    root: Root,
    reads: Reads,
}

enum Root {
    Test(Test),
    Value(Node),
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expr").field(&self.source()).finish()
    }
}

impl Expr {
    /// Compiles an expression whose value is text, a number or a boolean, over what `scope` knows. Every problem has
    /// its place in the file. Never panics, whatever the text.
    pub fn compile(text: &Spanned<String>, scope: Scope) -> Result<Self, Vec<Problem>> {
        build(text, scope, |parsed, lowered| match lowered.typed.kind {
            Type::Bool | Type::Int | Type::Double | Type::Text | Type::Any => Ok(lowered),
            other => {
                let message = format!("the expression gives {}", other.as_str());
                Err(Fault::new(parsed.place(&parsed.root), message, "text, a number or a boolean is asked for"))
            }
        })
    }

    /// Compiles a condition: an expression whose value is a boolean.
    pub fn condition(text: &Spanned<String>, scope: Scope) -> Result<Self, Vec<Problem>> {
        build(text, scope, |parsed, lowered| match lowered.typed.kind {
            Type::Bool | Type::Any => Ok(lowered),
            other => {
                let message = format!("a condition is asked for, and the expression gives {}", other.as_str());
                let help = "compare it, such as with `== \"…\"`, or ask `has(…)`";
                Err(Fault::new(parsed.place(&parsed.root), message, help))
            }
        })
    }

    /// What was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether it holds. What is not a boolean, or absent, does not.
    pub fn test(&self, x: &Exchange) -> bool {
        match &self.0.root {
            Root::Test(test) => test.holds(x.into()),
            Root::Value(node) => node.value(x.into()) == Value::Bool(true),
        }
    }

    /// Whether it holds, where that can be said; see [`strict`].
    pub fn decide(&self, x: &Exchange) -> Option<bool> {
        match &self.0.root {
            Root::Test(test) => test.decide(x.into()),
            Root::Value(node) => strict::truth(&node.value(x.into())),
        }
    }

    /// Its value.
    pub fn value<'x>(&'x self, x: &'x Exchange) -> Value<'x> {
        match &self.0.root {
            Root::Test(test) => Value::Bool(test.holds(x.into())),
            Root::Value(node) => node.value(x.into()),
        }
    }

    /// Its value as text; `None` where it is absent.
    pub fn text<'x>(&'x self, x: &'x Exchange) -> Option<Cow<'x, str>> {
        self.value(x).into_text()
    }

    /// The text, where the expression is no more than a literal one.
    pub fn literal(&self) -> Option<&str> {
        match &self.0.root {
            Root::Value(Node::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether it reads fields of the request's head (cookies and size included). On the response side these are
    /// there only where the plan keeps the head.
    pub fn reads_request_headers(&self) -> bool {
        self.0.reads.has(Reads::HEADERS)
    }

    /// Whether it reads who calls, which nobody knows before the Authorize stage.
    pub fn reads_identity(&self) -> bool {
        self.0.reads.has(Reads::IDENTITY)
    }

    /// Whether it reads where the client is.
    pub fn reads_geo(&self) -> bool {
        self.0.reads.has(Reads::GEO)
    }

    /// Whether it reads the answer.
    pub fn reads_response(&self) -> bool {
        self.0.reads.has(Reads::RESPONSE)
    }
}

fn build(
    text: &Spanned<String>,
    scope: Scope,
    accept: impl FnOnce(&parse::Parsed<'_>, lower::Lowered) -> Result<lower::Lowered, Fault> + Send,
) -> Result<Expr, Vec<Problem>> {
    let lowered = parse::parse(text, |parsed| {
        let lowered = lower::lower(parsed, scope)?;
        accept(parsed, lowered).map_err(|fault| vec![fault])
    });
    match lowered {
        Ok(lowered) => {
            let root = match lowered.typed.node {
                Node::Test(test) => Root::Test(*test),
                node => Root::Value(node),
            };
            let source = text.value.as_str().into();
            Ok(Expr(Arc::new(Compiled { source, root, reads: lowered.reads })))
        }
        Err(faults) => Err(faults.into_iter().map(|fault| problem(text, "config.expression", fault)).collect()),
    }
}

/// A fault as a problem with its place in the text, wherever and however the file writes it.
fn problem(text: &Spanned<String>, code: &'static str, fault: Fault) -> Problem {
    Problem::error(code, text.span, fault.message).part(Part::new(text, fault.at)).help(fault.help)
}
