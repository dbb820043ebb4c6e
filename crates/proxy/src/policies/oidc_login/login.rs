//! A login: to the provider with state, nonce and PKCE challenge, and back with a code (OpenID Connect Core section 3.1, RFC
//! 7636, RFC 9207).

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::cookies::{MOST_LOGINS, Shown};
use super::keeping::internal;
use super::provider::{Granted, Metadata, form, with_query};
use super::refusal::{Trouble, codes};
use super::session::{Session, Tokens};
use super::spec::{Bearer, Userinfo};
use super::token::Expected;
use super::{Asked, Login, elsewhere, is_get, outcome, request, seal, set};
use crate::exchange::{Error, Exchange};
use crate::policies::{Outcome, query};
use crate::program::sha256;
use crate::tokens::base64;

/// Logins one behind the other that may lead to nothing.
const MOST_ROUNDS: u32 = 4;
/// How long these are remembered, in seconds.
const ROUNDS_SECONDS: u64 = 60;
/// How much of the state names its cookie.
const ID: usize = 16;
/// Claims that are of the login, and nothing of the user.
const PASSING: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "rat"];

/// A login that is under way, as its cookie has it.
#[derive(Deserialize, Serialize)]
struct UnderWay {
    #[serde(rename = "s")]
    state: String,
    #[serde(rename = "n")]
    nonce: String,
    /// The PKCE verifier.
    #[serde(rename = "v")]
    verifier: String,
    /// Where the client wanted to be.
    #[serde(rename = "r")]
    place: String,
    /// When it began, in milliseconds.
    #[serde(rename = "b")]
    began: u64,
}

/// How many logins led to nothing.
#[derive(Default, Deserialize, Serialize)]
struct Rounds {
    #[serde(rename = "n")]
    count: u32,
    /// When the last of them was, in milliseconds.
    #[serde(rename = "l")]
    last: u64,
}

impl Login {
    /// The path that begins a login.
    pub(super) async fn log_in(&self, x: &mut Exchange, asked: Asked<'_>) -> Outcome {
        let query = x.request.uri.query().unwrap_or_default();
        let wanted = query::pairs(query).find(|(name, _)| query::decode(name) == "return_to");
        let wanted = wanted.map(|(_, value)| query::decode(value));
        let place = wanted.as_deref().and_then(request::safe).unwrap_or("/").to_owned();
        self.ask_and_send(x, asked, place).await
    }

    /// Sends the client to the provider as soon as it is known where that is.
    pub(super) async fn ask_and_send(&self, x: &mut Exchange, asked: Asked<'_>, place: String) -> Outcome {
        match self.provider.metadata(x.local.worker).await {
            Ok(metadata) => self.send(x, &asked, place, &metadata),
            Err(trouble) => Outcome::Fail(Box::new(trouble.into_error())),
        }
    }

    /// Sends the client to the provider.
    pub(super) fn send(&self, x: &mut Exchange, asked: &Asked<'_>, place: String, metadata: &Metadata) -> Outcome {
        outcome(self.redirect_to(x, asked, place, metadata))
    }

    fn redirect_to(
        &self,
        x: &mut Exchange,
        asked: &Asked<'_>,
        place: String,
        metadata: &Metadata,
    ) -> Result<Outcome, Error> {
        if self.rounds(asked).count >= MOST_ROUNDS {
            set(x, asked.names.count("", 0));
            let detail = "The login succeeds again and again, and no session is kept. Are cookies allowed?";
            return Err(Error::new(&codes::LOOP, detail));
        }
        let [state, nonce, verifier] = [(); 3].map(|()| seal::random::<32>().ok_or_else(internal));
        let login = UnderWay { state: state?, nonce: nonce?, verifier: verifier?, place, began: asked.now };
        let redirect = self.redirect_uri(x)?;
        let mut query = form(&[
            ("response_type", "code"),
            ("client_id", &self.provider.client_id),
            ("redirect_uri", &redirect),
            ("scope", &self.scope),
            ("state", &login.state),
            ("nonce", &login.nonce),
            ("code_challenge", &base64(sha256(login.verifier.as_bytes()))),
            ("code_challenge_method", "S256"),
        ]);
        if !self.parameters.is_empty() {
            query.push('&');
            query.push_str(&self.parameters);
        }
        self.forget_old_logins(x, asked);
        let sealed =
            serde_json::to_vec(&login).ok().and_then(|plain| self.seal.seal(&self.end_of_login(asked), &plain));
        let sealed = sealed.ok_or_else(internal)?;
        set(x, asked.names.login(id_of(&login.state), &sealed, self.login_seconds));
        elsewhere(StatusCode::FOUND, &with_query(&metadata.authorization, &query))
    }

