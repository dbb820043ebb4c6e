//! `tollgate explain`: which route takes a request, why, and what will happen to it.

use super::{ExplainArgs, PROBLEMS};

pub(super) fn explain(_args: &ExplainArgs) -> anyhow::Result<u8> {
    Ok(PROBLEMS)
}
