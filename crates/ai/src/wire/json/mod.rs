//! JSON as the formats need it: read by field with the path at hand, written straight to bytes.

mod path;
mod read;
mod write;

pub(crate) use path::At;
pub(crate) use read::{Fields, parse, parse_answer, u64_of};
pub(crate) use write::{Arr, Obj, is_object, object};

#[cfg(test)]
mod tests;
