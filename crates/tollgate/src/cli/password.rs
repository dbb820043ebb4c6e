//! `tollgate password`: the hash of a password, for the configuration.

use std::io::Read as _;

use anyhow::Context as _;

use super::{GOOD, style};

/// The most bytes of a password, as `basic_auth` takes them.
const MOST: u64 = 1024;

/// Reads a password and prints its hash.
pub(crate) fn password() -> anyhow::Result<u8> {
    let mut read = Vec::new();
    std::io::stdin().lock().take(MOST + 1).read_to_end(&mut read).context("cannot read standard input")?;
    let line = read.strip_suffix(b"\n").unwrap_or(&read);
    let password = line.strip_suffix(b"\r").unwrap_or(line);
    if password.is_empty() || read.len() as u64 > MOST || password.iter().any(u8::is_ascii_control) {
        anyhow::bail!("write a password of one line, at most {MOST} bytes, to standard input");
    }
    let hash = proxy::program::Hashed::make(password).context("the system has no randomness or memory")?;
    style::print(&format!("{hash}\n"))?;
    Ok(GOOD)
}
