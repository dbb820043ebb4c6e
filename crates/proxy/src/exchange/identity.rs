//! Who calls, as the identifying steps learnt it.

use crate::program::ConsumerSlot;

/// Who calls.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The consumer's slot, which stays the same over reloads.
    pub consumer: Option<ConsumerSlot>,
    /// The plan that applies, as an index of the program's plans.
    pub plan: Option<u32>,
    /// The credential's name.
    pub credential: Option<std::sync::Arc<str>>,
    /// The policy that found it, such as `key_auth`.
    pub method: &'static str,
}
