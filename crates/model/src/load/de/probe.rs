//! A value for a key that is missing, so that the next missing one is found too. Whatever is made of it is thrown away.
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Visitor};

use super::error::Error;

/// Answers whatever is asked for with something plausible.
pub(super) struct Probe;

const WORD: &str = "x";

/// An iterator of nothing, for empty lists and maps.
type Nothing = std::iter::Empty<(&'static str, &'static str)>;

macro_rules! answers {
    ($($method:ident $visit:ident $value:expr;)*) => {
        $(fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($value)
        })*
    };
}

impl<'n> Deserializer<'n> for Probe {
    type Error = Error;

    answers!(
        deserialize_any visit_borrowed_str WORD;
        deserialize_bool visit_bool false;
        deserialize_i8 visit_i64 1;
        deserialize_i16 visit_i64 1;
        deserialize_i32 visit_i64 1;
        deserialize_i64 visit_i64 1;
        deserialize_u8 visit_u64 1;
        deserialize_u16 visit_u64 1;
        deserialize_u32 visit_u64 1;
        deserialize_u64 visit_u64 1;
        deserialize_f32 visit_f64 1.0;
        deserialize_f64 visit_f64 1.0;
    );

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::<_, Error>::new(std::iter::empty::<&'static str>()))
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::<Nothing, Error>::new(std::iter::empty()))
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let first = variants.first().copied().unwrap_or(WORD);
        BorrowedStrDeserializer::new(first).deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>>
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}
