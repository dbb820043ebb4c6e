//! Prompts that are published as apis: what a model is asked, with holes that callers fill.
//!
//! `compile` makes versions of what was written, `given` is what a caller sends, `fill` makes a request in OpenAI's format
//! of both, `plain` is the answer, `openapi` the description.

mod compile;
mod fill;
mod given;
mod openapi;
mod plain;
mod schema;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use proxy::program::Compile;

pub(crate) use self::given::Given;
pub(crate) use self::plain::Plain;
pub(crate) use self::schema::Schema;
use crate::call::Shape;
use proxy::expr::Form;
use serde_json::Value;

/// Every prompt.
pub(crate) struct Prompts {
    by_name: HashMap<Box<str>, Vec<Arc<Version>>>,
}

/// A version of a prompt.
pub(crate) struct Version {
    pub(crate) name: Arc<str>,
    pub(crate) version: Arc<str>,
    /// Both, as logs and answers have them: `name@version`.
    pub(crate) told: Arc<str>,
    pub(crate) labels: Vec<Box<str>>,
    pub(crate) weight: u32,
    pub(crate) model: Box<str>,
    description: Box<str>,
    shape: Option<Arc<Shape>>,
    messages: Vec<Message>,
    /// The variables' schema, as one object.
    variables: Schema,
    /// What variables are where the caller leaves them out.
    defaults: serde_json::Map<String, Value>,
    pub(crate) output: Option<Arc<Schema>>,
}

struct Message {
    role: &'static str,
    content: Form,
    images: Vec<Form>,
    files: Vec<Form>,
}

impl Prompts {
    /// Compiles them, or finds them compiled.
    pub(crate) fn of(cx: &mut Compile<'_>) -> Arc<Self> {
        cx.once(compile::all)
    }

    /// The versions of a name.
    pub(crate) fn versions(&self, name: &str) -> &[Arc<Version>] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }
}
