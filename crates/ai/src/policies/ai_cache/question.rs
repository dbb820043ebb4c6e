//! What of a request may be said in other words, and what must be the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::Key;
use crate::call::{AiCall, Voice, each_text};
use crate::translate::Format;

/// What of a request may be said in other words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AiCacheAlike")]
pub(super) enum Alike {
    /// What the user said last.
    #[default]
    LastMessage,
    /// All that user and model said. A conversation in which a tool was called has no answer of another.
    Conversation,
}

/// A request whose answer may be another's.
pub(super) struct Question {
    /// What may be said in other words.
    pub(super) text: String,
    /// All the rest: model, instructions, tools, parameters, media, and the numbers within the text.
    pub(super) rest: Key,
}

impl Question {
    /// Of what a call asks, if its last message is the user's. A text of more than `most` bytes is none. `by` is what tells
    /// how alike two texts are.
    pub(super) fn of(
        alike: Alike,
        (owner, call): (Option<u32>, &AiCall),
        mut asked: Value,
        (most, by): (usize, &str),
    ) -> Option<Self> {
        let text = take(alike, call.turn.format, &mut asked)?;
        if text.is_empty() || text.len() > most {
            return None;
        }
        let rest = Key::of(owner, call, &asked, &format!("{alike:?}|{by}|{}", numbers(&text)));
        Some(Self { text, rest })
    }
}

/// Takes the text out of a request.
fn take(alike: Alike, format: Format, asked: &mut Value) -> Option<String> {
    let list = match format {
        Format::OpenAiResponses => "input",
        Format::Gemini => "contents",
        _ => "messages",
    };
    let turns = asked.get_mut(list)?;
    let mut text = String::new();
    // A text alone, or one turn without a list around it.
    let last = match turns {
        Value::Array(turns) => turns.last_mut()?,
        one => one,
    };
    let is_users = last.is_string()
        || last.get("role").is_none_or(|role| role == "user") && last.get("type").is_none_or(|kind| kind == "message");
    if !is_users {
        return None;
    }
    if alike == Alike::LastMessage {
        let mut alone = Value::Object([(list.to_owned(), last.take())].into_iter().collect());
        if alone.get(list).is_some_and(Value::is_object) {
            alone = wrapped(list, alone);
        }
        each_text(format, &mut alone, &mut |voice, said| join(&mut text, (voice == Voice::User).then_some(said)));
        let mut back = alone.get_mut(list).map(Value::take).unwrap_or_default();
        if let Value::Array(one) = &mut back {
            back = one.pop().unwrap_or_default();
        }
        *last = back;
        return Some(text);
    }
    let mut tools = false;
    each_text(format, asked, &mut |voice, said| {
        tools |= voice == Voice::Tool;
        join(&mut text, matches!(voice, Voice::User | Voice::Assistant).then_some(said))
    });
    (!tools).then_some(text)
}

/// One turn in a list.
fn wrapped(list: &str, mut alone: Value) -> Value {
    if let Some(turn) = alone.get_mut(list) {
        *turn = Value::Array(vec![turn.take()]);
    }
    alone
}

/// Moves a text behind another.
fn join(text: &mut String, said: Option<&mut String>) -> bool {
    let Some(said) = said else { return false };
    if !text.is_empty() && !said.is_empty() {
        text.push('\n');
    }
    text.push_str(&std::mem::take(said));
    true
}

/// The numbers within a text: what differs in one is another question, however alike it sounds.
fn numbers(text: &str) -> String {
    let mut numbers = String::new();
    for letter in text.chars() {
        if letter.is_numeric() {
            numbers.push(letter);
        } else if !numbers.ends_with(' ') {
            numbers.push(' ');
        }
    }
    numbers.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(role: &str, content: Value) -> Value {
        json!({ "role": role, "content": content })
    }

    fn takes(alike: Alike, format: Format, asked: &Value, expected: Option<(&str, Value)>) {
        let mut left = asked.clone();
        let text = take(alike, format, &mut left);
        assert_eq!(text.map(|text| (text, left)), expected.map(|(text, left)| (text.to_owned(), left)), "{asked}");
    }

    #[test]
    fn what_was_said_last_is_taken_and_the_rest_stays() {
        let chat = |last: &str| {
            let all = [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", last)];
            let all: Vec<Value> = all.iter().map(|(role, text)| said(role, json!(text))).collect();
            json!({ "n": 1, "messages": all })
        };
        let pictured = |text: &str| json!({ "messages": [said("user", json!([{ "type": "text", "text": text }, { "type": "image_url" }]))] });
        let result = |text: &str| {
            let parts = json!([{ "type": "tool_result", "content": "t" }, { "type": "text", "text": text }]);
            json!({ "messages": [said("user", parts)] })
        };
        let gemini = |text: &str| json!({ "contents": { "parts": [{ "text": text }] } });
        for (format, asked, left) in [
            (Format::OpenAiChat, chat("w"), chat("")),
            (Format::OpenAiChat, pictured("w"), pictured("")),
            (Format::AnthropicMessages, result("w"), result("")),
            (Format::OpenAiResponses, json!({ "input": "w" }), json!({ "input": "" })),
            (
                Format::OpenAiResponses,
                json!({ "input": [said("user", json!("w"))] }),
                json!({ "input": [said("user", json!(""))] }),
            ),
            (Format::Gemini, gemini("w"), gemini("")),
        ] {
            takes(Alike::LastMessage, format, &asked, Some(("w", left)));
        }
    }

    #[test]
    fn a_conversation_is_taken_as_a_whole() {
        let talk = |texts: [&str; 3]| {
            let [one, two, three] = texts.map(|text| json!(text));
            json!({ "messages": [said("system", json!("s")), said("user", one), said("assistant", two), said("user", three)] })
        };
        takes(Alike::Conversation, Format::OpenAiChat, &talk(["u", "a", "v"]), Some(("u\na\nv", talk(["", "", ""]))));
        let called = json!({ "messages": [said("tool", json!("t")), said("user", json!("u"))] });
        let mut left = called;
        assert_eq!(take(Alike::Conversation, Format::OpenAiChat, &mut left), None);
    }

    #[test]
    fn what_the_user_did_not_say_last_has_no_answer_of_another() {
        let model =
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "u" }] }, { "role": "model", "parts": [] }] });
        for (format, asked) in [
            (Format::OpenAiChat, json!({ "messages": [said("user", json!("u")), said("tool", json!("t"))] })),
            (Format::OpenAiResponses, json!({ "input": [{ "type": "function_call_output", "output": "t" }] })),
            (Format::Gemini, model),
            (Format::OpenAiChat, json!({ "messages": [] })),
            (Format::OpenAiChat, json!([])),
        ] {
            takes(Alike::LastMessage, format, &asked, None);
            takes(Alike::Conversation, format, &asked, None);
        }
    }

    #[test]
    fn numbers_make_a_question_another() {
        for (one, other, same) in [
            ("what is 2 plus 2", "how much is 2 and 2?", true),
            ("what is 2 plus 2", "what is 2 plus 3", false),
            ("order 12 3", "order 123", false),
            ("call me", "ring me", true),
            ("in ١٩٩٠", "in ١٩٩١", false),
        ] {
            assert_eq!(numbers(one) == numbers(other), same, "{one} {other}");
        }
    }
}
