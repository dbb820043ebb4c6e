//! How many tokens a call takes: before it, as an estimate that limits and budgets hold for it; after it, what its provider
//! told, else counted, else estimated ([`call`]).
//!
//! - [`Calibration`]: bytes for a token, learnt for each target from what its provider tells.
//! - [`weigh`]: what of a request counts as text, so that a picture in it does not look like a book.
//! - [`Vocabulary`]: counting by OpenAI's own vocabularies, on a thread of its own. They are inside the binary, and take 58 MiB
//!   of memory each once they are used; where providers tell usage, none is ever loaded.

mod calibration;
mod call;
mod count;
mod estimate;
mod other;
mod realtime;
mod scale;
#[cfg(test)]
mod tests;
mod weigh;
mod whose;

pub use calibration::Calibration;
pub(crate) use call::{CallMeter, Row, Served};
pub use count::{Text, Vocabulary};
pub(crate) use estimate::{Estimate, may_cost};
pub(crate) use other::{Guess, foreseen};
pub(crate) use realtime::ear;
pub(crate) use scale::Scale;
pub(crate) use weigh::MEDIA_TOKENS;
pub use weigh::{Weight, weigh};
pub(crate) use whose::{groups, team, whose};
