//! Instructions that the gateway adds, in each of the formats that callers speak.

use serde_json::{Value, json};

use crate::translate::Format;

/// Where an instruction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before those of the caller.
    First,
    /// After them; in OpenAI's Chat Completions after the conversation, where it counts most.
    Last,
}

/// Adds it; says whether it did.
pub(super) fn add(format: Format, request: &mut Value, text: &str, place: Place) -> bool {
    let Some(fields) = request.as_object_mut() else { return false };
    match format {
        Format::OpenAiResponses => join(fields.entry("instructions").or_insert(Value::Null), text, place),
        Format::AnthropicMessages => {
            let system = fields.entry("system").or_insert(Value::Null);
            match system {
                Value::Array(blocks) => insert(blocks, json!({ "type": "text", "text": text }), place),
                other => join(other, text, place),
            }
        }
        Format::Gemini => {
            let name =
                if fields.contains_key("system_instruction") { "system_instruction" } else { "systemInstruction" };
            let system = fields.entry(name).or_insert_with(|| json!({ "parts": [] }));
            match system.get_mut("parts") {
                Some(Value::Array(parts)) => insert(parts, json!({ "text": text }), place),
                _ => return false,
            }
        }
        _ => match fields.get_mut("messages") {
            Some(Value::Array(messages)) => insert(messages, json!({ "role": "system", "content": text }), place),
            _ => return false,
        },
    }
    true
}

fn insert(list: &mut Vec<Value>, one: Value, place: Place) {
    match place {
        Place::First => list.insert(0, one),
        Place::Last => list.push(one),
    }
}

/// Puts it before or after a text, with an empty line between.
fn join(known: &mut Value, text: &str, place: Place) {
    let joined = match (known.as_str().filter(|known| !known.is_empty()), place) {
        (None, _) => text.to_owned(),
        (Some(known), Place::First) => format!("{text}\n\n{known}"),
        (Some(known), Place::Last) => format!("{known}\n\n{text}"),
    };
    *known = joined.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_its_place_for_it() {
        use Format::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
        for (format, request, first, last) in [
            (
                OpenAiChat,
                json!({"messages": [{"role": "user", "content": "u"}]}),
                json!({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "u"}]}),
                json!({"messages": [{"role": "user", "content": "u"}, {"role": "system", "content": "x"}]}),
            ),
            (OpenAiResponses, json!({}), json!({"instructions": "x"}), json!({"instructions": "x"})),
            (
                OpenAiResponses,
                json!({"instructions": "s"}),
                json!({"instructions": "x\n\ns"}),
                json!({"instructions": "s\n\nx"}),
            ),
            (AnthropicMessages, json!({"system": "s"}), json!({"system": "x\n\ns"}), json!({"system": "s\n\nx"})),
            (
                AnthropicMessages,
                json!({"system": [{"type": "text", "text": "s"}]}),
                json!({"system": [{"type": "text", "text": "x"}, {"type": "text", "text": "s"}]}),
                json!({"system": [{"type": "text", "text": "s"}, {"type": "text", "text": "x"}]}),
            ),
            (
                Gemini,
                json!({}),
                json!({"systemInstruction": {"parts": [{"text": "x"}]}}),
                json!({"systemInstruction": {"parts": [{"text": "x"}]}}),
            ),
            (
                Gemini,
                json!({"system_instruction": {"parts": [{"text": "s"}]}}),
                json!({"system_instruction": {"parts": [{"text": "x"}, {"text": "s"}]}}),
                json!({"system_instruction": {"parts": [{"text": "s"}, {"text": "x"}]}}),
            ),
        ] {
            for (place, expected) in [(Place::First, first), (Place::Last, last)] {
                let mut made = request.clone();
                assert!(add(format, &mut made, "x", place));
                assert_eq!(made, expected, "{format:?} {place:?}");
            }
        }
    }

    #[test]
    fn what_is_no_request_stays_as_it_is() {
        for request in [json!([]), json!({"messages": 1})] {
            let mut made = request.clone();
            assert!(!add(Format::OpenAiChat, &mut made, "x", Place::First));
            assert_eq!(made, request);
        }
    }
}
