//! The canonical form: what any of the formats can say, said once.
//!
//! Each format reads into it and writes from it, so that a new format is one more pair of functions and not one for each
//! other format. It holds no wire spelling: lengths, roles and reasons mean what is written here, whatever a provider calls
//! them.

mod answer;
mod error;
mod event;
mod request;

pub use answer::{Answer, Choice, Finish, Usage};
pub use error::{Error, ErrorKind};
pub use event::{Event, Opens, Place};
pub use request::{
    Cache, CacheTtl, Content, Effort, Media, Message, Output, Part, Reasoning, Request, Role, Sampling, Schema, Seal,
    Source, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
