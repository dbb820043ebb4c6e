//! What can be wrong with a value, said as a person would.
use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::super::{Node, Span, Value};
use crate::problem::{Problem, did_you_mean};
use crate::value::quote;

pub(super) const UNKNOWN_KEY: &str = "config.unknown_key";

/// How making a value ended.
#[derive(Debug)]
pub(super) enum Error {
    /// Something is wrong with the value at hand.
    Wrong(Box<Wrong>),
    /// A part that cannot be left out is absent.
    Absent,
    /// Noted already: this pass is over.
    Noted,
}

#[derive(Debug)]
pub(super) enum Wrong {
    /// Another kind of value was expected. What was found is told from the node, unless it is not the node itself.
    Kind {
        expected: String,
        found: String,
    },
    /// A sentence by the type itself.
    Custom(String),
    /// A key that is not known here, and those that are.
    UnknownKey(String, &'static [&'static str]),
    /// A name that is not known here, and those that are.
    UnknownName(String, &'static [&'static str]),
    MissingKey(&'static str),
    /// Any of these, about a value that must not be shown.
    Hidden(Box<Wrong>),
}

impl Error {
    pub(super) fn kind(found: &str, expected: &dyn Expected) -> Self {
        Wrong::Kind { expected: expect(&expected.to_string()), found: found.to_owned() }.into()
    }

    /// The same about a value that must not be shown.
    pub(super) fn hide(self) -> Self {
        match self {
            Self::Wrong(wrong) => Wrong::Hidden(wrong).into(),
            other => other,
        }
    }
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(Box::new(wrong))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Wrong::Custom(message.to_string()).into()
    }
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::kind(&describe(found), expected)
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::kind(&describe(found), expected)
    }
    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::kind(&format!("a list of {length}"), expected)
    }
    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Wrong::UnknownName(name.to_owned(), known).into()
    }
    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Wrong::UnknownKey(name.to_owned(), known).into()
    }
    fn missing_field(name: &'static str) -> Self {
        Wrong::MissingKey(name).into()
    }
    fn duplicate_field(name: &'static str) -> Self {
        Wrong::Custom(format!("`{name}` is set twice, under two spellings")).into()
    }
}

impl Wrong {
    /// Whether the key of a list or a map is a better place for a caret than its content.
    pub(super) fn is_about_key(&self, node: &Node) -> bool {
        matches!(node.value, Value::List(_) | Value::Map(_)) && !matches!(self, Self::UnknownName(..))
    }

    /// The problem with a node, without its path.
    pub(super) fn problem(&self, node: &Node, at: Span, hidden: bool) -> Problem {
        match self {
            Self::Kind { expected, found } => {
                let found = if hidden { node.kind() } else { found };
                let problem = Problem::error("config.wrong_type", at, format!("expected {expected}, found {found}"));
                match kind_help(node, expected, hidden) {
                    Some(help) => problem.help(help),
                    None => problem,
                }
            }
            Self::Custom(message) => {
                let message = if hidden { scrub(message, node) } else { message.clone() };
                Problem::error("config.wrong_value", at, message)
            }
            Self::UnknownName(name, known) => unknown_name(name, known, node, at, hidden),
            Self::UnknownKey(name, _) => Problem::error(UNKNOWN_KEY, at, format!("unknown key {}", quote(name))),
            Self::MissingKey(name) => Problem::error("config.missing_key", at, format!("`{name}` is missing"))
                .help(format!("add `{name}: …`")),
            Self::Hidden(wrong) => wrong.problem(node, at, true),
        }
    }
}

fn unknown_name(name: &str, known: &[&str], node: &Node, at: Span, hidden: bool) -> Problem {
    let entry = node.entries().iter().find(|entry| entry.key == name);
    let at = entry.map_or(at, |entry| entry.key_span);
    let shown = if hidden { "***".to_owned() } else { quote(name) };
    let mut message = format!("unknown value {shown}");
    if let Some(meant) = did_you_mean(name, known.iter().copied()) {
        message.push_str(&format!("; did you mean `{meant}`?"));
    }
    Problem::error("config.unknown_value", at, message).help(format!("one of: {}", list(known)))
}

/// Words in backquotes, with commas between.
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Takes a hidden text out of a message about it.
fn scrub(message: &str, node: &Node) -> String {
    /// Shorter ones would also be found inside of words, and tell nothing.
    const WORTH_HIDING: usize = 3;
    let content = match &node.value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        _ => return message.to_owned(),
    };
    let message = message.replace(&quote(&content), "`***`").replace(&format!("{content:?}"), "`***`");
    if content.len() < WORTH_HIDING { message } else { message.replace(&content, "***") }
}

/// What was found, in words.
fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Char(value) => quote(&value.to_string()),
        // Where a number is expected, `1` would puzzle.
        Unexpected::Str(text) if text.parse::<f64>().is_ok() || matches!(text, "true" | "false") => {
            format!("the text {}", quote(text))
        }
        Unexpected::Str(text) => quote(text),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// What was expected, in words instead of Rust's names.
fn expect(expected: &str) -> String {
    if let Some(range) = integer(expected, 0).or_else(|| integer(expected.strip_prefix("a nonzero ")?, 1)) {
        return range;
    }
    if let Some(count) =
        expected.strip_prefix("an array of length ").or_else(|| expected.strip_prefix("a tuple of size "))
    {
        return format!("a list of {count}");
    }
    let word = match expected {
        "a string" | "a borrowed string" => "text",
        "a boolean" => "`true` or `false`",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "unit" => "nothing",
        "path string" => "a path",
        _ if expected.starts_with("struct ") => "a map",
        _ if expected.starts_with("tuple ") => "a list",
        _ => expected,
    };
    word.to_owned()
}

/// The range of an integer type.
fn integer(name: &str, least: u8) -> Option<String> {
    let most = match name {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" | "usize" | "u128" => return Some(format!("a whole number, {least} or more")),
        "i8" => return Some(format!("a whole number from {} to {}", i8::MIN, i8::MAX)),
        "i16" => return Some(format!("a whole number from {} to {}", i16::MIN, i16::MAX)),
        "i32" => return Some(format!("a whole number from {} to {}", i32::MIN, i32::MAX)),
        "i64" | "isize" | "i128" => return Some("a whole number".to_owned()),
        _ => return None,
    };
    Some(format!("a whole number from {least} to {most}"))
}

/// How to mend a value of the wrong kind, for the mistakes that are usual in YAML.
fn kind_help(node: &Node, expected: &str, hidden: bool) -> Option<String> {
    let number = expected.contains("number");
    let help = match &node.value {
        Value::Null if expected == "a map" => "write `{}` to take every default, or remove the key".to_owned(),
        Value::Null => "give it a value, or remove the key".to_owned(),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) if expected == "text" => "put it in quotes".to_owned(),
        Value::String(_) if hidden && (number || expected.starts_with("`true`")) => {
            "the reference must yield exactly such a value".to_owned()
        }
        Value::String(text) if number && text.parse::<f64>().is_ok() => "remove the quotes".to_owned(),
        Value::String(text) if number && text.replace(['_', ',', ' '], "").parse::<f64>().is_ok() => {
            "write the number with digits only".to_owned()
        }
        Value::String(text) if expected.starts_with("`true`") => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => "write `true`".to_owned(),
            "no" | "off" | "n" => "write `false`".to_owned(),
            "true" | "false" => "remove the quotes".to_owned(),
            _ => return None,
        },
        Value::List(_) => return None,
        _ if expected == "a list" => "a list is written `[a, b]`, or one `- a` a line".to_owned(),
        _ => return None,
    };
    Some(help)
}
