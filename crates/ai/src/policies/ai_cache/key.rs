//! What makes two requests the same.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use crate::call::AiCall;

/// What makes two requests the same: a hash of whose they are, which model is asked, and all that is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

/// Fields that say nothing of what is asked. The model counts by its own name, whatever it was called.
const BESIDE: [&str; 9] = [
    "model",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "metadata",
    "labels",
    "store",
    "prompt_cache_key",
];

/// All that is asked, in one order. An error is a sentence for the caller.
pub(super) fn asked(call: &AiCall) -> Result<Value, String> {
    let mut request: Value =
        serde_json::from_slice(call.body()).map_err(|error| format!("The body is not JSON: {error}."))?;
    if let Some(fields) = request.as_object_mut() {
        BESIDE.iter().for_each(|name| drop(fields.remove(*name)));
    }
    request.sort_all_objects();
    Ok(request)
}

impl Key {
    /// Of what this call asks, for this consumer or everyone. `beside` counts too.
    pub(super) fn of(owner: Option<u32>, call: &AiCall, asked: &Value, beside: &str) -> Self {
        let prompt = call.plain.as_ref().map(|plain| plain.0.told.clone());
        let mut what = String::new();
        for text in [&*call.model.name, beside] {
            // With its length before it none can be taken for the end of another.
            let _ = write!(what, "{}|{text}|", text.len());
        }
        let _ = write!(what, "{owner:?}|{:?}|{prompt:?}|", call.turn.format);
        let mut hash = Context::new(&SHA256);
        hash.update(what.as_bytes());
        hash.update(asked.to_string().as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(hash.finish().as_ref());
        Self(key)
    }

    /// A number for it.
    pub(super) fn short(&self) -> u64 {
        self.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// One of a number.
#[cfg(test)]
pub(super) fn testing(number: u8) -> Key {
    Key([number; 32])
}
