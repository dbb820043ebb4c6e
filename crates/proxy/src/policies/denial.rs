//! What the policies of the Authorize stage answer: 401 to those nobody knows yet, 403 to those who may not. Why stands in
//! the log, and in the answer only where that is asked for.

use http::header::WWW_AUTHENTICATE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::{Code, Error, Exchange, codes};

/// Who is told why a request is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DenialReason")]
pub(crate) enum Reason {
    /// The access log alone (`error_cause`).
    #[default]
    Log,
    /// The client too, in the problem's `detail`.
    Client,
}

/// A denial with its reason.
pub(crate) fn denied(code: &'static Code, why: String, reason: Reason) -> Error {
    match reason {
        Reason::Log => Error::new(code, "The caller may not do this.").because(why),
        Reason::Client => Error::new(code, format!("The caller may not do this: {why}.")).because(why),
    }
}

/// Nobody is known who could be allowed: the challenges say how to be.
pub(crate) fn unidentified(x: &mut Exchange) -> Error {
    let error = Error::new(&codes::UNIDENTIFIED, "This asks for a credential and none was found.");
    x.challenges.drain(..).fold(error, |error, challenge| error.header(WWW_AUTHENTICATE, challenge))
}
