//! What goes wrong, in Google's words.
//! Source: Google's API design guide, "Errors"; the Gemini API's "Troubleshooting".

use serde_json::Value;

use crate::translate::{Error, ErrorKind};
use crate::wire::json::object;
use crate::wire::openai_chat::too_long;

/// What a provider's failure is.
pub(crate) fn read_error(status: u16, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    of_body(status, &value)
}

/// The same of a body that is read, or of an event in a stream (then the status is 0).
pub(super) fn of_body(status: u16, value: &Value) -> Error {
    // A stream that is no server-sent events tells its failure in a list.
    let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    let inner = value.get("error").unwrap_or(value);
    let told = inner.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = if status == 0 { told.unwrap_or(500) } else { status };
    let message = inner.get("message").and_then(Value::as_str).unwrap_or_default();
    let word = inner.get("status").and_then(Value::as_str);
    let kind = match word {
        Some("INVALID_ARGUMENT") if message.contains("API key not valid") => ErrorKind::Authentication,
        Some("INVALID_ARGUMENT") if too_long(message) => ErrorKind::ContextWindow,
        Some("UNAUTHENTICATED") => ErrorKind::Authentication,
        Some("PERMISSION_DENIED") => ErrorKind::Permission,
        Some("NOT_FOUND") => ErrorKind::NotFound,
        Some("RESOURCE_EXHAUSTED") => ErrorKind::RateLimit,
        Some("UNAVAILABLE") => ErrorKind::Overloaded,
        Some("DEADLINE_EXCEEDED") => ErrorKind::Timeout,
        Some("INTERNAL") => ErrorKind::Server,
        _ => ErrorKind::of_status(status),
    };
    let message = if message.is_empty() { format!("the provider answered {status}") } else { message.to_owned() };
    let mut error = Error::new(kind, message);
    error.code = word.map(str::to_owned);
    error
}

/// A failure as a body.
pub(crate) fn write_error(error: &Error) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    object(&mut out, |o| {
        o.obj("error", |e| {
            e.plain("code", error.kind.status());
            e.str("message", &error.message);
            e.str("status", word(error.kind));
        });
    });
    out
}

const fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest | ErrorKind::ContextWindow | ErrorKind::ContentPolicy | ErrorKind::TooLarge => {
            "INVALID_ARGUMENT"
        }
        ErrorKind::Authentication => "UNAUTHENTICATED",
        ErrorKind::Permission => "PERMISSION_DENIED",
        ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::Quota | ErrorKind::RateLimit => "RESOURCE_EXHAUSTED",
        ErrorKind::Timeout => "DEADLINE_EXCEEDED",
        ErrorKind::Overloaded => "UNAVAILABLE",
        ErrorKind::Server => "INTERNAL",
    }
}
