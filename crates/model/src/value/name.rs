//! The name of a resource.
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::{Text, ValueError, quote, text_value};

/// The name of a resource: 1 to 128 characters of `A-Z a-z 0-9 . _ -`, not starting with a dot. Case matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

const MAX_LENGTH: usize = 128;

impl Name {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text for Name {
    const EXPECTED: &'static str = "a name such as `users-v2`";

    fn bare_number(number: &str) -> String {
        format!("put it in quotes: \"{number}\"")
    }
}

impl FromStr for Name {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let odd = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')));
        match odd {
            _ if text.is_empty() => Err(ValueError::new("a name must not be empty")),
            Some(odd) => Err(ValueError::new(format!(
                "{} is not a name: {} is not allowed; use letters, digits, `.`, `_` and `-`",
                quote(text),
                if odd == ' ' { "a space".to_owned() } else { quote(odd.encode_utf8(&mut [0; 4])) },
            ))),
            None if text.starts_with('.') => {
                Err(ValueError::new(format!("{} is not a name: it must not start with a dot", quote(text))))
            }
            None if text.len() > MAX_LENGTH => Err(ValueError::new(format!(
                "{} is not a name: it has {} characters, the most is {MAX_LENGTH}",
                quote(text),
                text.len()
            ))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<&str> for Name {
    type Error = ValueError;
    fn try_from(text: &str) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

text_value!(
    Name,
    "The name of a resource: 1 to 128 letters, digits, `.`, `_` and `-`, not starting with a dot.",
    "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$",
    ["users", "users-v2"]
);
