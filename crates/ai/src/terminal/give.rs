//! Giving an answer to the caller, in the caller's format: in one piece, or as it comes.

use std::sync::Arc;

use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use proxy::exchange::{Body, Error, ModelCall};
use proxy::policies::Reply as GatewayReply;

use super::ask::{self, Answered};
use super::failure::codes;
use super::stream::{Course, Passing, Stream};
use crate::call::{AiCall, Watches};
use crate::catalog::{Charged, Entry};
use crate::translate::{Format, Framing, Reply, Usage};
use crate::wire::scan::HideUsage;

/// The most bytes of an answer that comes in one piece.
const MOST_ANSWER: usize = 64 << 20;

/// The answer in the caller's format.
pub(super) async fn give(
    asked: &AiCall,
    answered: Answered<'_>,
    reply: &Reply<'_>,
    call: &Arc<ModelCall>,
    mut watches: Watches,
) -> Result<GatewayReply, Error> {
    let format = asked.turn.format;
    let mut head = Response::new(()).into_parts().0;
    let (_, body) = answered.response.into_parts();
    if asked.head.stream {
        let course = if answered.same {
            let hides = format == Format::OpenAiChat && !asked.head.include_usage;
            Course::Same(Passing::hiding(hides.then(HideUsage::default)))
        } else {
            Course::Anew
        };
        let codecs = (answered.format.decoder(), format.encoder(reply));
        let stream = Stream::new(body, codecs, course, (call.clone(), answered.target.entry.clone()), watches);
        head.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(match reply.framing {
                Framing::Usual => format.stream_type(),
                Framing::Array => "application/json",
            }),
        );
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return Ok(GatewayReply { head, body: Body::Stream(Box::pin(stream)) });
    }
    let text = ask::whole(body, MOST_ANSWER).await?;
    let mut read = answered.format.read_answer(&text);
    if let Ok(answer) = &mut read {
        note(call, answered.target.entry.as_deref(), &answer.usage);
        watches.answer(answer)?;
    }
    let text = if answered.same {
        text
    } else {
        let made = read.and_then(|answer| format.write_answer(&answer, reply));
        made.map_err(|refused| Error::new(&codes::BAD_ANSWER, refused.to_string()))?.into()
    };
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Ok(GatewayReply { head, body: Body::from(text) })
}

/// Remembers what a call took.
pub(super) fn note(call: &ModelCall, entry: Option<&Entry>, usage: &Usage) {
    let cost = entry.and_then(|entry| entry.cost(&Charged::from(usage)));
    call.took(usage.input, usage.output, cost.map(|cost| u64::try_from(cost.nanos_up()).unwrap_or_default()));
}
