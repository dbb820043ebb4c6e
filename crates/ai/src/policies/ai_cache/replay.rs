//! A kept answer as its caller wants it: in one piece, or as a stream.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, response};
use proxy::exchange::{Body, Error};

use crate::call::AiCall;
use crate::prompts::Plain;
use crate::terminal::codes;
use crate::translate::canonical::{Content, Opens, Place};
use crate::translate::{Answer, Event, Framing, Refused, Reply};

/// The answer, seen once more by those who watch.
pub(super) fn reply(
    call: &mut AiCall,
    mut answer: Answer,
    id: &str,
    now: u64,
) -> Result<(response::Parts, Body), Error> {
    let mut watches = call.take_watches();
    let format = call.turn.format;
    let how =
        Reply { model: &call.head.model, id, now, include_usage: call.head.include_usage, framing: call.turn.framing };
    let (kind, text): (&'static str, Bytes) = if call.head.stream {
        let mut events = events(&answer);
        watches.events(&mut events);
        let mut encoder = call.plain.as_ref().map_or_else(|| format.encoder(&how), Plain::encoder);
        let mut out = Vec::new();
        events.iter().for_each(|event| encoder.push(event, &mut out));
        let kind = match how.framing {
            Framing::Usual => format.stream_type(),
            Framing::Array => "application/json",
        };
        (kind, out.into())
    } else {
        watches.answer(&mut answer)?;
        let text = match &call.plain {
            Some(plain) => plain.answer(&answer)?,
            None => {
                let bad = |refused: Refused| Error::new(&codes::BAD_ANSWER, refused.to_string());
                format.write_answer(&answer, &how).map_err(bad)?
            }
        };
        ("application/json", text.into())
    };
    let mut head = Response::new(()).into_parts().0;
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok((head, Body::from(text)))
}

/// The answer as the events of a stream.
fn events(answer: &Answer) -> Vec<Event> {
    let mut events = vec![Event::Start { id: answer.id.clone(), model: answer.model.clone(), created: answer.created }];
    for (at, choice) in (0..).zip(&answer.choices) {
        for (part, one) in (0..).zip(&choice.parts) {
            let place = Place { choice: at, part };
            let (opens, more, seal) = match &one.content {
                Content::Text(text) => (Opens::Text, Event::Text(place, text.clone()), None),
                Content::Refusal(text) => (Opens::Refusal, Event::Text(place, text.clone()), None),
                Content::Reasoning(reasoning) => (
                    Opens::Reasoning { hidden: reasoning.hidden },
                    Event::Reasoning(place, reasoning.text.clone()),
                    reasoning.seal.clone(),
                ),
                Content::ToolCall(call) => (
                    Opens::ToolCall { id: call.id.clone(), name: call.name.clone() },
                    Event::Args(place, call.arguments.clone()),
                    call.seal.clone(),
                ),
                // Such an answer is not kept.
                _ => continue,
            };
            events.extend([Event::Open(place, opens), more]);
            events.extend(seal.map(|seal| Event::Seal(place, seal)));
            events.push(Event::Close(place));
        }
    }
    events.push(Event::Usage(answer.usage));
    for (at, choice) in (0..).zip(&answer.choices) {
        if let Some(finish) = choice.finish {
            events.push(Event::Finish { choice: at, finish, stop_sequence: choice.stop_sequence.clone() });
        }
    }
    events.push(Event::End);
    events
}
