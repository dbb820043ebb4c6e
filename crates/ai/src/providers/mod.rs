//! Who serves models, and how each is spoken to.
//!
//! `dialect` is how a provider is spoken to (where a call goes, how the key is shown), `quirks` is where one departs from
//! the dialect it names, `presets` is the table
//! of the vendors, and `reference` its page in the docs.

mod dialect;
pub mod presets;
mod quirks;
mod reference;

pub use dialect::{Auth, Capabilities, Capability, Dialect};
pub use quirks::{MaxTokens, ParallelTools, Prefill, Quirks, Replay, Schema, StreamUsage, User};
pub use reference::reference;
