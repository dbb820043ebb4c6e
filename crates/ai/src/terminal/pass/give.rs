//! Giving an answer to the caller: JSON in one piece, so that what it took is known; anything else as it comes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, HeaderName, Response};
use http_body::{Frame, SizeHint};
use proxy::exchange::{AttemptOutcome, Body, BodyError, Error};
use proxy::policies::Reply;
use serde_json::Value;

use super::super::ask::{Going, whole};
use super::super::failure::codes;
use super::asking::Answered;
use super::how::How;
use super::usage::{self, Took};
use crate::call::{AiCall, Other};
use crate::catalog::Charged;
use crate::fleet::Target;
use crate::meter::CallMeter;
use crate::providers::Capability;
use crate::translate::canonical::{Choice, Part};
use crate::translate::other::Told;
use crate::translate::{Answer, Format, Usage};
use crate::wire::scan::Tap;

/// The most bytes of an answer that comes in one piece: images come in their bytes.
const MOST_ANSWER: usize = 256 << 20;
/// What is passed of an answer's header fields.
pub(super) static PASSED: [&HeaderName; 3] = [&CONTENT_TYPE, &CONTENT_DISPOSITION, &CONTENT_ENCODING];

/// The answer for the caller.
pub(super) async fn give(call: &mut AiCall, other: &Other, answered: Answered, now: u64) -> Result<Reply, Error> {
    let going = answered.going;
    let target = going.target.clone();
    let (from, body) = answered.response.into_parts();
    let mut head = Response::new(()).into_parts().0;
    head.status = from.status;
    pass(&from.headers, &mut head.headers);
    let alters = call.alters() && matches!(other.call, Capability::Completions | Capability::Transcription);
    let asked = usage::asked(call, &target);
    // Should the caller leave, so much was taken.
    note(call, &asked);
    if !is_json(&from.headers) {
        if alters {
            drop(going.bad(AttemptOutcome::BadRequest));
            return Err(unseen());
        }
        let events =
            from.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let mut watches = call.take_watches();
        if !events {
            watches.answer(&mut Answer { usage: asked.usage, ..Answer::default() })?;
        }
        let writes = other.call == Capability::Completions;
        let tap = events.then(|| Heard {
            tap: Tap::new(Format::OpenAiChat),
            target,
            meter: call.meter.clone(),
            writes,
            asked,
        });
        let tapped = Tapped { inner: body, heard: tap, going: Some(going) };
        return Ok(Reply { head, body: Body::Stream(Box::pin(tapped)) });
    }
    let text = match whole(body, MOST_ANSWER).await {
        Ok(text) => text,
        Err(error) => {
            drop(going.bad(AttemptOutcome::Broken));
            return Err(error);
        }
    };
    let mut value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let (text, took) = match answered.how {
        How::Same => (Some(text), usage::told(other.call, &value)),
        How::Embeddings(embed, words) => told(embed.answer(words, call.named(), &value)),
        How::Images(draw, words) => told(draw.answer(words, now, &value)),
    };
    let Some(text) = text else {
        drop(going.bad(AttemptOutcome::Server));
        let detail = format!("What was asked for is not in the answer of `{}`.", target.model);
        return Err(Error::new(&codes::BAD_ANSWER, detail));
    };
    let took = took.unwrap_or(asked);
    note(call, &took);
    going.good(&took.usage);
    let mut watches = call.take_watches();
    let mut answer = Answer { usage: took.usage, ..Answer::default() };
    let text = if alters {
        let mut said = words(&mut value);
        answer.choices = said.iter().map(|text| spoken(text)).collect();
        watches.answer(&mut answer)?;
        for (text, choice) in said.iter_mut().zip(&answer.choices) {
            **text = choice.parts.iter().filter_map(Part::as_text).collect();
        }
        value.to_string().into()
    } else {
        watches.answer(&mut answer)?;
        text
    };
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Ok(Reply { head, body: Body::from(text) })
}