    /// The callback's URL, as the provider knows it.
    fn redirect_uri(&self, x: &Exchange) -> Result<String, Error> {
        match &self.callback_url {
            Some(url) => Ok(url.to_string()),
            None => {
                let origin = request::origin(x).ok_or_else(|| malformed("The request does not name its host."))?;
                Ok(format!("{origin}{}", self.paths.callback))
            }
        }
    }

    fn end_of_login(&self, asked: &Asked<'_>) -> String {
        format!("{}.l", asked.names.session)
    }

    fn login_of(&self, asked: &Asked<'_>, sealed: &[u8]) -> Option<UnderWay> {
        serde_json::from_slice(&self.seal.open(&self.end_of_login(asked), sealed)?).ok()
    }

    fn is_late(&self, login: &UnderWay, now: u64) -> bool {
        now.saturating_sub(login.began) >= self.login_seconds * 1000
    }

    /// Makes room for one more login: those that are over go, and the oldest of too many.
    fn forget_old_logins(&self, x: &mut Exchange, asked: &Asked<'_>) {
        let Shown { logins, .. } = &asked.shown;
        if logins.len() < MOST_LOGINS {
            return;
        }
        let mut by_age: Vec<(u64, &str)> = Vec::with_capacity(logins.len());
        for (id, sealed) in logins {
            let login = self.login_of(asked, sealed).filter(|login| !self.is_late(login, asked.now));
            by_age.push((login.map_or(0, |login| login.began), id));
        }
        by_age.sort_unstable();
        let gone = by_age.iter().take(by_age.len() + 1 - MOST_LOGINS);
        set(x, gone.filter_map(|(_, id)| asked.names.login(id, "", 0)));
    }

    /// How many logins led to nothing, just now.
    fn rounds(&self, asked: &Asked<'_>) -> Rounds {
        let sealed = asked.shown.count.as_deref();
        let plain = sealed.and_then(|sealed| self.seal.open(&asked.names.count, sealed));
        let rounds = plain.and_then(|plain| serde_json::from_slice::<Rounds>(&plain).ok()).unwrap_or_default();
        if asked.now.saturating_sub(rounds.last) < ROUNDS_SECONDS * 1000 { rounds } else { Rounds::default() }
    }

    /// The client is back from the provider.
    pub(super) async fn callback(&self, x: &mut Exchange, asked: Asked<'_>) -> Outcome {
        outcome(self.finish(x, &asked).await)
    }

