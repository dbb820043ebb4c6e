//! The formats, a folder each: their requests, answers, streams and failures, read into the canonical form and written from
//! it; and what they share.

pub mod eventstream;
pub mod scan;
pub mod sse;
pub mod websocket;

pub(crate) mod anthropic_messages;
pub(crate) mod bedrock_converse;
pub(crate) mod cohere_chat;
pub(crate) mod gemini;
pub(crate) mod ollama_chat;
pub(crate) mod openai_chat;
pub(crate) mod openai_responses;

mod json;
mod lines;
mod media;
mod track;
mod turns;

#[cfg(test)]
pub(crate) mod frames;

#[cfg(test)]
pub(crate) fn media_held(data: String, media_type: &str) -> crate::translate::canonical::Media {
    media::held(data, Some(media_type.to_owned()))
}
