//! OpenAI Responses, without state at the provider: what a call needs is in the call.
//! Source: OpenAI's API reference, "Responses" and "Streaming events".

mod answer;
mod decode;
mod encode;
mod read;
mod rules;
mod write;

pub(crate) use super::openai_chat::{read_error, write_error};
pub(crate) use answer::{read_answer, read_usage, write_answer};
pub(crate) use decode::decoder;
pub(crate) use encode::encoder;
pub(crate) use read::read_request;
pub(crate) use rules::RULES;
pub(crate) use write::write_request;
