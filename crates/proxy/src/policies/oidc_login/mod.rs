//! Identifies people who use a browser: they log in at an OpenID provider, and a session cookie knows them from then on.
//!
//! The way of a request: its cookies are read and taken out of what the upstream sees. Paths of the policy's own (callback,
//! login, logout) are answered here. Else a good session says who calls; its tokens are renewed before they are over. Without
//! one a page is redirected to the provider ([`login`]), and anything else is left to other identifying policies, or to 401.
//!
//! What a browser holds is sealed ([`seal`]): the login under way (state, nonce, PKCE verifier, where to return) and, unless
//! sessions are in memory, the session. RFC 9700 and OpenID Connect Core are the checklist.

mod compile;
mod cookies;
mod ended;
mod keeping;
mod login;
mod logout;
mod memory;
mod provider;
mod refusal;
mod renew;
mod request;
mod seal;
mod session;
mod spec;
mod token;

use std::sync::Arc;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use http::{Method, StatusCode};
use model::resource::IdentifyMode;

use self::cookies::{Names, Shown};
use self::ended::Ended;
use self::memory::{Memory, Room};
use self::provider::Provider;
use self::refusal::codes;
use self::renew::Renewals;
use self::seal::Seal;
use self::session::{Life, Live};
use self::spec::{Bearer, Redirect, Secure, Spec, Store, Userinfo};
use crate::exchange::{Body, Code, Error, Exchange, Finding, response_head};
use crate::expr::Expr;
use crate::policies::claims::Mapping;
use crate::policies::hmac_auth::replay::Replay;
use crate::policies::{FieldNames, Merge, Outcome, Policy, Reply, Scopes, Stage, Step, Verdict, When};
use crate::program::{Compile, Consumers};
use crate::tokens::cache::Cache;

#[cfg(test)]
mod tests;

/// Identifies people who use a browser.
pub(crate) struct OidcLogin;

impl Policy for OidcLogin {
    type Spec = Spec;
    const KIND: &'static str = "oidc_login";
    const ORDER: (Stage, u8) = (Stage::Identify, 70);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    // Its cookies are taken out of every request; what needs no session is said by `bypass`.
    const WHEN: When = When::Refused;
    const CODES: &'static [&'static Code] = codes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        spec.compile(cx).map(|step| Arc::new(step) as Arc<dyn Step>)
    }
}

/// The step.
struct Login {
    provider: Arc<Provider>,
    paths: Paths,
    /// The whole URL of the callback, where it was written.
    callback_url: Option<Box<str>>,
    /// Where people are after a logout.
    after: Option<Box<str>>,
    scope: Box<str>,
    /// More parameters for the provider, encoded.
    parameters: Box<str>,
    redirect: Redirect,
    bypass: Bypass,
    store: Store,
    memory: Arc<Memory>,
    room: Room,
    seal: Seal,
    secure: Secure,
    /// The cookies' names for clients that are told `Secure`, and for the others.
    names: [Names; 2],
    life: Life,
    /// How long a login may take, in seconds.
    login_seconds: u64,
    /// How far clocks may differ, in seconds.
    leeway: u64,
    userinfo: Userinfo,
    bearer: Bearer,
    keep_id_token: bool,
    mapping: Mapping,
    consumers: Arc<Consumers>,
    /// Sessions as they were shown, so that each is opened once.
    cache: Cache<Live>,
    ended: Arc<Ended>,
    replay: Arc<Replay>,
    renewals: Arc<Renewals>,
    challenge: [HeaderValue; 1],
}

/// Paths that are answered here.
struct Paths {
    callback: Box<str>,
    login: Option<Box<str>>,
    logout: Option<Box<str>>,
    front_channel: Option<Box<str>>,
    back_channel: Option<Box<str>>,
}

/// What is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Callback,
    Login,
    Logout,
    FrontChannel,
    BackChannel,
}

impl Paths {
    fn find(&self, path: &str) -> Option<Place> {
        let is = |own: &Option<Box<str>>| own.as_deref() == Some(path);
        match () {
            () if *self.callback == *path => Some(Place::Callback),
            () if is(&self.login) => Some(Place::Login),
            () if is(&self.logout) => Some(Place::Logout),
            () if is(&self.front_channel) => Some(Place::FrontChannel),
            () if is(&self.back_channel) => Some(Place::BackChannel),
            () => None,
        }
    }
}

/// What needs no session.
#[derive(Default)]
struct Bypass {
    paths: Vec<Box<str>>,
    /// Paths with all below them, each with its slash at the end.
    below: Vec<Box<str>>,
    when: Vec<Expr>,
}

impl Bypass {
    fn has(&self, x: &Exchange) -> bool {
        let path = x.request.uri.path();
        self.paths.iter().any(|own| **own == *path)
            || self.below.iter().any(|own| path.starts_with(&**own))
            || self.when.iter().any(|when| when.test(x))
    }
}

/// What a request shows of this policy.
struct Asked<'s> {
    names: &'s Names,
    shown: Shown,
    /// Milliseconds since 1970.
    now: u64,
}

impl Step for Login {
    fn owns(&self) -> FieldNames {
        self.mapping.owns()
    }

