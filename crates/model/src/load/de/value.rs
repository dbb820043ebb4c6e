//! One node as serde sees it.
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};

use super::super::node::{self, NODE};
use super::super::span::{self, SPANNED};
use super::super::{Node, Value};
use super::access::{Elements, Entries, OneOf};
use super::error::{Error, Wrong};
use super::{Context, id, is_stand_in};
use crate::value::{ONE_OR_MANY, SECRET};

pub(super) struct De<'n, 'c> {
    pub(super) node: &'n Node,
    pub(super) cx: &'c mut Context<'n>,
}

/// What a text that came from a reference may be read as.
#[derive(Clone, Copy)]
enum Want {
    Integer,
    Float,
    Bool,
}

impl<'n> De<'n, '_> {
    fn list<V: Visitor<'n>>(self, items: &'n [Node], fixed: bool, visitor: V) -> Result<V::Value, Error> {
        let mut elements = Elements::new(items, fixed, self.cx);
        let value = visitor.visit_seq(&mut elements)?;
        match elements.left() {
            0 => Ok(value),
            more => Err(Wrong::Custom(format!("the list has {more} more than are expected")).into()),
        }
    }

    fn map<V: Visitor<'n>>(self, fields: Option<&'static [&'static str]>, visitor: V) -> Result<V::Value, Error> {
        let mut entries = Entries::new(self.node, fields, self.cx);
        let value = visitor.visit_map(&mut entries)?;
        match entries.left() {
            Some(key) => Err(Wrong::UnknownKey(key.to_owned(), fields.unwrap_or_default()).into()),
            None => Ok(value),
        }
    }

    fn number_or_bool<V: Visitor<'n>>(self, want: Want, visitor: V) -> Result<V::Value, Error> {
        let (Value::String(text), true) = (&self.node.value, self.node.secret) else {
            return self.deserialize_any(visitor);
        };
        let stand_in = is_stand_in(self.node);
        match want {
            Want::Integer if stand_in => visitor.visit_i64(1),
            Want::Float if stand_in => visitor.visit_f64(1.0),
            Want::Bool if stand_in => visitor.visit_bool(false),
            Want::Integer => match (text.parse::<i64>(), text.parse::<u64>()) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => visitor.visit_borrowed_str(text),
            },
            Want::Float => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => visitor.visit_f64(number),
                _ => visitor.visit_borrowed_str(text),
            },
            Want::Bool => match text.as_str() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => visitor.visit_borrowed_str(text),
            },
        }
    }

    /// Reads a value that must not be shown.
    fn secret<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        // Of a map it is some field that is one, which says so itself.
        if matches!(self.node.value, Value::Map(_)) {
            return visitor.visit_newtype_struct(De { node: self.node, cx: self.cx });
        }
        self.cx.hide(self.node);
        visitor.visit_newtype_struct(De { node: self.node, cx: self.cx }).map_err(Error::hide)
    }
}

macro_rules! forward {
    ($want:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
            self.number_or_bool(Want::$want, visitor)
        })*
    };
}

impl<'n> Deserializer<'n> for De<'n, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::List(items) => self.list(items, false, visitor),
            Value::Map(_) => self.map(None, visitor),
        }
    }

    forward!(Integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128);
    forward!(Float: deserialize_f32 deserialize_f64);
    forward!(Bool: deserialize_bool);
    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>>
        char str string bytes byte_buf unit unit_struct seq map identifier
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) => self.list(items, true, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        n: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(n, visitor)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(_) => self.map(Some(fields), visitor),
            // serde would take the fields of a struct from a list by their order: nobody means that.
            Value::List(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(OneOf::new(self.node, variants, self.cx)?)
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match name {
            SPANNED => {
                span::hand_over(self.node.span);
                visitor.visit_newtype_struct(self)
            }
            NODE => {
                node::hand_over(self.node);
                visitor.visit_newtype_struct(self)
            }
            SECRET => self.secret(visitor),
            ONE_OR_MANY => match &self.node.value {
                Value::List(items) => self.list(items, false, visitor),
                _ => visitor.visit_seq(Elements::alone(self.node, self.cx)),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }
}

impl<'n> Context<'n> {
    /// Notes that no message may show a value.
    fn hide(&mut self, node: &'n Node) {
        if self.hidden.insert(id(node)) && !is_stand_in(node) {
            self.problems.hide(node.span);
        }
    }
}
