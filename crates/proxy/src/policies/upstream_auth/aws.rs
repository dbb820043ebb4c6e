//! Signing for an upstream as AWS has it (Signature Version 4): S3 and what speaks like it, and every other service.

use model::load::Spanned;
use model::resource::AwsKeys;
use model::value::{ByteSize, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::{Body, Exchange};
use crate::policies::{Need, Needs};
use crate::program::{Compile, sha256};
use crate::sigv4::{Encoded, Signer, UNSIGNED, Unsigned, hex};

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
    signer: Signer,
    host: String,
    is_s3: bool,
    payload: Payload,
    most: u64,
}

impl AwsSpec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Aws> {
        let keys =
            AwsKeys { access_key: self.access_key, secret_key: self.secret_key, session_token: self.session_token };
        let signer = Signer::compile(&keys, &self.region, &self.service, cx)?;
        if self.host.parse::<http::uri::Authority>().is_err() || self.host.contains('@') {
            cx.problem(self.host.span, format!("`{}` is not a host", *self.host), "write `HOST`, or `HOST:PORT`");
            return None;
        }
        Some(Aws {
            signer,
            is_s3: *self.service == "s3",
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
        let target = x.request.uri.path_and_query();
        let unsigned = Unsigned {
            method: &x.request.method,
            target: target.and_then(|target| target.as_str().get(x.strip..)).unwrap_or_default(),
            host: &self.host,
            encoded: if self.is_s3 { Encoded::Once } else { Encoded::Twice },
            payload: &payload,
            tells_payload: self.is_s3 || self.payload == Payload::Unsigned,
            now: x.local.program.clock.wall().as_secs(),
        };
        self.signer.sign_fields(&mut x.request.headers, &unsigned);
        Ok(())
    }
}
