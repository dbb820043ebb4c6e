//! An answer in one piece.

use serde_json::Value;

use super::read::{read_call, thought};
use super::write::write_call;
use crate::translate::canonical::{Choice, Content, Part};
use crate::translate::{Answer, Finish, Refused, Reply, Usage};
use crate::wire::json::{At, Fields, Obj, object, parse_answer, u64_of};
use crate::wire::turns::answer_holds;

/// Reads a provider's answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer, Refused> {
    let value = parse_answer(body)?;
    let usage = read_usage(Some(&value));
    let mut fields = Fields::of(value, At::ROOT)?;
    if !fields.has("message") {
        return Err(fields.wrong("message", "is missing"));
    }
    let made = stamp(fields.peek("created_at").unwrap_or_default());
    let mut calls = 0;
    let parts = parts(Fields::lenient(fields.take("message").unwrap_or_default()), &made, &mut calls);
    let finish = read_finish(fields.peek("done_reason"), calls > 0);
    Ok(Answer {
        model: fields.string("model")?.unwrap_or_default(),
        choices: vec![Choice { parts, finish: Some(finish), ..Choice::default() }],
        usage,
        ..Answer::default()
    })
}

/// What makes the ids of one answer's calls differ from another's: the time it was made.
pub(super) fn stamp(created: &str) -> String {
    created.chars().filter(char::is_ascii_digit).take(24).collect()
}

/// A message or a piece of one.
pub(super) fn parts(mut message: Fields<'_>, stamp: &str, calls: &mut usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = |key: &str| message.string(key).ok().flatten().filter(|text| !text.is_empty());
    parts.extend(text("thinking").map(thought));
    parts.extend(text("content").map(Part::text));
    for value in message.list("tool_calls").ok().flatten().unwrap_or_default() {
        let number = *calls;
        *calls += 1;
        let call = read_call(Fields::lenient(value), || format!("call_{stamp}_{number}"));
        parts.push(Part::new(Content::ToolCall(call)));
    }
    parts
}

/// Why it ended. There is no reason for calls of tools.
pub(super) fn read_finish(word: Option<&str>, called: bool) -> Finish {
    match word {
        Some("length") => Finish::Length,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// What was taken stands at the top of an answer.
pub(crate) fn read_usage(value: Option<&Value>) -> Usage {
    let count = |key: &str| value.and_then(|value| value.get(key)).and_then(u64_of).unwrap_or(0);
    Usage { input: count("prompt_eval_count"), output: count("eval_count"), ..Usage::default() }
}

/// What was taken, and why it ended.
pub(super) fn write_end(o: &mut Obj<'_>, finish: Finish, usage: &Usage) {
    o.plain("done", true);
    o.str("done_reason", if finish == Finish::Length { "length" } else { "stop" });
    o.plain("total_duration", 0);
    o.plain("prompt_eval_count", usage.input);
    o.plain("eval_count", usage.output);
}

/// Writes an answer for a caller.
pub(crate) fn write_answer(answer: &Answer, reply: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    answer_holds(answer)?;
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.str("model", if reply.model.is_empty() { &answer.model } else { reply.model });
        o.str("created_at", &time(answer.created.unwrap_or(reply.now)));
        o.obj("message", |m| message(m, &choice.parts));
        write_end(o, choice.finish.unwrap_or(Finish::Stop), &answer.usage);
    });
    Ok(out)
}

/// A message or a piece of one.
pub(super) fn message(m: &mut Obj<'_>, parts: &[Part]) {
    let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
    for part in parts {
        match &part.content {
            Content::Text(words) | Content::Refusal(words) => text.push_str(words),
            Content::Reasoning(thought) => thoughts.push_str(&thought.text),
            Content::ToolCall(call) => calls.push(call),
            _ => {}
        }
    }
    m.str("role", "assistant");
    m.str("content", &text);
    if !thoughts.is_empty() {
        m.str("thinking", &thoughts);
    }
    if !calls.is_empty() {
        m.arr("tool_calls", |list| calls.iter().for_each(|call| list.obj(|o| write_call(o, call))));
    }
}

/// Seconds since 1970 as RFC 3339 writes them, by the civil calendar of Howard Hinnant's "days from civil".
pub(super) fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 % 3_650_000, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(time(seconds), text);
        }
        assert!(!time(u64::MAX).is_empty());
    }
}