    fn cookies(&self) -> Vec<Box<str>> {
        self.names.iter().map(|names| names.session.clone()).collect()
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let names = self.names_for(x);
        let shown = names.shown(&x.request.headers);
        self.names.iter().for_each(|names| names.hide(&mut x.request.headers));
        let asked = Asked { names, shown, now: now(x) };
        match self.paths.find(x.request.uri.path()) {
            Some(Place::Callback) => Verdict::Await(Box::pin(self.callback(x, asked))),
            Some(Place::Login) => Verdict::Await(Box::pin(self.log_in(x, asked))),
            Some(Place::Logout) => Verdict::Await(Box::pin(self.log_out(x, asked))),
            Some(Place::FrontChannel) => Verdict::Done(self.front_channel(x, &asked)),
            Some(Place::BackChannel) => Verdict::Await(Box::pin(self.back_channel(x))),
            None if self.bypass.has(x) => Verdict::NEXT,
            None => self.guard(x, asked),
        }
    }
}

impl Login {
    fn names_for(&self, x: &Exchange) -> &Names {
        let [secure, plain] = &self.names;
        match self.secure {
            Secure::Never => plain,
            Secure::Auto if request::is_near(x) => plain,
            Secure::Auto | Secure::Always => secure,
        }
    }

    /// A request for what is guarded.
    fn guard<'a>(&'a self, x: &'a mut Exchange, asked: Asked<'a>) -> Verdict<'a> {
        match self.session(&asked) {
            Ok(Some(live)) if live.session.wants_renewal(asked.now) => {
                Verdict::Await(Box::pin(self.renew(x, asked, live)))
            }
            Ok(Some(live)) if !self.lacks_token(&live, asked.now) => match self.accept(x, &asked, &live) {
                Ok(()) => Verdict::NEXT,
                Err(error) => Verdict::fail(error),
            },
            Ok(_) => self.without_session(x, asked),
            Err(error) => Verdict::fail(error),
        }
    }

    /// Whether the upstream is to get a token that is over.
    fn lacks_token(&self, live: &Live, now: u64) -> bool {
        self.bearer != Bearer::None && live.session.is_spent(now)
    }

    /// Nobody is logged in: a page is sent to the provider, unless the caller is known otherwise or need not be.
    fn without_session<'a>(&'a self, x: &'a mut Exchange, asked: Asked<'a>) -> Verdict<'a> {
        let needed = x.identity.is_none() && x.plan().identify != IdentifyMode::Optional;
        if !needed || !request::is_redirected(x, self.redirect) {
            x.not_identified(&self.challenge);
            return Verdict::NEXT;
        }
        let place = request::wanted(&x.request.uri);
        match self.provider.known() {
            Some(metadata) => Verdict::Done(self.send(x, &asked, place, &metadata)),
            None => Verdict::Await(Box::pin(self.ask_and_send(x, asked, place))),
        }
    }

    /// Makes the session's user the caller.
    fn accept(&self, x: &mut Exchange, asked: &Asked<'_>, live: &Live) -> Result<(), Error> {
        let meaning = &live.meaning;
        let learnt = Some(meaning.learnt.clone());
        x.identify(Finding { method: OidcLogin::KIND, consumer: meaning.consumer, credential: None, learnt })?;
        self.mapping.fill(meaning, &mut x.request.headers);
        let token = match self.bearer {
            Bearer::None => None,
            Bearer::AccessToken => live.session.tokens.access.as_ref(),
            Bearer::IdToken => live.session.tokens.id.as_ref(),
        };
        if self.bearer != Bearer::None {
            x.request.headers.remove(AUTHORIZATION);
        }
        if let Some(Ok(mut value)) = token.map(|token| HeaderValue::try_from(format!("Bearer {token}"))) {
            value.set_sensitive(true);
            x.request.headers.insert(AUTHORIZATION, value);
        }
        if live.session.is_stale(self.life, asked.now) {
            let used = session::Session { used: asked.now, ..(*live.session).clone() };
            self.keep(x, asked, used)?;
        }
        if asked.shown.count.is_some() {
            set(x, asked.names.count("", 0));
        }
        Ok(())
    }
}

/// Now, in milliseconds since 1970.
fn now(x: &Exchange) -> u64 {
    u64::try_from(x.local.program.clock.wall().as_millis()).unwrap_or(u64::MAX)
}

/// Sets cookies with whatever answer goes out.
fn set(x: &mut Exchange, fields: impl IntoIterator<Item = HeaderValue>) {
    for field in fields {
        x.reply_header(SET_COOKIE, field);
    }
}

/// Whether the request is one that asks and changes nothing.
fn is_get(x: &Exchange) -> bool {
    x.request.method == Method::GET
}

/// An answer of the policy's own, which nobody keeps.
fn told(status: StatusCode, field: Option<(HeaderName, &str)>) -> Result<Outcome, Error> {
    let mut head = response_head(status);
    head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head.headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    if let Some((name, value)) = field {
        let value = HeaderValue::try_from(value);
        head.headers.insert(name, value.map_err(|_| Error::new(&codes::PROVIDER, "There is no way to the provider."))?);
    }
    Ok(Outcome::Reply(Box::new(Reply { head, body: Body::Empty })))
}

/// Sends the client elsewhere.
fn elsewhere(status: StatusCode, url: &str) -> Result<Outcome, Error> {
    told(status, Some((LOCATION, url)))
}

fn outcome(decided: Result<Outcome, Error>) -> Outcome {
    decided.unwrap_or_else(|error| Outcome::Fail(Box::new(error)))
}
