//! Who issues tokens, at run time.

use super::source::Source;
use crate::tokens::rules::Rules;

/// An issuer.
pub(super) struct Issuer {
    /// Where its keys come from.
    pub(super) source: Source,
    /// Which of its tokens are good.
    pub(super) rules: Rules,
}
