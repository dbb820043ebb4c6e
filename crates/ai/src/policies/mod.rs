//! Policies that act on calls of models, one folder each.

use proxy::policies::registry::Registered;

/// Every one.
pub static POLICIES: &[Registered] = &[];