    async fn finish(&self, x: &mut Exchange, asked: &Asked<'_>) -> Result<Outcome, Error> {
        let login = self.begun(x, asked)?;
        // One answer is all that it is good for.
        set(x, asked.names.login(id_of(&login.state), "", 0));
        let code = self.code(x)?;
        let worker = x.local.worker;
        let metadata = self.provider.metadata(worker).await.map_err(Trouble::into_error)?;
        if metadata.names_itself && parameter(x, "iss")?.is_none() {
            return Err(other_issuer());
        }
        let form = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &self.redirect_uri(x)?),
            ("code_verifier", &login.verifier),
        ]);
        let granted = self.provider.token(&metadata, worker, form).await.map_err(Trouble::into_error)?;
        let claims = self.claims(worker, &metadata, &granted, &login, asked.now).await.map_err(Trouble::into_error)?;
        let tokens = self.tokens(&granted, None, &claims, asked.now);
        let id = seal::random::<16>().ok_or_else(internal)?;
        let session = Session { id, started: asked.now, used: asked.now, claims, tokens };
        // Somebody who stands for no consumer gets no session.
        self.live(session.clone().into())?;
        self.begin(x, asked, session)?;
        self.count(x, asked);
        elsewhere(StatusCode::SEE_OTHER, &login.place)
    }

    /// The login that this browser began, by the state that came back.
    fn begun(&self, x: &Exchange, asked: &Asked<'_>) -> Result<UnderWay, Error> {
        if !is_get(x) {
            return Err(malformed("A login comes back by GET."));
        }
        let state = parameter(x, "state")?.ok_or_else(|| malformed("The provider's response has no `state`."))?;
        let mut sealed = asked.shown.logins.iter().filter(|(id, _)| *id == id_of(&state)).map(|(_, sealed)| sealed);
        let login = sealed.find_map(|sealed| self.login_of(asked, sealed));
        let same = |login: &UnderWay| bool::from(login.state.as_bytes().ct_eq(state.as_bytes()));
        login.filter(|login| same(login) && !self.is_late(login, asked.now)).ok_or_else(|| {
            let detail = "This browser did not begin that login, or too long ago. Open the page again to log in.";
            Error::new(&codes::STATE, detail)
        })
    }

    /// The code that the provider gave, if it is this provider and gave one.
    fn code(&self, x: &Exchange) -> Result<String, Error> {
        // RFC 9207 section 2.4.
        if parameter(x, "iss")?.is_some_and(|issuer| *issuer != *self.provider.issuer) {
            return Err(other_issuer());
        }
        let Some(error) = parameter(x, "error")? else {
            return parameter(x, "code")?.ok_or_else(|| malformed("The provider's response has no `code`."));
        };
        let shown = error.len() < 64 && error.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let cause = format!("the provider says {}", if shown { &error } else { "something unreadable" });
        Err(match error.as_str() {
            "access_denied" => Error::new(&codes::DENIED, "The login was denied."),
            "server_error" | "temporarily_unavailable" => Trouble::Unreachable.into_error(),
            _ => Error::new(&codes::REFUSED, "The provider refused the login."),
        }
        .because(cause))
    }

    /// What is known of the user.
    async fn claims(
        &self,
        worker: usize,
        metadata: &Metadata,
        granted: &Granted,
        login: &UnderWay,
        now: u64,
    ) -> Result<Map<String, Value>, Trouble> {
        let access = granted.access.as_deref();
        let expected = Expected { nonce: Some(&login.nonce), access };
        let token = granted.id.as_deref().ok_or(Trouble::Broken)?;
        let mut claims = self.provider.id_token(worker, self.leeway, token, &expected, now / 1000).await?;
        if self.userinfo == Userinfo::Ask {
            let more = self.provider.userinfo(metadata, worker, access.ok_or(Trouble::Broken)?).await?;
            // Else one user could be given the answer for another (section 5.3.2).
            if more.get("sub") != claims.get("sub") {
                self.provider.warn("nothing of the user", "the answer is of another user");
                return Err(Trouble::Broken);
            }
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        for name in PASSING {
            claims.remove(name);
        }
        // Without a word of it what was asked for was granted (RFC 6749 section 5.1).
        let scope = granted.scope.as_deref().unwrap_or(&self.scope);
        claims.entry("scope").or_insert_with(|| scope.into());
        Ok(claims)
    }

    /// The tokens that are kept: those that are of use later.
    pub(super) fn tokens(
        &self,
        granted: &Granted,
        before: Option<&Tokens>,
        claims: &Map<String, Value>,
        now: u64,
    ) -> Tokens {
        const MARGIN: u64 = 30_000;
        let end = claims.get("exp").and_then(Value::as_u64).map(|end| end.saturating_mul(1000));
        let over = match self.bearer {
            Bearer::IdToken => end,
            _ => granted.seconds.map(|seconds| now.saturating_add(seconds.saturating_mul(1000))),
        };
        let renew = over.map(|over| over.saturating_sub(MARGIN.min(over.saturating_sub(now) / 4)));
        Tokens {
            access: granted.access.clone().filter(|_| self.bearer == Bearer::AccessToken),
            over,
            renew,
            refresh: granted.refresh.clone().or_else(|| before?.refresh.clone()),
            id: granted.id.clone().or_else(|| before?.id.clone()).filter(|_| self.keep_id_token),
        }
    }

    /// Counts a login, until a request with its session comes.
    fn count(&self, x: &mut Exchange, asked: &Asked<'_>) {
        let rounds = Rounds { count: self.rounds(asked).count + 1, last: asked.now };
        let plain = serde_json::to_vec(&rounds).unwrap_or_default();
        if let Some(sealed) = self.seal.seal(&asked.names.count, &plain) {
            set(x, asked.names.count(&sealed, ROUNDS_SECONDS));
        }
    }
}

/// What of a state names its cookie.
fn id_of(state: &str) -> &str {
    state.get(..ID).unwrap_or(state)
}

/// A parameter of the query. One that stands twice means different things to different readers.
pub(super) fn parameter(x: &Exchange, name: &str) -> Result<Option<String>, Error> {
    let query = x.request.uri.query().unwrap_or_default();
    let mut values = query::pairs(query).filter(|(key, _)| query::decode(key) == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(|value| query::decode(value).into_owned()).filter(|value| !value.is_empty())),
        _ => Err(malformed("A parameter of the provider's response stands twice.")),
    }
}

fn malformed(detail: &'static str) -> Error {
    Error::new(&codes::REQUEST, detail)
}

fn other_issuer() -> Error {
    Error::new(&codes::ISSUER, "The response is of another issuer.")
}
