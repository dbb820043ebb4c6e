//! Calls other than turns of a conversation: they pass to a provider that serves them, under the provider's own name of
//! the model and with its key. Where a provider has words of its own for the same thing, and it is simple, they are
//! translated: embeddings, and how many tokens a request has.
//!
//! A call that names a model goes to the model's targets in turn, like a conversation. One that is about what is kept at a
//! provider (files, batches, stored answers) goes to the provider that the caller names, or to the only one that has such.

mod account;
mod asking;
mod count;
mod embed;
mod give;
mod how;
mod usage;

use http::header::CONTENT_TYPE;
use proxy::exchange::{Error, Exchange};
use proxy::policies::{Outcome, Reply};

pub(crate) use self::embed::Embedder;
use super::failure::codes;
use super::{Door, body_of, unknown};
use crate::call::{AiCall, Head, Other, Says, Turn, boundary};
use crate::providers::{Capability, Dialect};
use crate::translate::Format;

/// The model of calls that need name none.
const MODERATION: &str = "omni-moderation-latest";

/// Answers.
pub(super) async fn serve(door: &Door, x: &mut Exchange, other: Other) -> Outcome {
    let done = match (&other.says, other.call) {
        (Says::Account, _) => account::serve(door, x, &other).await.map(|()| None),
        (_, Capability::Realtime) => account::switch(door, x, &other).await.map(|()| None),
        _ => call(door, x, &other).await.map(Some),
    };
    match done {
        Ok(Some(reply)) => Outcome::Reply(Box::new(reply)),
        Ok(None) => Outcome::Next,
        Err(error) => Outcome::Fail(Box::new(error)),
    }
}

/// What is asked, of which model; none where no model is named.
pub(super) async fn read(door: &Door, x: &mut Exchange, other: &Other) -> Result<Option<Box<AiCall>>, Error> {
    let bad = |why: String| Error::new(&codes::BAD_REQUEST, why);
    let mut turn = Turn::of(other.format);
    let head = match &other.says {
        Says::Account => return Ok(None),
        Says::Query(model) => Head::bare(model),
        // What comes as a form may come as JSON too, where the vendor takes that.
        Says::Form if !is_json(x) => {
            let kind = x.request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let boundary = kind.and_then(boundary).map(str::to_owned);
            let Some(boundary) = boundary else {
                return Err(bad("The body is not `multipart/form-data` with a boundary.".to_owned()));
            };
            Head::form(body_of(x, door.most).await?, &boundary).map_err(|why| bad(why.to_owned()))?
        }
        Says::Form | Says::Json | Says::Path(_) => {
            if let Says::Path(model) = &other.says {
                turn.model = Some(model.clone());
            }
            let fallback = (other.call == Capability::Moderations).then_some(MODERATION);
            Head::read_or(body_of(x, door.most).await?, &turn, fallback).map_err(bad)?
        }
    };
    let model = door.model(x, &head)?;
    let mut call = AiCall::new(turn, head, model);
    call.capability = other.call;
    Ok(Some(Box::new(call)))
}

fn is_json(x: &Exchange) -> bool {
    x.request.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// The call as the steps left it, or as it is read now. Expressions find it where it was.
async fn known(door: &Door, x: &mut Exchange, other: &Other) -> Result<(), Error> {
    let none = || Error::new(&codes::NOT_SERVED, "It names no model.");
    if AiCall::of(x).is_none() {
        x.call = Some(read(door, x, other).await?.ok_or_else(none)?);
    }
    let call = AiCall::past(x).ok_or_else(none)?;
    if call.model.direct && !call.granted {
        return Err(unknown(call.named()));
    }
    if let Some(retires) = &call.model.clone().terms.retires {
        x.reply_headers.extend(retires.fields.iter().cloned());
    }
    Ok(())
}

/// A call that names a model. It goes back where it was, for those who look at it in the end.
async fn call(door: &Door, x: &mut Exchange, other: &Other) -> Result<Reply, Error> {
    known(door, x, other).await?;
    let (mut call, chain, frame) = door.choose(x)?;
    let reply = asking::answer(x, &mut call, other, &chain, frame).await;
    x.call = Some(call);
    reply
}

/// In whose words a provider takes such calls.
const fn words(dialect: Dialect, call: Capability) -> Format {
    match (dialect, call) {
        // Rerank has one form everywhere.
        (_, Capability::Rerank) | (Dialect::OpenaiChat | Dialect::AzureOpenai | Dialect::Ollama, _) => {
            match call {
                // Those that serve it do so as Anthropic has it.
                Capability::CountTokens => Format::AnthropicMessages,
                _ => Format::OpenAiChat,
            }
        }
        (Dialect::AnthropicMessages, _) => Format::AnthropicMessages,
        (Dialect::Gemini | Dialect::Vertex, _) => Format::Gemini,
        (Dialect::BedrockConverse, _) => Format::BedrockConverse,
        (Dialect::Cohere, _) => Format::CohereChat,
    }
}
