//! Sealed secrets: envelope encryption with AES-256-GCM.
//!
//! Each secret has a data key of its own, and that is wrapped with the keyring's current key. A keyring also holds older
//! keys, to open what was sealed before: to rotate, put the new key first, [`Vault::rewrap`], and take the old one away. What
//! is unsealed is wiped from memory when it is dropped, and has no `Debug` that shows it.

mod envelope;
mod key;
mod keyring;
mod look;
#[cfg(test)]
mod tests;
mod vault;

use model::value::Secret;
use zeroize::Zeroizing;

pub use envelope::Envelope;
pub use key::{Key, KeyId, KeySource};
pub use keyring::Keyring;
pub use look::{look, name_in_vault, name_of};
pub use vault::{Stored, Vault};

/// What is secret: never shown, and wiped when it is dropped.
pub type Plain = Secret<Zeroizing<Vec<u8>>>;

/// Bytes of the longest secret.
pub const MOST_BYTES: usize = 64 * 1024;
