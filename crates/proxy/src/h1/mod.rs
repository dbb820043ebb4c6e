//! HTTP/1.1 messages (RFC 9112), written here because every request pays for them, twice: towards its client
//! ([`crate::listen`]) and towards its upstream ([`crate::upstream`]). Heads and bodies are read into one piece of memory
//! and written from where they are, by whoever polls: no task, no channel, no copy of large parts. Framing is strict, as
//! who guesses where a message ends may take its rest for the next one.

mod chunked;
mod fault;
mod handoff;
pub(crate) mod head;
mod reader;
mod writer;

#[cfg(test)]
pub(crate) use chunked::{Chunked, Step};
pub(crate) use fault::Fault;
pub(crate) use handoff::{ClientBody, Giver, Wanted, handoff};
pub(crate) use reader::{Reader, Rest};
pub(crate) use writer::{Framing, Writer, field};
