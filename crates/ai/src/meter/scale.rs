//! What one target's tokens weigh, learnt from its own answers.

use super::{Calibration, Weight};
use crate::translate::Usage;

/// Of one model at one provider.
#[derive(Debug, Default)]
pub(crate) struct Scale {
    input: Calibration,
    output: Calibration,
}

impl Scale {
    /// A provider told what a request and an answer of so many bytes were.
    pub(super) fn learn(&self, (asked, input): (u64, u64), (said, usage): (u64, &Usage)) {
        self.input.learn(asked, input);
        // What is thought and not shown has no bytes.
        if usage.reasoning == 0 && usage.audio_output == 0 {
            self.output.learn(said, usage.output);
        }
    }

    /// How many tokens a request is, usually.
    pub(crate) fn usual_input(&self, weight: Weight) -> u64 {
        self.input.usual(weight.bytes).saturating_add(weight.media)
    }

    /// How many tokens a request is at most, as far as is known.
    pub(crate) fn most_input(&self, weight: Weight) -> u64 {
        self.input.most(weight.bytes).saturating_add(weight.media)
    }

    /// How many tokens what was said is, usually.
    pub(crate) fn usual_output(&self, bytes: u64) -> u64 {
        self.output.usual(bytes)
    }
}
