//! The provider: what its discovery document says, kept fresh, and the calls to it.
//!
//! The document is fetched once a program with it runs, or when a login needs it; again once it is old, and kept while the provider is down. Its
//! keys are those of [`crate::policies::jwt`]: one set for all who trust the same issuer in the same way.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::refusal::Trouble;
use crate::calls::{Client, Collapse, Remote};
use crate::clock::{Clock, Time};
use crate::policies::jwt::source::Source;
use crate::policies::query;
use crate::program::Environment;
use crate::tokens::json;

/// The most bytes of the provider's answers.
pub(super) const MOST_BYTES: usize = 256 << 10;
/// How old the document becomes.
const REFRESH: Duration = Duration::from_secs(3600);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// A provider, as one policy knows it.
pub(super) struct Provider {
    pub(super) issuer: Box<str>,
    /// Its discovery document.
    pub(super) document: Remote,
    pub(super) env: Environment,
    pub(super) clock: Clock,
    pub(super) client: Client,
    pub(super) client_id: Box<str>,
    pub(super) keys: Source,
    pub(super) state: Arc<State>,
}

/// What is known of a provider. It outlives programs.
pub(super) struct State {
    known: ArcSwapOption<Metadata>,
    /// When and why the last try failed.
    failed: Mutex<Option<(Time, Trouble)>>,
    calls: Collapse<(), Result<(), Trouble>>,
}

impl Default for State {
    fn default() -> Self {
        Self { known: ArcSwapOption::empty(), failed: Mutex::default(), calls: Collapse::new(1) }
    }
}

/// What a provider says of itself.
pub(super) struct Metadata {
    pub(super) authorization: Box<str>,
    pub(super) end_session: Option<Box<str>>,
    /// Whether it names itself in every response (RFC 9207).
    pub(super) names_itself: bool,
    token: Remote,
    userinfo: Option<Remote>,
    fetched: Time,
}

/// What a token endpoint gave.
pub(super) struct Granted {
    pub(super) access: Option<String>,
    pub(super) seconds: Option<u64>,
    pub(super) refresh: Option<String>,
    pub(super) id: Option<String>,
    pub(super) scope: Option<String>,
}

impl Provider {
    /// What the provider said of itself, if that is still good.
    pub(super) fn known(&self) -> Option<Arc<Metadata>> {
        let known = self.state.known.load_full()?;
        (self.clock.now().since(known.fetched) < REFRESH).then_some(known)
    }

