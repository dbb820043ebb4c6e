//! What goes wrong, in Ollama's words: a message; the status tells the kind.

use serde_json::Value;

use crate::translate::{Error, ErrorKind};
use crate::wire::json::object;
use crate::wire::openai_chat::too_long;

/// What a provider's failure is; in a stream the status is 0.
pub(crate) fn read_error(status: u16, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = value.get("error").and_then(Value::as_str).unwrap_or_default();
    let kind = match status {
        0 => ErrorKind::Server,
        400 if too_long(text) => ErrorKind::ContextWindow,
        _ => ErrorKind::of_status(status),
    };
    Error::new(kind, if text.is_empty() { format!("the provider answered {status}") } else { text.to_owned() })
}

/// A failure as a body.
pub(crate) fn write_error(error: &Error) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    object(&mut out, |o| o.str("error", &error.message));
    out
}
