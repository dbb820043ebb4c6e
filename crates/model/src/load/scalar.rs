//! What a plain scalar means: the core schema of YAML 1.2 (section 10.3.2), minus its surprises.
use super::Value;

/// Why a plain scalar is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

/// Reads a plain scalar. `yes`, `no`, `on` and `off` are text, as is `1:30`. Refused are numbers that readers take for
/// different values (`0777`, octal in YAML 1.1 and 777 in YAML 1.2) or that no value can hold (`.inf`, `1e999`).
pub(super) fn plain(text: &str) -> Result<Value, Refused> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    match text.bytes().next() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(text).unwrap_or_else(|| Ok(Value::String(text.to_owned()))),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// A number, or nothing if the text is not written like one.
fn number(text: &str) -> Option<Result<Value, Refused>> {
    let (negative, unsigned) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(refuse("infinity and not-a-number cannot be used", "put it in quotes if it is text"));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
            return all.then(|| i64::from_str_radix(digits, radix).map(Value::Integer).or_else(|_| too_large()));
        }
    }
    if is_digits(unsigned) {
        return Some(integer(text, unsigned));
    }
    is_float(unsigned).then(|| match unsigned.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Float(if negative { -number } else { number })),
        _ => too_large(),
    })
}

fn integer(text: &str, digits: &str) -> Result<Value, Refused> {
    if digits.len() > 1 && digits.starts_with('0') {
        return refuse(
            "a number that begins with a zero is octal to some readers and decimal to others",
            "write it without the zero if decimal is meant, with `0o` if octal is, or in quotes if it is text",
        );
    }
    text.parse().map(Value::Integer).or_else(|_| too_large())
}

fn too_large() -> Result<Value, Refused> {
    refuse("the number is too large", "put it in quotes if it is text")
}

/// The message does not say the number: it may be a password whose author forgot the quotes.
fn refuse(message: &'static str, help: &'static str) -> Result<Value, Refused> {
    Err(Refused { message, help })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `1.`, `1.5`, `.5`, `1e3`, `1.5E-3`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    exponent.is_none_or(is_digits) && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}
