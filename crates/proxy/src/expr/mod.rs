//! CEL expressions.

use model::load::Spanned;
use model::problem::Problem;

use crate::exchange::Exchange;

/// What an expression may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The request head and the connection.
    Match,
    /// And the caller's identity, captures, the route.
    Request,
    /// And the response head.
    Response,
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expr {}

impl Expr {
    /// Compiles an expression over what `scope` knows; every problem has its place in the file.
    pub fn compile(_text: &Spanned<String>, _scope: Scope) -> Result<Self, Vec<Problem>> {
        Ok(Self {})
    }

    /// Whether it holds. An expression that fails at run time does not.
    pub fn test(&self, _x: &Exchange) -> bool {
        true
    }

    /// Its value as text; `None` for null, absent and failed.
    pub fn text<'x>(&self, _x: &'x Exchange) -> Option<std::borrow::Cow<'x, str>> {
        None
    }
}
