//! `tollgate key`: a new API key, and what of it goes into the configuration.

use anyhow::Context as _;

use super::{GOOD, KeyArgs, style};

/// Prints a new key with its SHA-256.
pub(crate) fn key(args: &KeyArgs) -> anyhow::Result<u8> {
    let mut said = Vec::new();
    for _ in 0..args.count {
        let key = proxy::gate_key::make().context("the system has no randomness")?;
        let hash = proxy::gate_key::sha256_of(key.expose());
        said.push(if args.json {
            serde_json::json!({ "key": key.expose(), "sha256": hash }).to_string()
        } else {
            format!("key     {}\nsha256  {hash}", key.expose())
        });
    }
    style::print(&format!("{}\n", said.join("\n")))?;
    Ok(GOOD)
}
