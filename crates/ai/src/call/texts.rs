//! The texts of a request, in each of the formats that callers speak.

use serde_json::Value;

use crate::translate::Format;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// The one who gives instructions.
    System,
    /// The caller's user.
    User,
    /// The model, in an earlier turn.
    Assistant,
    /// A tool.
    Tool,
}

type See<'a> = &'a mut dyn FnMut(Voice, &mut String) -> bool;

/// Shows all of them; says whether one was changed.
pub(crate) fn visit(format: Format, request: &mut Value, see: See<'_>) -> bool {
    let mut changed = false;
    for (key, value) in request.as_object_mut().into_iter().flatten() {
        changed |= match (format, key.as_str()) {
            (Format::OpenAiResponses, "instructions")
            | (Format::AnthropicMessages, "system")
            | (Format::Gemini, "systemInstruction" | "system_instruction") => content(Voice::System, value, see),
            (Format::OpenAiResponses, "input") if value.is_string() => content(Voice::User, value, see),
            (Format::OpenAiResponses, "input") | (Format::Gemini, "contents") | (_, "messages") => turns(value, see),
            _ => false,
        };
    }
    changed
}

/// Shows all texts of a call that is no conversation: what is to be embedded, spoken, drawn or ranked.
pub(super) fn visit_other(request: &mut Value, see: See<'_>) -> bool {
    const SAID: &[&str] =
        &["input", "prompt", "suffix", "query", "documents", "texts", "instructions", "content", "requests"];
    let mut changed = false;
    for (key, value) in request.as_object_mut().into_iter().flatten() {
        if SAID.contains(&key.as_str()) {
            changed |= said(value, see);
        }
    }
    changed
}

/// Every text within, but for names of models.
fn said(value: &mut Value, see: See<'_>) -> bool {
    match value {
        Value::String(text) => see(Voice::User, text),
        Value::Array(values) => values.iter_mut().fold(false, |changed, value| changed | said(value, see)),
        Value::Object(fields) => fields.iter_mut().fold(false, |changed, (key, value)| {
            changed | (!matches!(key.as_str(), "model" | "type" | "taskType" | "url" | "id") && said(value, see))
        }),
        _ => false,
    }
}

/// A list of turns.
fn turns(value: &mut Value, see: See<'_>) -> bool {
    let mut changed = false;
    // Gemini takes one turn without the list around it.
    let list = match value {
        Value::Array(list) => list.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for turn in list {
        let voice = match turn.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => Voice::System,
            Some("assistant" | "model") => Voice::Assistant,
            Some("tool" | "function") => Voice::Tool,
            _ => Voice::User,
        };
        changed |= content(voice, turn, see);
    }
    changed
}

/// What is said: a text, a list of parts, or an object with either in it.
fn content(voice: Voice, value: &mut Value, see: See<'_>) -> bool {
    match value {
        Value::String(text) => see(voice, text),
        Value::Array(parts) => parts.iter_mut().fold(false, |changed, part| changed | content(voice, part, see)),
        Value::Object(fields) => {
            let mut changed = false;
            let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
            let is_text = kind == "text";
            let voice = match kind {
                "tool_result" | "function_call_output" => Voice::Tool,
                "function_call" | "tool_use" => Voice::Assistant,
                _ => voice,
            };
            // What the model thought comes back sealed, and is refused when changed.
            if matches!(kind, "thinking" | "redacted_thinking" | "reasoning") || fields.contains_key("thoughtSignature")
            {
                return false;
            }
            for (key, value) in fields {
                changed |= match key.as_str() {
                    "text" | "content" | "refusal" | "parts" | "tool_calls" | "function" | "output" | "source" => {
                        content(voice, value, see)
                    }
                    "arguments" => content(Voice::Assistant, value, see),
                    "input" | "args" => deep(Voice::Assistant, value, see),
                    "response" => deep(Voice::Tool, value, see),
                    "functionCall" | "function_call" => content(Voice::Assistant, value, see),
                    "functionResponse" | "function_response" => content(Voice::Tool, value, see),
                    // A document in words; other kinds of source hold it in base64.
                    "data" if is_text => content(voice, value, see),
                    _ => false,
                };
            }
            changed
        }
        _ => false,
    }
}

/// Every text within a value that a tool makes sense of.
fn deep(voice: Voice, value: &mut Value, see: See<'_>) -> bool {
    match value {
        Value::String(text) => see(voice, text),
        Value::Array(values) => values.iter_mut().fold(false, |changed, value| changed | deep(voice, value, see)),
        Value::Object(fields) => fields.iter_mut().fold(false, |changed, (_, value)| changed | deep(voice, value, see)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_text_is_shown_with_who_speaks() {
        use Voice::{Assistant, System, Tool, User};
        for (format, mut request, expected) in [
            (
                Format::OpenAiChat,
                json!({"model": "m", "messages": [
                    {"role": "developer", "content": "a"},
                    {"role": "user", "content": [{"type": "text", "text": "b"},
                        {"type": "image_url", "image_url": {"url": "no"}}]},
                    {"role": "assistant", "content": null,
                        "tool_calls": [{"id": "no", "type": "function", "function": {"name": "no", "arguments": "c"}}]},
                    {"role": "tool", "tool_call_id": "no", "content": "d"}], "user": "no"}),
                vec![(System, "a"), (User, "b"), (Assistant, "c"), (Tool, "d")],
            ),
            (
                Format::OpenAiResponses,
                json!({"instructions": "a", "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "b"}]},
                    {"type": "function_call", "call_id": "no", "name": "no", "arguments": "c"},
                    {"type": "function_call_output", "call_id": "no", "output": "d"},
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "no"}]}]}),
                vec![(System, "a"), (User, "b"), (Assistant, "c"), (Tool, "d")],
            ),
            (Format::OpenAiResponses, json!({"input": "a"}), vec![(User, "a")]),
            (
                Format::AnthropicMessages,
                json!({"system": [{"type": "text", "text": "a"}], "messages": [
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "no", "content": [{"type": "text", "text": "b"}]},
                        {"type": "document", "title": "no", "source": {"type": "text", "data": "c"}},
                        {"type": "image", "source": {"type": "base64", "data": "no"}}]},
                    {"role": "assistant", "content": [
                        {"type": "thinking", "thinking": "no", "signature": "no"},
                        {"type": "tool_use", "id": "no", "name": "no", "input": {"x": ["d"]}}]}]}),
                vec![(System, "a"), (Tool, "b"), (User, "c"), (Assistant, "d")],
            ),
            (
                Format::Gemini,
                json!({"system_instruction": {"parts": [{"text": "a"}]}, "contents": [
                    {"role": "model", "parts": [{"functionCall": {"name": "no", "args": {"x": "b"}}}]},
                    {"parts": [{"functionResponse": {"name": "no", "response": {"y": "c"}}}, {"text": "d"}]}]}),
                vec![(System, "a"), (Assistant, "b"), (Tool, "c"), (User, "d")],
            ),
        ] {
            let mut seen = Vec::new();
            let changed = visit(format, &mut request, &mut |voice, text| {
                seen.push((voice, text.clone()));
                text.make_ascii_uppercase();
                text == "B"
            });
            let expected: Vec<_> = expected.into_iter().map(|(voice, text)| (voice, text.to_owned())).collect();
            assert_eq!(seen, expected, "{format:?}");
            assert_eq!(changed, seen.iter().any(|(_, text)| text == "b"), "{format:?}");
            let after = request.to_string();
            assert!(!after.contains("\"a\"") && !after.contains("NO"), "{after}");
        }
    }
}