    /// The same, asked for where need be. What is old is better than nothing.
    pub(super) async fn metadata(self: &Arc<Self>, worker: usize) -> Result<Arc<Metadata>, Trouble> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let old = self.state.known.load_full();
        let failed = *self.state.failed.lock();
        if let Some((when, why)) = failed
            && self.clock.now().since(when) < PAUSE
        {
            return old.ok_or(why);
        }
        let provider = self.clone();
        let call = || async move { provider.discover(worker).await };
        let fetched = self.state.calls.run((), call).await.unwrap_or(Err(Trouble::Unreachable));
        match (self.state.known.load_full(), fetched) {
            (Some(known), _) => Ok(known),
            (None, Err(trouble)) => Err(trouble),
            (None, Ok(())) => Err(Trouble::Unreachable),
        }
    }

    async fn discover(&self, worker: usize) -> Result<(), Trouble> {
        let found = match self.document.get(worker).await {
            Err(error) => Err((Trouble::of(&error), error.to_string())),
            Ok(answer) if answer.status == StatusCode::OK => {
                self.read(&answer.body).map_err(|why| (Trouble::Broken, why.to_owned()))
            }
            Ok(answer) => Err((of_status(answer.status), format!("it answered {}", answer.status.as_u16()))),
        };
        match found {
            Ok(metadata) => {
                *self.state.failed.lock() = None;
                self.state.known.store(Some(Arc::new(metadata)));
                Ok(())
            }
            Err((trouble, why)) => {
                *self.state.failed.lock() = Some((self.clock.now(), trouble));
                self.warn("no discovery document", &why);
                Err(trouble)
            }
        }
    }

    /// Reads the document, which must be of this issuer (OpenID Connect Discovery section 4.3).
    fn read(&self, body: &[u8]) -> Result<Metadata, &'static str> {
        let document = json::object(body).ok_or("the discovery document is not a JSON object")?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&*self.issuer) {
            return Err("the discovery document is of another issuer");
        }
        // People are sent there, so it is a URL of the web and not `javascript:…`.
        let page = |name: &str| text(name).filter(|url| self.is_page(url));
        let authorization = page("authorization_endpoint").ok_or("it has no usable `authorization_endpoint`")?;
        let token =
            text("token_endpoint").and_then(|url| self.remote(url)).ok_or("it has no usable `token_endpoint`")?;
        let methods = document.get("code_challenge_methods_supported").and_then(Value::as_array);
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err("it does not know PKCE by S256");
        }
        Ok(Metadata {
            authorization: authorization.into(),
            end_session: page("end_session_endpoint").map(Into::into),
            names_itself: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
            token,
            userinfo: text("userinfo_endpoint").and_then(|url| self.remote(url)),
            fetched: self.clock.now(),
        })
    }

    fn is_page(&self, url: &str) -> bool {
        let web = url.starts_with("https://") || (!self.document.is_encrypted() && url.starts_with("http://"));
        web && HeaderValue::from_str(url).is_ok() && url.parse::<http::Uri>().is_ok() && !url.contains('#')
    }

    fn remote(&self, url: &str) -> Option<Remote> {
        if !self.is_page(url) {
            return None;
        }
        self.document.learnt(url.to_owned(), "oidc_login", &self.env)
    }

    /// Asks for tokens with this form.
    pub(super) async fn token(&self, metadata: &Metadata, worker: usize, mut form: String) -> Result<Granted, Trouble> {
        let mut fields = HeaderMap::new();
        if let Some(value) = &self.client.authorization {
            fields.insert(AUTHORIZATION, value.clone());
        }
        if !self.client.form.is_empty() {
            form.push('&');
            form.push_str(&self.client.form);
        }
        let answer = metadata.token.post_form(worker, form, fields).await.map_err(|error| {
            self.warn("no tokens", &error.to_string());
            Trouble::of(&error)
        })?;
        let said = json::object(&answer.body);
        let text = |name: &str| said.as_ref().and_then(|said| said.get(name)).and_then(Value::as_str);
        if answer.status != StatusCode::OK {
            // The error code alone: a description may repeat what was sent.
            let code = text("error").filter(|code| code.len() < 64 && code.bytes().all(|byte| byte.is_ascii_graphic()));
            self.warn("no tokens", &format!("it answered {} {}", answer.status.as_u16(), code.unwrap_or_default()));
            return Err(if code == Some("invalid_grant") { Trouble::Grant } else { of_status(answer.status) });
        }
        let bearer = text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        let number = |name: &str| said.as_ref().and_then(|said| said.get(name)).and_then(Value::as_u64);
        if said.is_none() || !bearer {
            self.warn("no tokens", "the answer has no bearer token");
            return Err(Trouble::Broken);
        }
        let owned = |name: &str| text(name).map(str::to_owned);
        Ok(Granted {
            access: owned("access_token"),
            seconds: number("expires_in"),
            refresh: owned("refresh_token"),
            id: owned("id_token"),
            scope: owned("scope"),
        })
    }

    /// What the provider says of the user, beside the ID token (OpenID Connect Core section 5.3).
    pub(super) async fn userinfo(
        &self,
        metadata: &Metadata,
        worker: usize,
        access: &str,
    ) -> Result<Map<String, Value>, Trouble> {
        let remote = metadata.userinfo.as_ref().ok_or(Trouble::Broken)?;
        let mut request = Request::new(bytes::Bytes::new());
        let mut value = HeaderValue::try_from(format!("Bearer {access}")).map_err(|_| Trouble::Broken)?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = remote.ask(worker, request).await.map_err(|error| {
            self.warn("nothing of the user", &error.to_string());
            Trouble::of(&error)
        })?;
        if answer.status != StatusCode::OK {
            self.warn("nothing of the user", &format!("it answered {}", answer.status.as_u16()));
            return Err(of_status(answer.status));
        }
        json::object(&answer.body).ok_or(Trouble::Broken)
    }

    /// Says in the log what went wrong; never a token.
    pub(super) fn warn(&self, what: &'static str, why: &str) {
        tracing::warn!(target: "tollgate::oidc_login", issuer = &*self.issuer, error = why, "{what}");
    }
}

/// What a status other than 200 means.
fn of_status(status: StatusCode) -> Trouble {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Trouble::Unreachable
    } else {
        Trouble::Broken
    }
}

/// Adds a parameter to a URL that may have some.
pub(super) fn with_query(url: &str, more: &str) -> String {
    let between = if url.contains('?') { '&' } else { '?' };
    format!("{url}{between}{more}")
}

/// A query of these parameters.
pub(super) fn form(parameters: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in parameters {
        query::push(&mut form, name, value);
    }
    form
}
