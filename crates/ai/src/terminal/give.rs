//! Giving an answer to the caller, in the caller's format: in one piece, or as it comes.

use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use proxy::exchange::{Body, Error};
use proxy::policies::Reply as GatewayReply;

use super::ask::{Again, Answered, Frame, Said};
use super::failure::codes;
use super::stream::{Beat, Course, Passing, Source, Stream, Taker};
use crate::call::{AiCall, Watches};
use crate::catalog::{Charged, Entry};
use crate::prompts::Plain;
use crate::translate::{Format, Framing, Refused, Reply, Usage};
use crate::wire::scan::HideUsage;

/// The answer in the caller's format.
pub(super) fn give(
    asked: &AiCall,
    answered: Answered,
    reply: &Reply<'_>,
    taker: Taker,
    watches: &mut Watches,
    frame: Frame,
) -> Result<GatewayReply, Error> {
    let format = asked.turn.format;
    let mut head = Response::new(()).into_parts().0;
    let begun = answered.begun;
    let (text, mut read) = match begun.said {
        Said::Whole(text, read) => (text, read),
        Said::Stream(held, rest) => {
            let course = if begun.same {
                let hides = format == Format::OpenAiChat && !asked.head.include_usage;
                Course::Same(Passing::hiding(hides.then(HideUsage::default)))
            } else {
                Course::Anew
            };
            let beat = frame.hold.map(|every| Beat::new(every, format, reply.framing));
            let again = Again::of(asked, answered.others, frame);
            let source = Source::new(begun.going, begun.format, (held, rest));
            let encoder = asked.plain.as_ref().map_or_else(|| format.encoder(reply), Plain::encoder);
            let watches = std::mem::take(watches);
            let stream = Stream::new(source, (course, encoder), taker, watches).going_on(again, beat, format);
            let kind = match reply.framing {
                Framing::Usual => format.stream_type(),
                Framing::Array => "application/json",
            };
            head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            return Ok(GatewayReply { head, body: Body::Stream(Box::pin(stream)) });
        }
    };
    let mut usage = Usage::default();
    if let Ok(answer) = &read {
        usage = answer.usage;
        taker.meter.answered(answer);
    }
    begun.going.good(&usage);
    if let Ok(answer) = &mut read {
        watches.answer(answer)?;
    }
    let text = if begun.same {
        text
    } else {
        let bad = |refused: Refused| Error::new(&codes::BAD_ANSWER, refused.to_string());
        let answer = read.map_err(bad)?;
        match &asked.plain {
            Some(plain) => plain.answer(&answer)?.into(),
            None => format.write_answer(&answer, reply).map_err(bad)?.into(),
        }
    };
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Ok(GatewayReply { head, body: Body::from(text) })
}

/// What this costs in billionths of a US dollar, where there is a price.
pub(super) fn cost(entry: Option<&Entry>, usage: &Usage) -> Option<u64> {
    let cost = entry?.cost(&Charged::from(usage))?;
    Some(u64::try_from(cost.nanos_up()).unwrap_or_default())
}
