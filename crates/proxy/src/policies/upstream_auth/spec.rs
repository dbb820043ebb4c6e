//! What a user writes, and what it compiles to.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use model::load::Spanned;
use model::resource::UpstreamProtocol;
use model::value::{OneOrMany, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Show;
use super::aws::AwsSpec;
use crate::calls::{ClientSpec, Form, Remote, RemoteSpec, TokenState, Tokens};
use crate::policies::query;
use crate::program::{Compile, sha256};
use crate::terminals::may_set;

/// The most bytes of a token server's answer.
const MOST_ANSWER: usize = 64 << 10;

/// Shows the upstream who the gateway is, in place of what the client showed. It has one of `header`, `basic`, `bearer`,
/// `client_credentials`, `exchange` and `aws`. A client certificate (mTLS) is the upstream's own: `tls: { certificate, key }`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "UpstreamAuth")]
pub(crate) struct Spec {
    /// A header field with a secret.
    header: Option<HeaderSpec>,
    /// A user name and a password.
    basic: Option<BasicSpec>,
    /// A token that does not change, as `Authorization: Bearer`.
    bearer: Option<Spanned<Secret<String>>>,
    /// A token that the gateway gets for itself (RFC 6749 section 4.4).
    client_credentials: Option<ServerSpec>,
    /// A token that the gateway gets in exchange for the caller's `Authorization: Bearer` (RFC 8693). What identified the
    /// caller must leave that token in the request: `jwt: { upstream: keep, … }`.
    exchange: Option<ServerSpec>,
    /// A signature as AWS has it, for AWS and what speaks like S3.
    aws: Option<AwsSpec>,
}

/// A header field with a secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UpstreamAuthHeader")]
struct HeaderSpec {
    /// Its name.
    name: Spanned<String>,
    /// Its value. Best `${env:NAME}`.
    value: Spanned<Secret<String>>,
}

/// A user name and a password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UpstreamAuthBasic")]
struct BasicSpec {
    /// The user name. It holds no colon.
    username: Spanned<String>,
    /// The password. Best `${env:NAME}`.
    password: Spanned<Secret<String>>,
}

/// A token server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UpstreamAuthServer")]
struct ServerSpec {
    /// The URL that gives tokens.
    url: Spanned<String>,
    /// Who asks.
    client: ClientSpec,
    /// The scopes that are asked for.
    #[serde(default)]
    scopes: OneOrMany<String>,
    /// Whom the token is for.
    audience: Option<String>,
    /// The resource that the token is for (RFC 8707).
    resource: Option<String>,
    /// How the token server is asked.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    calls: RemoteSpec,
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Show> {
        match (self.header, self.basic, self.bearer, self.client_credentials, self.exchange, self.aws) {
            (Some(header), None, None, None, None, None) => {
                let name = cx.header_name(&header.name).filter(|name| may_set(name, header.name.span, cx))?;
                cx.sensitive(&header.name);
                Some(Show::Fixed(name, secret(header.value.expose(), &header.value, cx)?))
            }
            (None, Some(basic), None, None, None, None) => {
                if basic.username.contains(':') {
                    cx.problem(basic.username.span, "a user name holds no colon", "mend the name");
                    return None;
                }
                let pair = STANDARD.encode(format!("{}:{}", *basic.username, basic.password.expose()));
                Some(Show::Fixed(AUTHORIZATION, secret(&format!("Basic {pair}"), &basic.password, cx)?))
            }
            (None, None, Some(token), None, None, None) => {
                Some(Show::Fixed(AUTHORIZATION, secret(&format!("Bearer {}", token.expose()), &token, cx)?))
            }
            (None, None, None, Some(server), None, None) => server.compile("client_credentials", cx).map(Show::Own),
            (None, None, None, None, Some(server), None) => {
                server.compile("urn:ietf:params:oauth:grant-type:token-exchange", cx).map(Show::Exchanged)
            }
            (None, None, None, None, None, Some(aws)) => aws.compile(cx).map(|aws| Show::Signed(Box::new(aws))),
            _ => {
                let message = "it shows one of `header`, `basic`, `bearer`, `client_credentials`, `exchange` and `aws`";
                cx.problem(cx.span, message, "give one of them");
                None
            }
        }
    }
}

pub(super) fn secret(value: &str, written: &Spanned<Secret<String>>, cx: &mut Compile<'_>) -> Option<HeaderValue> {
    match HeaderValue::from_str(value) {
        Ok(mut value) if !written.expose().is_empty() => {
            value.set_sensitive(true);
            Some(value)
        }
        _ => {
            cx.problem(written.span, "the secret is empty, or has control characters", "take line breaks out");
            None
        }
    }
}

impl ServerSpec {
    fn compile(self, grant: &str, cx: &mut Compile<'_>) -> Option<Arc<Tokens>> {
        let remote = Remote::compile(&self.url, &self.calls, UpstreamProtocol::Auto, MOST_ANSWER, cx);
        let client = self.client.compile(cx)?;
        let mut form = String::new();
        query::push(&mut form, "grant_type", grant);
        if grant != "client_credentials" {
            query::push(&mut form, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token");
        }
        if !self.scopes.is_empty() {
            query::push(&mut form, "scope", &self.scopes.join(" "));
        }
        for (name, value) in [("audience", &self.audience), ("resource", &self.resource)] {
            if let Some(value) = value {
                query::push(&mut form, name, value);
            }
        }
        if !client.form.is_empty() {
            form.push('&');
            form.push_str(&client.form);
        }
        let mut fields = HeaderMap::new();
        fields.extend(client.authorization.map(|value| (AUTHORIZATION, value)));
        // Whatever changes what is asked for makes it another token; hashed, as the secret is part of it.
        let shown = fields.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let asked = [self.url.as_bytes(), form.as_bytes(), shown].join(&b'|');
        let key: String = sha256(&asked).iter().map(|byte| format!("{byte:02x}")).collect();
        let state = cx.keep.get(&format!("upstream_auth|{key}"), TokenState::default);
        Some(Arc::new(Tokens { remote: remote?, fields, form: Form::Same(form), state, clock: cx.clock.clone() }))
    }
}
