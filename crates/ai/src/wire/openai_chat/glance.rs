//! What was said and taken, of an answer whose bytes pass as they are, and what is said by most pieces of a stream: found
//! without reading the rest.

use std::borrow::Cow;

use super::answer::{CHOICES, OfCompletion, OfPrompt, Told, read_finish};
use crate::translate::Answer;
use crate::translate::canonical::{Choice, Part};
use crate::wire::scan::{Cursor, once};

/// What was said and taken, where it is nothing but text and says what it took; nothing where it takes a closer look.
pub(crate) fn glance(body: &[u8]) -> Option<Answer> {
    let mut cursor = Cursor::new(body);
    let (mut choices, mut told) = (None, None);
    cursor.members(|key, cursor| match key {
        b"choices" => once(&mut choices, list(cursor)?),
        b"usage" => once(&mut told, usage(cursor)?),
        _ => cursor.value().map(|_| ()),
    })?;
    let (choices, usage) = (choices?, told?.usage());
    let silent = usage.input == 0 || usage.output == 0;
    (cursor.ended() && !silent).then(|| Answer { choices, usage, ..Answer::default() })
}

fn list(cursor: &mut Cursor<'_>) -> Option<Vec<Choice>> {
    let mut choices = Vec::with_capacity(1);
    cursor.elements(|cursor| {
        choices.push(choice(cursor)?);
        (choices.len() <= CHOICES).then_some(())
    })?;
    Some(choices)
}

fn choice(cursor: &mut Cursor<'_>) -> Option<Choice> {
    let (mut said, mut finish) = (None, None);
    cursor.members(|key, cursor| match key {
        b"message" => once(&mut said, message(cursor)?),
        b"finish_reason" => once(&mut finish, cursor.text()?),
        _ => cursor.value().map(|_| ()),
    })?;
    let parts = said.filter(|said| !said.is_empty()).map_or_else(Vec::new, |said| vec![Part::text(said)]);
    Some(Choice { parts, finish: finish.map(|word| read_finish(&word, false)), ..Choice::default() })
}

/// The text of a message that has nothing else.
fn message(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut said = None;
    cursor.members(|key, cursor| match key {
        b"content" => once(&mut said, cursor.text()?.into_owned()),
        b"refusal" | b"tool_calls" | b"function_call" | b"audio" | b"reasoning" | b"reasoning_content"
        | b"reasoning_details" => (!cursor.is_given()?).then_some(()),
        _ => cursor.value().map(|_| ()),
    })?;
    said
}

/// The choice that goes on in a piece of a stream, and with which text; nothing where the piece tells anything else.
pub(super) fn goes_on(piece: &[u8]) -> Option<(u32, Cow<'_, str>)> {
    std::str::from_utf8(piece).ok()?;
    let mut cursor = Cursor::new(piece);
    let (mut said, mut id) = (None, None);
    cursor.members(|key, cursor| match key {
        b"choices" => {
            let mut choice = None;
            cursor.elements(|cursor| once(&mut choice, delta_of(cursor)?))?;
            once(&mut said, choice?)
        }
        b"id" => once(&mut id, cursor.text()?),
        b"object" => (cursor.text()? != "error").then_some(()),
        b"error" | b"usage" => cursor.null(),
        _ => cursor.value().map(|_| ()),
    })?;
    (cursor.ended() && id.is_some_and(|id| !id.is_empty())).then_some(said).flatten()
}

fn delta_of<'a>(cursor: &mut Cursor<'a>) -> Option<(u32, Cow<'a, str>)> {
    let (mut index, mut said) = (None, None);
    cursor.members(|key, cursor| match key {
        b"index" => once(&mut index, cursor.count()?),
        b"delta" => {
            let mut text = None;
            cursor.members(|key, cursor| match key {
                b"content" => once(&mut text, cursor.text()?),
                b"role" => cursor.text().map(|_| ()),
                _ => cursor.null(),
            })?;
            once(&mut said, text?)
        }
        b"finish_reason" | b"logprobs" => cursor.null(),
        _ => cursor.value().map(|_| ()),
    })?;
    Some((u32::try_from(index?).ok()?, said?))
}

fn usage(cursor: &mut Cursor<'_>) -> Option<Told> {
    let mut told = Told::default();
    let mut seen = Seen::default();
    cursor.members(|key, cursor| match key {
        b"prompt_tokens" => seen.count(0, &mut told.prompt_tokens, cursor),
        b"completion_tokens" => seen.count(1, &mut told.completion_tokens, cursor),
        b"total_tokens" => seen.count(2, &mut told.total_tokens, cursor),
        b"prompt_cache_hit_tokens" => seen.count(3, &mut told.prompt_cache_hit_tokens, cursor),
        b"cached_tokens" => seen.count(4, &mut told.cached_tokens, cursor),
        b"prompt_tokens_details" => seen.once(5).and_then(|()| of_prompt(cursor, &mut told.prompt_tokens_details)),
        b"completion_tokens_details" => {
            seen.once(6).and_then(|()| of_completion(cursor, &mut told.completion_tokens_details))
        }
        _ => cursor.value().map(|_| ()),
    })?;
    Some(told)
}

fn of_prompt(cursor: &mut Cursor<'_>, of: &mut OfPrompt) -> Option<()> {
    if cursor.null().is_some() {
        return Some(());
    }
    let mut seen = Seen::default();
    cursor.members(|key, cursor| match key {
        b"cached_tokens" => seen.count(0, &mut of.cached_tokens, cursor),
        b"cache_write_tokens" => seen.count(1, &mut of.cache_write_tokens, cursor),
        b"audio_tokens" => seen.count(2, &mut of.audio_tokens, cursor),
        _ => cursor.value().map(|_| ()),
    })
}

fn of_completion(cursor: &mut Cursor<'_>, of: &mut OfCompletion) -> Option<()> {
    if cursor.null().is_some() {
        return Some(());
    }
    let mut seen = Seen::default();
    cursor.members(|key, cursor| match key {
        b"reasoning_tokens" => seen.count(0, &mut of.reasoning_tokens, cursor),
        b"audio_tokens" => seen.count(1, &mut of.audio_tokens, cursor),
        _ => cursor.value().map(|_| ()),
    })
}

/// Which keys were there: readers differ over a key given twice.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    fn once(&mut self, key: u8) -> Option<()> {
        let bit = 1 << key;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new.then_some(())
    }

    fn count(&mut self, key: u8, place: &mut u64, cursor: &mut Cursor<'_>) -> Option<()> {
        self.once(key)?;
        *place = cursor.count()?;
        Some(())
    }
}