/// Why an answer is not given that policies want to look into.
pub(super) fn unseen() -> Error {
    let detail = "Policies of this route look into answers, which they can in JSON that comes in one piece.";
    Error::new(&codes::UNSEEN, detail)
}

/// An answer that was translated, and what it took.
fn told(told: Option<Told>) -> (Option<Bytes>, Option<Took>) {
    let took = told.as_ref().map(|told| {
        let mut took = Took::tokens(told.usage);
        if told.images > 0 {
            took.charged = Charged { images: told.images, image_output: told.usage.output, output: 0, ..took.charged };
        }
        took
    });
    (told.map(|told| told.text), took)
}

fn note(call: &AiCall, took: &Took) {
    call.meter.took(&took.usage, took.charged);
}

/// The texts of an answer that is text: of a prompt that goes on, or of speech.
fn words(answer: &mut Value) -> Vec<&mut String> {
    let mut said = Vec::new();
    let Some(fields) = answer.as_object_mut() else { return said };
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("text", Value::String(text)) => said.push(text),
            ("choices" | "segments", Value::Array(items)) => {
                let texts = items.iter_mut().filter_map(|item| item.get_mut("text"));
                said.extend(texts.filter_map(|text| if let Value::String(text) = text { Some(text) } else { None }));
            }
            _ => {}
        }
    }
    said
}

fn spoken(text: &str) -> Choice {
    Choice { parts: vec![Part::text(text)], ..Choice::default() }
}

fn is_json(fields: &HeaderMap) -> bool {
    let plain = !fields.contains_key(CONTENT_ENCODING);
    let json = fields.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"application/json"));
    plain && json
}

/// Passes the header fields that say what the body is.
pub(super) fn pass(from: &HeaderMap, to: &mut HeaderMap) {
    for name in PASSED {
        for value in from.get_all(name) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// What passes as it comes; a stream of events tells its usage on its way.
struct Tapped {
    inner: Body,
    heard: Option<Heard>,
    going: Option<Going>,
}

/// What is heard of a stream of events.
struct Heard {
    tap: Tap,
    target: Arc<Target>,
    meter: Arc<CallMeter>,
    /// Whether it is text that the model writes.
    writes: bool,
    /// What such a call usually takes.
    asked: Took,
}

impl Heard {
    fn took(&self) -> Took {
        let written = if self.writes { self.target.scale.usual_output(self.tap.produced()) } else { 0 };
        match self.tap.usage() {
            Some(usage) => Took::tokens(usage),
            None if written > 0 => Took::tokens(Usage { output: written, ..self.asked.usage }),
            None => self.asked,
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let took = self.took();
        self.meter.took(&took.usage, took.charged);
    }
}

impl Tapped {
    fn over(&mut self, outcome: Option<AttemptOutcome>) {
        let Some(going) = self.going.take() else { return };
        match outcome {
            Some(outcome) => drop(going.bad(outcome)),
            None => going.good(&self.heard.as_ref().map(|heard| heard.took().usage).unwrap_or_default()),
        }
        self.heard = None;
    }
}

impl http_body::Body for Tapped {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(heard), Some(data)) = (&mut this.heard, frame.data_ref()) {
                    heard.tap.push(data);
                }
            }
            Some(Err(_)) => this.over(Some(AttemptOutcome::Broken)),
            None => this.over(None),
        }
        // Who reads it need not ask for the end where that is known.
        if this.inner.is_end_stream() {
            this.over(None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_of_answers_are_found() {
        for (mut answer, expected) in [
            (json!({ "choices": [{ "text": "a" }, { "text": "b" }], "model": "no" }), vec!["a", "b"]),
            (json!({ "text": "a", "segments": [{ "text": "a", "id": 1 }], "language": "no" }), vec!["a", "a"]),
            (json!({ "text": 1, "choices": [{}] }), vec![]),
            (json!([]), vec![]),
        ] {
            let mut said = words(&mut answer);
            assert_eq!(said, expected);
            said.iter_mut().for_each(|text| text.make_ascii_uppercase());
            let after = answer.to_string();
            assert!(!after.contains("\"a\""), "{after}");
        }
    }
}
