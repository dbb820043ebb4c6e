//! What a user writes, and what it compiles to.

use http::header::{HeaderName, HeaderValue};
use model::load::Spanned;
use model::resource::UpstreamProtocol;
use model::value::{ByteSize, OneOrMany};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ask, Naming};
use crate::calls::{Remote, RemoteSpec};
use crate::policies::FieldNames;
use crate::program::Compile;

/// The most bytes of an answer.
const MOST_ANSWER: usize = 256 << 10;
/// The most bytes of a body that is held for it.
const MOST_BODY: u64 = 16 << 20;
/// What of a refusal the client gets, unless it is said.
const TO_CLIENT: [&str; 6] =
    ["www-authenticate", "location", "set-cookie", "content-type", "cache-control", "retry-after"];

/// Asks a server of your own whether a request may pass. Over HTTP it is asked by GET, with what is asked for in
/// `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` (in its plain form, as it is matched) and `-For`: 2xx lets the request pass, 3xx and 4xx are the refusal,
/// anything else is a failure. Over gRPC it is asked by Envoy's contract (`envoy.service.auth.v3.Authorization/Check`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExtAuth")]
pub(crate) struct Spec {
    /// The server: a URL to be asked over HTTP, or its address for gRPC (`h2c://HOST:PORT`, `https://HOST`).
    url: Spanned<String>,
    /// How it is asked.
    #[serde(default)]
    protocol: Protocol,
    /// Header fields of the request that it sees; `x-*` is every field that begins so, `*` all. Not given, it is
    /// `authorization` and `cookie` over HTTP, and all over gRPC.
    send: Option<OneOrMany<Spanned<String>>>,
    /// Sends it the request body too, which is read whole before. Over HTTP it is then asked by POST, with the body's type;
    /// over gRPC, text is in `body` and anything else in `raw_body`. What never ends (gRPC, server-sent events) is refused
    /// with 415. Not given, it sees no body.
    body: Option<BodySpec>,
    /// Header fields of its answer that the upstream gets, over HTTP. What a client sends in these is taken out. A server
    /// over gRPC says itself what the upstream gets; what is named here is then only taken out.
    #[serde(default)]
    upstream: OneOrMany<Spanned<String>>,
    /// Header fields of its refusal that the client gets, over HTTP.
    #[serde(default = "to_client")]
    #[schemars(extend("default" = TO_CLIENT))]
    client: OneOrMany<Spanned<String>>,
    /// What the client gets when the server refuses.
    #[serde(default)]
    refusal: Refusal,
    /// What becomes of a request when there is no decision.
    #[serde(default)]
    on_error: OnError,
    /// Header fields of its answer that say who the caller is. Without it nobody is identified by passing.
    identity: Option<IdentitySpec>,
    /// How long it may take, and TLS towards it.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    calls: RemoteSpec,
}

/// The request body as the server sees it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExtAuthBody")]
pub(super) struct BodySpec {
    /// The largest body, up to `16MiB`; a larger one is refused with 413.
    max: Spanned<ByteSize>,
}

/// Header fields of an answer that say who the caller is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExtAuthIdentity")]
pub(super) struct IdentitySpec {
    /// The field with the consumer's name.
    consumer: Option<Spanned<String>>,
    /// The field with the subject.
    subject: Option<Spanned<String>>,
    /// The field with groups, comma-separated.
    groups: Option<Spanned<String>>,
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExtAuthProtocol")]
pub(super) enum Protocol {
    /// Over HTTP.
    #[default]
    Http,
    /// Over gRPC, by Envoy's contract.
    Grpc,
}

/// What the client gets when the server refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExtAuthRefusal")]
pub(super) enum Refusal {
    /// The server's answer: its status, its body, and chosen fields.
    #[default]
    Answer,
    /// 403 with a problem of the gateway.
    Forbid,
}

/// What becomes of a request when there is no decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExtAuthOnError")]
pub(super) enum OnError {
    /// It is refused with 503.
    #[default]
    Refuse,
    /// It passes.
    Allow,
}

fn to_client() -> OneOrMany<Spanned<String>> {
    TO_CLIENT.map(|name| Spanned::from(name.to_owned())).into_iter().collect()
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Ask> {
        let protocol = match self.protocol {
            Protocol::Http => UpstreamProtocol::Auto,
            Protocol::Grpc => UpstreamProtocol::H2,
        };
        let remote = match self.protocol {
            Protocol::Http => Remote::compile(&self.url, &self.calls, protocol, MOST_ANSWER, cx),
            Protocol::Grpc => {
                let bare = self.url.splitn(4, '/').nth(3).unwrap_or_default().is_empty();
                if !bare {
                    cx.problem(self.url.span, "the path is the contract's", "write `h2c://HOST:PORT`");
                    return None;
                }
                let url = self.url.clone().map(|url| format!("{}{}", url.trim_end_matches('/'), super::grpc::PATH));
                Remote::compile(&url, &self.calls, protocol, MOST_ANSWER, cx)
            }
        };
        let send = self.send.unwrap_or_else(|| {
            let names: &[&str] = match self.protocol {
                Protocol::Http => &["authorization", "cookie"],
                Protocol::Grpc => &["*"],
            };
            names.iter().map(|name| Spanned::from((*name).to_owned())).collect()
        });
        let (send, upstream) = (names(send, cx), names(self.upstream, cx));
        let client = names(self.client, cx);
        let body = match self.body {
            None => None,
            Some(body) if (1..=MOST_BODY).contains(&body.max.get()) => Some(body.max.get()),
            Some(body) => {
                cx.problem(body.max.span, "a body is held in memory, from 1 byte to 16 MiB of it", "mend `max`");
                return None;
            }
        };
        let identity = match self.identity {
            None => None,
            Some(spec) => Some(spec.compile(cx)?),
        };
        Some(Ask {
            remote: remote?,
            protocol: self.protocol,
            send: send?,
            body,
            upstream: upstream?,
            client: client?,
            refusal: self.refusal,
            on_error: self.on_error,
            identity,
            consumers: cx.consumers.clone(),
        })
    }
}

impl IdentitySpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<Naming> {
        if self.consumer.is_none() && self.subject.is_none() {
            cx.problem(cx.span, "`identity` names nobody", "give `consumer` or `subject`");
            return None;
        }
        let mut name = |written: Option<Spanned<String>>| match written {
            None => Some(None),
            Some(written) => cx.header_name(&written).map(Some),
        };
        let (consumer, subject, groups) = (name(self.consumer)?, name(self.subject)?, name(self.groups)?);
        let challenge = HeaderValue::from_static("Bearer");
        Some(Naming { consumer, subject, groups, challenge })
    }
}

/// Names of fields, whole or by how they begin.
pub(crate) fn names(written: OneOrMany<Spanned<String>>, cx: &mut Compile<'_>) -> Option<FieldNames> {
    let (mut whole, mut starts) = (Vec::<HeaderName>::new(), Vec::new());
    for name in written {
        match name.strip_suffix('*') {
            Some("") => starts.push(Box::default()),
            Some(start) => {
                let start = Spanned::new(start.to_owned(), name.span);
                starts.push(cx.header_name(&start)?.as_str().into());
            }
            None => whole.push(cx.header_name(&name)?),
        }
    }
    Some(FieldNames { whole: whole.into(), starts: starts.into() })
}
