//! Identifies a consumer by the client's certificate, which the listener has verified.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Identifies a consumer by the client's certificate.
pub(crate) struct Mtls;

/// Identifies the consumer by the client's certificate, as its `certificate` credentials say: the fingerprint tells it
/// before a name, a name before the subject. The listener asks for certificates and verifies them
/// (`tls.client_certificates`).
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// What becomes of a good certificate that no consumer has.
    unknown: Unknown,
}

/// What becomes of a good certificate that no consumer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UnknownCertificate")]
pub(crate) enum Unknown {
    /// The request is refused.
    #[default]
    Refuse,
    /// It is as if none had been shown, and other policies may identify the caller.
    Ignore,
}

static UNKNOWN: Code = Code {
    name: "mtls.unknown",
    status: 401,
    title: "Unknown client certificate",
    blame: Blame::Client,
    proxy_status: None,
};
static AMBIGUOUS: Code = Code {
    name: "mtls.ambiguous",
    status: 400,
    title: "Certificate of several consumers",
    blame: Blame::Client,
    proxy_status: None,
};

impl Policy for Mtls {
    type Spec = Spec;
    const KIND: &'static str = "mtls";
    const ORDER: (Stage, u8) = (Stage::Identify, 5);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&UNKNOWN, &AMBIGUOUS];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let asks = |listener: &model::resource::Listener| {
            listener.tls.as_ref().is_some_and(|tls| tls.client_certificates.is_some())
        };
        if !cx.snapshot.listeners.iter().any(asks) {
            let help = "give a listener `tls: { client_certificates: { ca: … } }`";
            cx.problem(cx.span, "no listener asks clients for a certificate", help);
            return None;
        }
        Some(Arc::new(FindCertificate { unknown: spec.unknown }))
    }
}

struct FindCertificate {
    unknown: Unknown,
}

impl Step for FindCertificate {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(shown) = x.connection.tls.as_ref().and_then(|tls| tls.client.as_ref()) else {
            // A handshake has no challenge in HTTP.
            x.not_identified([]);
            return Verdict::NEXT;
        };
        let consumers = &x.local.program.consumers;
        let found = consumers.certificate(shown);
        let owners = found.iter().filter_map(|id| consumers.credential(*id).map(|credential| credential.consumer));
        let mut owners = owners;
        match (found.first(), owners.next()) {
            (Some(_), Some(first)) if owners.any(|other| other != first) => {
                Verdict::fail(Error::new(&AMBIGUOUS, "The client certificate has names of several consumers."))
            }
            (Some(&credential), _) => match x.identify_by(Mtls::KIND, credential) {
                Ok(()) => Verdict::NEXT,
                Err(error) => Verdict::fail(error),
            },
            (None, _) if self.unknown == Unknown::Ignore => {
                x.not_identified([]);
                Verdict::NEXT
            }
            (None, _) => Verdict::fail(Error::new(&UNKNOWN, "No consumer has this client certificate.")),
        }
    }
}
