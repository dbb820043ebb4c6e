//! Signing for an upstream as AWS has it (Signature Version 4): S3 and what speaks like it, and every other service.

use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use model::load::Spanned;
use model::value::{ByteSize, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::{Body, Exchange};
use crate::policies::{Need, Needs};
use crate::program::{Compile, sha256};
use crate::sigv4::{ALGORITHM, Canonical, Encoded, UNSIGNED, compact, hex, value};

static DATE: HeaderName = HeaderName::from_static("x-amz-date");
static PAYLOAD: HeaderName = HeaderName::from_static("x-amz-content-sha256");
static TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A signature as AWS has it (Signature Version 4), made anew for each request. Fields that begin with `x-amz-` are signed as
/// they are; date, body digest and session token are the gateway's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UpstreamAuthAws")]
pub(super) struct AwsSpec {
    /// The id of the access key.
    access_key: Spanned<String>,
    /// The secret of the access key. Best `${env:NAME}`.
    secret_key: Spanned<Secret<String>>,
    /// The session token that goes with a key for a time.
    session_token: Option<Spanned<Secret<String>>>,
    /// The region, such as `eu-central-1`.
    region: Spanned<String>,
    /// The service as AWS names it in signatures, such as `s3`, `execute-api` or `lambda`. `s3` is signed by S3's own rules for
    /// paths.
    service: Spanned<String>,
    /// The `Host` that the upstream sees, which is signed: that of its URL, unless its `host` says another.
    host: Spanned<String>,
    /// Whether the body is signed.
    #[serde(default)]
    payload: Payload,
    /// The largest body that is read to be signed.
    #[serde(default = "body")]
    body: ByteSize,
}

/// Whether the body is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UpstreamAuthPayload")]
pub(super) enum Payload {
    /// It is, and so is read wholly before it goes on.
    #[default]
    Signed,
    /// It is not, and streams. S3 takes that, over TLS.
    Unsigned,
}

fn body() -> ByteSize {
    ByteSize::bytes(1 << 20)
}

/// What signs.
pub(super) struct Aws {
    access_key: String,
    secret: Secret<String>,
    token: Option<HeaderValue>,
    /// `REGION/SERVICE/aws4_request`.
    scope: String,
    host: String,
    is_s3: bool,
    payload: Payload,
    most: u64,
}

impl AwsSpec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Aws> {
        let word = |text: &Spanned<String>| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        for (text, what) in [(&self.region, "region"), (&self.service, "service")] {
            if !word(text) {
                cx.problem(text.span, format!("`{}` is not a {what}", **text), "write it as AWS does");
                return None;
            }
        }
        let key = !self.access_key.is_empty() && self.access_key.bytes().all(|b| b.is_ascii_graphic() && b != b',');
        if !key || self.secret_key.expose().is_empty() {
            cx.problem(self.access_key.span, "an access key has an id and a secret", "give both, as AWS tells them");
            return None;
        }
        if self.host.parse::<http::uri::Authority>().is_err() || self.host.contains('@') {
            cx.problem(self.host.span, format!("`{}` is not a host", *self.host), "write `HOST`, or `HOST:PORT`");
            return None;
        }
        let token = match &self.session_token {
            None => None,
            Some(written) => Some(super::spec::secret(written.expose(), written, cx)?),
        };
        Some(Aws {
            is_s3: *self.service == "s3",
            scope: format!("{}/{}/aws4_request", *self.region, *self.service),
            access_key: self.access_key.into_inner(),
            secret: self.secret_key.into_inner(),
            token,
            host: self.host.to_ascii_lowercase(),
            payload: self.payload,
            most: self.body.get(),
        })
    }
}

/// The body cannot be read before it goes on.
pub(super) struct Unreadable;

impl Aws {
    pub(super) fn needs(&self) -> Needs {
        match self.payload {
            Payload::Signed => Needs { request: Need::Buffer(self.most), ..Needs::NONE },
            Payload::Unsigned => Needs::NONE,
        }
    }

    /// Signs the request.
    pub(super) fn sign(&self, x: &mut Exchange) -> Result<(), Unreadable> {
        let payload = match (self.payload, &x.request_body) {
            (Payload::Unsigned, _) => UNSIGNED.to_owned(),
            (Payload::Signed, Body::Empty) => hex(&sha256(b"")),
            (Payload::Signed, Body::Full(bytes)) => hex(&sha256(bytes)),
            (Payload::Signed, Body::Parts(parts, _)) => {
                hex(&sha256(&parts.iter().flatten().copied().collect::<Vec<u8>>()))
            }
            (Payload::Signed, _) => return Err(Unreadable),
        };
        let now = compact(x.local.program.clock.wall().as_secs());
        let headers = &mut x.request.headers;
        for name in [&DATE, &PAYLOAD, &TOKEN] {
            headers.remove(name);
        }
        headers.extend(HeaderValue::from_str(&now).ok().map(|date| (DATE.clone(), date)));
        headers.extend(self.token.clone().map(|token| (TOKEN.clone(), token)));
        if self.is_s3 || self.payload == Payload::Unsigned {
            headers.extend(HeaderValue::from_str(&payload).ok().map(|payload| (PAYLOAD.clone(), payload)));
        }
        let mut names: Vec<&str> =
            headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-")).collect();
        names.push(HOST.as_str());
        names.sort_unstable();
        let fields: Vec<_> = names
            .into_iter()
            .map(|name| match name {
                "host" => (name, self.host.clone().into_bytes()),
                name => (name, value(headers.get_all(name).iter().map(HeaderValue::as_bytes))),
            })
            .collect();
        let target = x.request.uri.path_and_query();
        let sent = target.and_then(|target| target.as_str().get(x.strip..)).unwrap_or_default();
        let (path, query) = sent.split_once('?').unwrap_or((sent, ""));
        let canonical = Canonical {
            method: x.request.method.as_str(),
            path: if path.is_empty() { "/" } else { path },
            encoded: if self.is_s3 { Encoded::Once } else { Encoded::Twice },
            query,
            fields: &fields,
            payload: &payload,
        };
        let scope = format!("{}/{}", now.get(..8).unwrap_or_default(), self.scope);
        let signature = canonical.signature(self.secret.expose().as_bytes(), &scope, &now);
        let shown = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key,
            canonical.names()
        );
        let mut shown = HeaderValue::try_from(shown).map_err(|_| Unreadable)?;
        shown.set_sensitive(true);
        headers.insert(AUTHORIZATION, shown);
        Ok(())
    }
}
