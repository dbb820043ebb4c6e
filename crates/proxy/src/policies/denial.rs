//! What the policies of the Authorize stage answer: 401 to those nobody knows yet, 403 to those who may not. Why stands in
//! the log, and in the answer only where that is asked for.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use http::header::WWW_AUTHENTICATE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::{Code, Error, Exchange, codes};
use crate::policies::Outcome;
use crate::program::Compile;

/// Who is told why a request is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DenialTell")]
pub(crate) enum Tell {
    /// The access log alone (`error_cause`).
    #[default]
    Log,
    /// The client too, in the problem's `detail`.
    Client,
}

/// Whether a policy denies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DenialMode")]
pub(crate) enum Mode {
    /// It does.
    #[default]
    Enforce,
    /// What it would have denied passes, is counted (`tollgate_denied_total`) and stands in the access log
    /// (`shadow_denied`).
    Shadow,
}

impl Mode {
    /// The label of metrics.
    fn word(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        }
    }
}

/// Requests that a rule denied, or would have.
pub(crate) type Tally = Arc<AtomicU64>;

/// How a policy denies.
pub(crate) struct Denial {
    kind: &'static str,
    code: &'static Code,
    tell: Tell,
    mode: Mode,
}

impl Denial {
    /// Denies with this code.
    pub(crate) fn new(code: &'static Code, tell: Tell, mode: Mode, cx: &Compile<'_>) -> Self {
        Self { kind: cx.kind, code, tell, mode }
    }

    /// Where it is counted what a rule of this name denies; empty where the policy has no names.
    pub(crate) fn tally(&self, rule: &str, cx: &Compile<'_>) -> Tally {
        cx.env.telemetry.denied(self.kind, rule, self.mode.word())
    }

    /// What becomes of a request that may not pass: why, for the log, and what a client may be told of it.
    #[cold]
    pub(crate) fn deny(&self, x: &mut Exchange, tally: &Tally, why: String, told: Option<&str>) -> Outcome {
        self.finish(x, tally, why, |_, why, denial| denial.error(denial.code, why, told))
    }

    /// A denial with this code.
    pub(crate) fn error(&self, code: &'static Code, why: String, told: Option<&str>) -> Error {
        match (self.tell, told) {
            (Tell::Client, Some(told)) => Error::new(code, sentence(told)).because(why),
            _ => Error::new(code, "The caller may not do this.").because(why),
        }
    }

    /// What becomes of a request of nobody, where only somebody may pass.
    #[cold]
    pub(crate) fn nobody(&self, x: &mut Exchange, tally: &Tally, why: &str) -> Outcome {
        self.finish(x, tally, why.to_owned(), |x, why, _| unidentified(x).because(why))
    }

    /// What becomes of a request that an error of the policy's own answers.
    #[cold]
    pub(crate) fn finish(
        &self,
        x: &mut Exchange,
        tally: &Tally,
        why: String,
        error: impl FnOnce(&mut Exchange, String, &Self) -> Error,
    ) -> Outcome {
        tally.fetch_add(1, Relaxed);
        if self.mode == Mode::Shadow {
            x.record.shadow_denied = Some(format!("{}: {why}", self.kind).into());
            return Outcome::Next;
        }
        Outcome::Fail(Box::new(error(x, why, self)))
    }
}

/// A denial with its reason.
pub(crate) fn denied(code: &'static Code, why: String, tell: Tell) -> Error {
    match tell {
        Tell::Log => Error::new(code, "The caller may not do this.").because(why),
        Tell::Client => Error::new(code, sentence(&why)).because(why),
    }
}

fn sentence(why: &str) -> String {
    format!("The caller may not do this: {}.", why.trim_end_matches('.'))
}

/// Nobody is known who could be allowed: the challenges say how to be.
pub(crate) fn unidentified(x: &mut Exchange) -> Error {
    let error = Error::new(&codes::UNIDENTIFIED, "This asks for a credential and none was found.");
    x.challenges.drain(..).fold(error, |error, challenge| error.header(WWW_AUTHENTICATE, challenge))
}
