//! What a caller of a prompt sends.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The most messages that a caller adds.
const MOST_MESSAGES: usize = 1000;

/// What a caller of a prompt sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Given {
    /// Values of the variables.
    pub(crate) variables: Map<String, Value>,
    /// Messages in OpenAI's format that follow those of the prompt.
    pub(crate) messages: Vec<Value>,
    /// Whether the answer is to come as a stream.
    pub(crate) stream: bool,
    /// Whether to show what would be asked, and ask nobody.
    pub(crate) dry_run: bool,
}

impl Given {
    /// Reads it, or says why it cannot be read.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        // A list would be read as the fields in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err("The body is not a JSON object.".to_owned());
        }
        let given: Self = serde_json::from_slice(body).map_err(|error| format!("The body: {error}."))?;
        if given.messages.len() > MOST_MESSAGES {
            return Err(format!("There are more than {MOST_MESSAGES} messages."));
        }
        let role = |message: &Value| message.get("role").and_then(Value::as_str).map(str::to_owned);
        let known = |message: &Value| matches!(role(message).as_deref(), Some("user" | "assistant" | "tool"));
        match given.messages.iter().position(|message| !known(message)) {
            Some(at) => Err(format!("`messages[{at}].role` is not one of `user`, `assistant` and `tool`.")),
            None => Ok(given),
        }
    }
}
