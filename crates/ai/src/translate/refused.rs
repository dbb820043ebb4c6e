//! What cannot be read or written, and where.

use std::borrow::Cow;
use std::fmt;

use super::{Error, ErrorKind};

/// A request or an answer that cannot be read, or cannot be said in another format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong with it.
    pub fault: Fault,
    /// The field's path, `messages[2].content[0].image_url`; empty for the whole body.
    pub field: String,
    /// Why, and what would do instead. Holds no value of the body.
    pub why: Cow<'static, str>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not what the format allows.
    Malformed,
    /// The format allows it, the other one has no place for it.
    NotCarried,
}

impl Refused {
    /// Not what the format allows.
    #[must_use]
    pub fn malformed(field: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { fault: Fault::Malformed, field: field.into(), why: why.into() }
    }

    /// Not to be said in the other format.
    #[must_use]
    pub fn not_carried(field: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { fault: Fault::NotCarried, field: field.into(), why: why.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { f.write_str(&self.why) } else { write!(f, "`{}`: {}", self.field, self.why) }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let code = match refused.fault {
            Fault::Malformed => "ai.malformed",
            Fault::NotCarried => "ai.not_carried",
        };
        let error = Self::new(ErrorKind::BadRequest, refused.to_string()).code(code);
        if refused.field.is_empty() { error } else { error.param(refused.field) }
    }
}
