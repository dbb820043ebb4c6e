//! What goes wrong, in the words of AWS. The name of the failure stands in a header; the body repeats it at times.
//! Source: Amazon Bedrock's API reference, "Common errors" and the errors of Converse.

use serde_json::Value;

use crate::translate::{Error, ErrorKind};
use crate::wire::json::object;
use crate::wire::openai_chat::too_long;

/// What a provider's failure is.
pub(crate) fn read_error(status: u16, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = value.get("__type").and_then(Value::as_str).unwrap_or_default();
    of(status, name, &value)
}

/// A failure of this name; in a stream the status is 0.
pub(super) fn of(status: u16, name: &str, value: &Value) -> Error {
    let text = value.get("message").or_else(|| value.get("Message")).and_then(Value::as_str).unwrap_or_default();
    let bare = name.rsplit('#').next().unwrap_or_default();
    let kind = match bare.split("Exception").next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "validation" if too_long(text) => ErrorKind::ContextWindow,
        "validation" => ErrorKind::BadRequest,
        "throttling" | "modelnotready" => ErrorKind::RateLimit,
        "servicequotaexceeded" => ErrorKind::Quota,
        "accessdenied" => ErrorKind::Permission,
        "unrecognizedclient" | "expiredtoken" | "invalidsignature" | "incompletesignature" => ErrorKind::Authentication,
        "resourcenotfound" => ErrorKind::NotFound,
        "modeltimeout" => ErrorKind::Timeout,
        "serviceunavailable" => ErrorKind::Overloaded,
        "internalserver" | "modelerror" | "modelstreamerror" => ErrorKind::Server,
        _ if status == 400 && too_long(text) => ErrorKind::ContextWindow,
        _ if status == 424 || status == 0 => ErrorKind::Server,
        _ => ErrorKind::of_status(status),
    };
    let message = if text.is_empty() { format!("the provider answered {status}") } else { text.to_owned() };
    let mut error = Error::new(kind, message);
    error.code = (!bare.is_empty()).then(|| bare.to_owned());
    error
}

/// A failure as a body.
pub(crate) fn write_error(error: &Error) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    object(&mut out, |o| {
        o.str("message", &error.message);
        o.str("__type", word(error.kind));
    });
    out
}

/// The name of a failure.
pub(super) const fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest | ErrorKind::ContextWindow | ErrorKind::ContentPolicy => "ValidationException",
        // AWS has no name for it: the status tells.
        ErrorKind::TooLarge => "RequestEntityTooLarge",
        ErrorKind::Authentication => "UnrecognizedClientException",
        ErrorKind::Permission => "AccessDeniedException",
        ErrorKind::NotFound => "ResourceNotFoundException",
        ErrorKind::Quota => "ServiceQuotaExceededException",
        ErrorKind::RateLimit => "ThrottlingException",
        ErrorKind::Timeout => "ModelTimeoutException",
        ErrorKind::Overloaded => "ServiceUnavailableException",
        ErrorKind::Server => "InternalServerException",
    }
}
