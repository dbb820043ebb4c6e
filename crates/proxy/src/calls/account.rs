//! Access tokens for a service account of Google's: a token that its key signs is exchanged for one that services take
//! (RFC 7523 section 2.1; "Using OAuth 2.0 for Server to Server Applications").

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use http::{HeaderMap, HeaderValue};
use model::load::Spanned;
use model::resource::UpstreamProtocol;
use model::value::Secret;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;

use super::tokens::{Form, Got, State, Tokens};
use super::{Remote, RemoteSpec};
use crate::policies::query;
use crate::program::{Compile, sha256};
use crate::tokens::base64;

/// The most bytes of a token server's answer.
const MOST_ANSWER: usize = 64 << 10;
/// How long a signed token asks to be good, in seconds: the longest that is allowed.
const LIFE: u64 = 3600;

/// The file of a service account's key.
#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    project_id: Option<String>,
    #[serde(default)]
    private_key_id: String,
    private_key: Secret<String>,
    client_email: String,
    token_uri: String,
}

/// A token that a key signs.
pub(crate) struct Assertion {
    pair: KeyPair,
    key_id: String,
    email: String,
    audience: String,
    scope: String,
}

/// Access tokens of one service account, kept until they are nearly over.
pub struct ServiceTokens {
    tokens: Arc<Tokens>,
    project: Option<String>,
}

impl ServiceTokens {
    /// Compiles the JSON file of an account's key, for these scopes.
    pub fn compile(file: &Spanned<Secret<String>>, scope: &str, cx: &mut Compile<'_>) -> Option<Self> {
        let help = "give the JSON file that the console made for a key of the account: `${file:PATH}`";
        let account: Account = match serde_json::from_str(file.expose()) {
            Ok(account) => account,
            Err(error) => {
                // The kind of error alone: its text may show what is in the file.
                let what = if error.is_data() { "lacks a field" } else { "is not JSON" };
                cx.problem(file.span, format!("the key of the service account {what}"), help);
                return None;
            }
        };
        let Some(pair) = key_pair(account.private_key.expose()) else {
            cx.problem(file.span, "`private_key` of the service account is not an RSA key in PEM", help);
            return None;
        };
        let url = Spanned::new(account.token_uri.clone(), file.span);
        let remote = Remote::compile(&url, &RemoteSpec::default(), UpstreamProtocol::Auto, MOST_ANSWER, cx)?;
        let asked = format!("{}|{}|{}|{scope}", account.client_email, account.token_uri, account.private_key_id);
        let known: String = sha256(asked.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let assertion = Assertion {
            pair,
            key_id: account.private_key_id,
            email: account.client_email,
            audience: account.token_uri,
            scope: scope.to_owned(),
        };
        let tokens = Tokens {
            remote,
            fields: HeaderMap::new(),
            form: Form::Signed(Box::new(assertion)),
            state: cx.keep_for_all(&format!("service account|{known}"), State::default),
            clock: cx.clock.clone(),
        };
        Some(Self { tokens: Arc::new(tokens), project: account.project_id })
    }

    /// The project that the account is of.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The value of `Authorization`: a token that is kept, or one that is got now. None where there is none to be had.
    pub async fn token(&self, worker: usize) -> Option<HeaderValue> {
        if let Some(value) = self.tokens.known(worker, &Arc::default()) {
            return Some(value);
        }
        match self.tokens.get(worker, Arc::default()).await {
            Got::Token(value) => Some(value),
            Got::Refused | Got::Nothing => None,
        }
    }

    /// A service refused the token: the next call gets another.
    pub fn doubt(&self) {
        self.tokens.doubt();
    }
}

fn key_pair(pem: &str) -> Option<KeyPair> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    }
}

impl Assertion {
    /// What the token server is asked at this second.
    pub(super) fn form(&self, now: u64) -> Option<String> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email, "scope": self.scope, "aud": self.audience, "iat": now, "exp": now + LIFE
        });
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        let mut form = String::new();
        query::push(&mut form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        query::push(&mut form, "assertion", &format!("{signed}.{}", base64(signature)));
        Some(form)
    }
}
