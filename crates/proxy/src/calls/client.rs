//! Who the gateway is towards a token server (RFC 6749 section 2.3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use model::load::Spanned;
use model::value::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policies::query;
use crate::program::Compile;

/// Who the gateway is towards a token server: a client with an id and a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OAuthClient")]
pub(crate) struct ClientSpec {
    /// The client's id.
    pub(crate) id: Spanned<String>,
    /// Its secret. Best `${env:NAME}`.
    pub(crate) secret: Spanned<Secret<String>>,
    /// How they are shown.
    #[serde(default)]
    pub(crate) method: ClientAuth,
}

/// How a client shows its id and secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OAuthClientAuth")]
pub(crate) enum ClientAuth {
    /// In `Authorization: Basic`.
    #[default]
    Basic,
    /// In the form, as `client_id` and `client_secret`.
    Post,
}

/// What shows who asks.
pub(crate) struct Client {
    /// The field.
    pub(crate) authorization: Option<HeaderValue>,
    /// The part of the form.
    pub(crate) form: String,
}

impl ClientSpec {
    /// Compiles it.
    pub(crate) fn compile(&self, cx: &mut Compile<'_>) -> Option<Client> {
        if self.id.is_empty() || self.secret.expose().is_empty() {
            cx.problem(self.id.span, "a client has an `id` and a `secret`", "give what the token server knows it by");
            return None;
        }
        let mut form = String::new();
        let authorization = match self.method {
            ClientAuth::Post => {
                query::push(&mut form, "client_id", &self.id);
                query::push(&mut form, "client_secret", self.secret.expose());
                None
            }
            ClientAuth::Basic => {
                // Both are form-encoded first (RFC 6749 section 2.3.1), so that a colon stays what it is.
                let [id, secret] = [self.id.as_str(), self.secret.expose()].map(encoded);
                let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
                let mut value = HeaderValue::try_from(value).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Some(Client { authorization, form })
    }
}

fn encoded(text: &str) -> String {
    let mut pair = String::new();
    query::push(&mut pair, "", text);
    pair.split_off(1)
}
