//! A document as templates see it.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use super::tree::Tree;

/// The value of a document.
pub(super) fn value(tree: &Tree<'_>) -> Value {
    match tree {
        Tree::Plain(text) => plain(tree, text),
        Tree::List(items) => items.iter().map(value).collect::<Vec<_>>().into(),
        Tree::Map(entries) => {
            let entries: Vec<(Box<str>, Value)> =
                entries.iter().map(|(name, tree)| (name.text().into(), value(tree))).collect();
            let mut order: Vec<u32> = (0..).take(entries.len()).collect();
            // Of several with one name the last is found.
            order.sort_by(|a, b| name(&entries, *a).cmp(name(&entries, *b)).then(b.cmp(a)));
            Value::from_object(Entries { entries, order })
        }
    }
}

fn plain(tree: &Tree<'_>, text: &str) -> Value {
    match text {
        "null" => Value::from(()),
        "true" => Value::from(true),
        "false" => Value::from(false),
        _ => match tree.as_text() {
            Some(text) => Value::from(&*text),
            None => text
                .parse::<i64>()
                .map(Value::from)
                .or_else(|_| text.parse::<u64>().map(Value::from))
                .or_else(|_| text.parse::<f64>().map(Value::from))
                .unwrap_or_default(),
        },
    }
}

fn name(entries: &[(Box<str>, Value)], at: u32) -> &str {
    entries.get(at as usize).map_or("", |(name, _)| name)
}

/// An object, in its order, with its names sorted beside it.
#[derive(Debug)]
struct Entries {
    entries: Vec<(Box<str>, Value)>,
    order: Vec<u32>,
}

impl Object for Entries {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let first = self.order.partition_point(|at| name(&self.entries, *at) < key);
        let (found, value) = self.entries.get(*self.order.get(first)? as usize)?;
        (**found == *key).then(|| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries.iter().map(|(name, _)| Value::from(&**name)).collect())
    }
}
