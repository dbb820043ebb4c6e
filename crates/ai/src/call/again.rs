//! Asking a model again: its answer and what is wrong with it are put after the conversation.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::translate::Format;

/// What is to be put after a conversation.
#[derive(Debug)]
pub(crate) struct Again {
    /// What the model answered.
    pub(crate) answered: String,
    /// What it is told.
    pub(crate) told: String,
}

/// Where a watch leaves that it wants another answer.
pub(crate) type Wanted = Arc<Mutex<Option<Again>>>;

/// Takes it.
pub(super) fn take(wanted: &Wanted) -> Option<Again> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Again {
    /// Leaves it where the call looks.
    pub(crate) fn leave(self, wanted: &Wanted) {
        *wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

    /// Puts it after the conversation of a request; says whether it could.
    pub(super) fn append(self, format: Format, request: &mut Value) -> bool {
        let (key, role) = match format {
            Format::OpenAiChat | Format::AnthropicMessages => ("messages", "assistant"),
            Format::OpenAiResponses => ("input", "assistant"),
            Format::Gemini => ("contents", "model"),
            _ => return false,
        };
        let turn = |role: &str, text: String| match format {
            Format::Gemini => json!({ "role": role, "parts": [{ "text": text }] }),
            _ => json!({ "role": role, "content": text }),
        };
        let Some(conversation) = request.get_mut(key) else { return false };
        match conversation {
            Value::Array(_) => {}
            Value::String(text) => {
                let text = std::mem::take(text);
                *conversation = json!([turn("user", text)]);
            }
            _ => {
                let one = conversation.take();
                *conversation = json!([one]);
            }
        }
        let Value::Array(turns) = conversation else { return false };
        turns.extend([turn(role, self.answered), turn("user", self.told)]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_its_turns() {
        let said = |role: &str, text: &str| json!({ "role": role, "content": text });
        let parts = |role: &str, text: &str| json!({ "role": role, "parts": [{ "text": text }] });
        let all = json!([said("user", "q"), said("assistant", "a"), said("user", "t")]);
        for (format, request, expected) in [
            (Format::OpenAiChat, json!({ "messages": [said("user", "q")] }), Some(("messages", all.clone()))),
            (Format::AnthropicMessages, json!({ "messages": [said("user", "q")] }), Some(("messages", all.clone()))),
            (Format::OpenAiResponses, json!({ "input": "q" }), Some(("input", all.clone()))),
            (Format::OpenAiResponses, json!({ "input": [said("user", "q")] }), Some(("input", all))),
            (
                Format::Gemini,
                json!({ "contents": parts("user", "q") }),
                Some(("contents", json!([parts("user", "q"), parts("model", "a"), parts("user", "t")]))),
            ),
            (Format::OpenAiChat, json!({}), None),
        ] {
            let mut appended = request.clone();
            let done = Again { answered: "a".into(), told: "t".into() }.append(format, &mut appended);
            assert_eq!(done, expected.is_some(), "{request}");
            if let Some((key, expected)) = expected {
                assert_eq!(appended.get(key), Some(&expected), "{format:?}");
            }
        }
    }
}
