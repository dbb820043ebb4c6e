//! What guards the words of a call: what is found in a text, and what is put in its place. PURE: text in, findings out.
//!
//! ```text
//! text ─▶ detect (personal data), secrets, words (lists of the user's) ─▶ Finding ─▶ mask: placeholders, and back
//!         injection, language: a judgement of the whole text
//! ```
//!
//! A text may come in pieces ([`stream`]): what might still become a finding is held back, and nothing else. Every detector
//! reads through a [`text::Look`], which notes when it looked beyond what has come; so a text cut anywhere gives what the
//! whole gives, by construction. All is bounded: a detector reads at most [`text::MOST`] bytes ahead and [`text::BEHIND`]
//! back, so the time is linear in the text.

pub mod detect;
pub mod injection;
pub mod language;
pub mod mask;
pub mod secrets;
pub mod stream;
pub mod text;
pub mod words;

#[cfg(test)]
mod tests;

pub use detect::{Finding, Kind, Kinds, Scan};
pub use mask::Masks;
