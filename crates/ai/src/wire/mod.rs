//! The formats, a folder each: their requests, answers, streams and failures, read into the canonical form and written from
//! it; and what they share.

pub mod scan;

pub(crate) mod anthropic_messages;
pub(crate) mod openai_chat;
pub mod sse;
