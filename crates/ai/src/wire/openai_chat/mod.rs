//! OpenAI Chat Completions, and what hosts that are compatible with it add.
//! Source: OpenAI's API reference, "Chat"; DeepSeek's for `reasoning_content`; OpenRouter's for `reasoning_details`;
//! Google's OpenAI compatibility for `extra_content`.

mod answer;
mod decode;
mod encode;
mod error;
mod glance;
mod read;
mod rules;
mod write;

pub(crate) use answer::{read_answer, read_usage, write_answer};
pub(crate) use decode::decoder;
pub(crate) use encode::encoder;
pub(crate) use error::{of_body, read_error, too_long, write_error};
pub(crate) use glance::glance;
pub(crate) use read::read_request;
pub(crate) use rules::RULES;
pub(crate) use write::write_request;

#[cfg(test)]
mod tests;
