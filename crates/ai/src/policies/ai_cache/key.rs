//! What makes two requests the same.

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

impl Key {
    /// Of this call, for this consumer or everyone. An error is a sentence for the caller.
    pub(super) fn of(owner: Option<u32>, call: &AiCall) -> Result<Self, String> {
        let mut request: Value =
            serde_json::from_slice(call.body()).map_err(|error| format!("The body is not JSON: {error}."))?;
        if let Some(fields) = request.as_object_mut() {
            BESIDE.iter().for_each(|name| drop(fields.remove(*name)));
        }
        request.sort_all_objects();
        let prompt = call.plain.as_ref().map(|plain| plain.0.told.clone());
        let what =
            format!("{owner:?}|{}|{}|{:?}|{prompt:?}|", call.model.name.len(), call.model.name, call.turn.format);
        let mut hash = Context::new(&SHA256);
        hash.update(what.as_bytes());
        hash.update(request.to_string().as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(hash.finish().as_ref());
        Ok(Self(key))
    }
}
