//! Anthropic Messages.
//! Source: Anthropic's API reference, version 2023-06-01: "Messages", "Streaming", "Errors", "Extended thinking",
//! "Tool use", "Prompt caching", "Structured outputs".

mod answer;
mod decode;
mod encode;
mod error;
pub(crate) mod fit;
mod glance;
mod read;
mod rules;
mod write;

pub(crate) use answer::{read_answer, read_usage, write_answer};
pub(crate) use decode::decoder;
pub(crate) use encode::encoder;
pub(crate) use error::{read_error, write_error};
pub(crate) use read::read_request;
pub(crate) use rules::RULES;
pub(crate) use write::write_request;

#[cfg(test)]
mod tests;
