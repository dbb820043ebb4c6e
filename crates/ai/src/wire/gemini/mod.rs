//! Gemini's `generateContent` and `streamGenerateContent`, as Google AI and Vertex speak them.
//! Source: Google's API reference of the Gemini API (v1beta) and of Vertex AI: GenerateContentRequest, Content, Part,
//! GenerationConfig, ThinkingConfig, UsageMetadata; its pages on thought signatures.

mod answer;
mod decode;
mod encode;
mod error;
mod read;
mod rules;
mod schema;
mod write;

pub(crate) use answer::{read_answer, read_usage, write_answer};
pub(crate) use decode::decoder;
pub(crate) use encode::encoder;
pub(crate) use error::{read_error, write_error};
pub(crate) use read::read_request;
pub(crate) use rules::RULES;
pub(crate) use write::write_request;
