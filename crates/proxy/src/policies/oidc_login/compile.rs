//! What was written, checked and made ready.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderValue};
use model::load::{STAND_IN, Spanned};
use model::problem::Problem;
use model::resource::UpstreamProtocol;
use model::value::{Duration, OneOrMany, Secret};

use super::cookies::Names;
use super::ended::Ended;
use super::memory::{Memory, Room};
use super::provider::{MOST_BYTES, Provider, State};
use super::renew::Renewals;
use super::seal::{OwnKey, Seal};
use super::session::Life;
use super::spec::{Bearer, ClientMethod, ClientSpec, Redirect, SessionSpec, Spec, Store};
use super::{Bypass, Login, Paths};
use crate::calls::{Client, ClientAuth, ClientSpec as Confidential, Remote};
use crate::expr::Scope;
use crate::policies::claims::{Mapping, Written};
use crate::policies::hmac_auth::replay::Replay;
use crate::policies::jwt::document_url;
use crate::policies::jwt::source::{Discovered, Fetched, MOST_BYTES as MOST_KEYS_BYTES, Source, Store as Keys, Way};
use crate::policies::text::TextSpec;
use crate::policies::{Level, query};
use crate::program::Compile;
use crate::tokens::algorithm::Algorithm;
use crate::tokens::cache::Cache;

/// Parameters that are the login's own.
const RESERVED: [&str; 11] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];
const MOST_BYPASS: usize = 64;
const MOST_KEYS: usize = 8;
const LEAST_KEY: usize = 32;

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Login> {
        for name in ["code", "state", "id_token_hint", "logout_token"] {
            cx.sensitive(name);
        }
        self.check_times(cx);
        let (paths, callback_url) = self.paths(cx)?;
        let after = self.after(cx)?;
        let (scope, parameters) = (self.asked_scope(cx)?, self.asked_parameters(cx)?);
        let bypass = bypass(&self.bypass, cx)?;
        let mapping = self.mapping(cx)?;
        let more = format!(", issuer=\"{}\"", self.issuer.replace(['"', '\\'], ""));
        let challenge = cx.challenge("OpenIDConnect", self.realm.as_ref(), &more)?;
        let name = self.session.cookie_name(cx)?;
        let bound = format!("{}|{}|{}|{}", cx.owner.path(), cx.instance, *self.issuer, *self.client.id);
        let seal = self.session.seal(&bound, cx)?;
        let life = Life { idle: self.session.idle.as_millis(), most: self.session.lifetime.as_millis() };
        let room = Room { sessions: *self.session.sessions as usize, bytes: self.session.memory.as_usize() };
        // Of another provider or client these would be somebody else's.
        let whose = format!("{}|{}", *self.issuer, *self.client.id);
        Some(Login {
            paths,
            callback_url,
            after,
            scope,
            parameters,
            redirect: self.redirect,
            bypass,
            store: self.session.store,
            memory: cx.keep(&format!("sessions|{whose}"), Memory::default),
            room,
            seal,
            secure: self.session.secure,
            names: [Names::secure(&name), Names::plain(&name)],
            life,
            login_seconds: self.login_timeout.get().as_secs(),
            leeway: self.leeway.get().as_secs(),
            userinfo: self.userinfo,
            bearer: self.bearer,
            keep_id_token: self.bearer == Bearer::IdToken
                || self.logout.as_ref().is_some_and(|logout| logout.path.is_some()),
            mapping,
            consumers: cx.consumers.clone(),
            cache: Cache::new(10_000, 32 << 20),
            ended: cx.keep(&format!("ended|{whose}"), Ended::default),
            replay: cx.keep(&format!("logout tokens|{whose}"), Replay::default),
            renewals: cx.keep(&format!("renewals|{whose}"), Renewals::default),
            challenge: [challenge],
            provider: self.provider(cx)?,
        })
    }

    fn check_times(&self, cx: &mut Compile<'_>) {
        let mut within = |value: &Spanned<Duration>, least: u64, most: u64, says: &str, help: &str| {
            if !(least * 1000..=most * 1000).contains(&value.as_millis()) {
                cx.problem(value.span, says, help);
            }
        };
        const DAYS: u64 = 86_400;
        within(&self.leeway, 0, 600, "clocks are not off by more than `10m`", "mend `leeway`");
        within(&self.login_timeout, 60, 3600, "a login takes from `1m` to `1h`", "mend `login_timeout`");
        within(&self.session.idle, 1, 90 * DAYS, "a session is idle from `1s` to `90d`", "mend `session.idle`");
        let says = "a session lives from `1s` to `90d`";
        within(&self.session.lifetime, 1, 90 * DAYS, says, "mend `session.lifetime`");
        if *self.session.sessions == 0 || *self.session.sessions > 10_000_000 {
            cx.problem(self.session.sessions.span, "`sessions` is from 1 to 10000000", "mend the number");
        }
    }

    /// The paths of the policy's own, and the callback's URL where it is a whole one.
    fn paths(&self, cx: &mut Compile<'_>) -> Option<(Paths, Option<Box<str>>)> {
        let (callback, url) = match self.callback.starts_with('/') {
            true => (path(&self.callback, cx)?, None),
            false => {
                let url = web_url(&self.callback, cx)?;
                let path = self.callback.clone().map(|_| url.path().to_owned());
                (self::path(&path, cx)?, Some(self.callback.as_str().into()))
            }
        };
        let logout = self.logout.as_ref();
        let mut own = |written: Option<&Spanned<String>>| match written {
            None => Some(None),
            Some(written) => path(written, cx).map(Some),
        };
        let paths = Paths {
            callback,
            login: own(self.login.as_ref())?,
            logout: own(logout.and_then(|logout| logout.path.as_ref()))?,
            front_channel: own(logout.and_then(|logout| logout.front_channel.as_ref()))?,
            back_channel: own(logout.and_then(|logout| logout.back_channel.as_ref()))?,
        };
        let others = [&paths.login, &paths.logout, &paths.front_channel, &paths.back_channel];
        let mut all: Vec<&str> = others.into_iter().flatten().map(|path| &**path).collect();
        all.push(&paths.callback);
        all.sort_unstable();
        if all.windows(2).any(|two| matches!(two, [a, b] if a == b)) {
            cx.problem(cx.span, "two of the policy's own paths are the same", "give each its own");
            return None;
        }
        if self.redirect == Redirect::Never && paths.login.is_none() {
            cx.problem(cx.span, "with `redirect: never` no login ever begins", "give `login: /PATH`");
        }
        Some((paths, url))
    }

    fn after(&self, cx: &mut Compile<'_>) -> Option<Option<Box<str>>> {
        let Some(after) = self.logout.as_ref().and_then(|logout| logout.after.as_ref()) else { return Some(None) };
        if after.starts_with('/') {
            if super::request::safe(after).is_none() {
                cx.problem(after.span, "this is not a path of this same host", "begin with one slash");
                return None;
            }
        } else {
            web_url(after, cx)?;
        }
        Some(Some(after.as_str().into()))
    }

    fn asked_scope(&self, cx: &mut Compile<'_>) -> Option<Box<str>> {
        let mut all = vec!["openid"];
        for scope in &self.scope {
            // RFC 6749 section 3.3.
            if scope.is_empty() || !scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                cx.problem(scope.span, format!("`{}` is not a scope", **scope), "give them as a list");
                return None;
            }
            if !all.contains(&scope.as_str()) {
                all.push(scope);
            }
        }
        Some(all.join(" ").into())
    }

    fn asked_parameters(&self, cx: &mut Compile<'_>) -> Option<Box<str>> {
        let mut parameters = String::new();
        for (name, value) in self.parameters.iter() {
            if name.is_empty() || RESERVED.contains(&name.as_str()) {
                cx.problem(name.span, format!("`{}` is set by the login itself", **name), "take it out");
                return None;
            }
            query::push(&mut parameters, name, value);
        }
        Some(parameters.into())
    }

    fn mapping(&self, cx: &mut Compile<'_>) -> Option<Mapping> {
        let scopes = Spanned::from("scope".to_owned()).into();
        let written = Written {
            consumer: self.consumer.as_ref(),
            subject: &self.subject,
            scopes: &scopes,
            groups: &self.groups,
            headers: &self.headers,
        };
        if self.bearer != Bearer::None
            && let Some((name, _)) =
                self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION.as_str()))
        {
            cx.problem(name.span, "`bearer` fills `authorization` too", "take one of them out");
        }
        Mapping::compile(&written, cx)
    }

    fn provider(self, cx: &mut Compile<'_>) -> Option<Arc<Provider>> {
        let url = web_url(&self.issuer, cx)?;
        if url.query().is_some() {
            cx.problem(self.issuer.span, "an issuer's URL has no query", "take `?…` out");
            return None;
        }
        if let Some(secret) = self.algorithms.iter().find(|algorithm| algorithm.is_symmetric()) {
            let message = format!("{} needs a secret, and the provider's keys are public", secret.as_str());
            cx.problem(self.issuer.span, message, "take it out of `algorithms`");
            return None;
        }
        let client = self.client.compile(cx)?;
        let issuer: Box<str> = self.issuer.as_str().into();
        let place = document_url(&self.issuer);
        let document = Remote::compile(&place, &self.calls, UpstreamProtocol::Auto, MOST_BYTES, cx)?;
        let algorithms: Vec<Algorithm> = self.algorithms.into_vec();
        let again = Remote::compile(&place, &self.calls, UpstreamProtocol::Auto, MOST_KEYS_BYTES, cx)?;
        // Keys that are fetched the same way are one set, whichever policy asks for them.
        let key = format!("jwks|{}|{:?}|{algorithms:?}|{issuer}", *self.issuer, self.calls.tls);
        let keys = Arc::new(Fetched {
            way: Way::Discovered(Box::new(Discovered { document: again, issuer: issuer.clone(), env: cx.env.clone() })),
            store: cx.keep.get(&key, Keys::default),
            clock: cx.clock.clone(),
            algorithms,
            refresh: std::time::Duration::from_secs(600),
            unknown_refresh: std::time::Duration::from_secs(10),
        });
        let keys = Source::asked_early(keys, cx);
        let state = cx.keep.get(&format!("oidc|{issuer}|{:?}", self.calls.tls), State::default);
        let provider = Arc::new(Provider {
            issuer,
            document,
            env: cx.env.clone(),
            clock: cx.clock.clone(),
            client,
            client_id: self.client.id.as_str().into(),
            keys,
            state,
        });
        let early = provider.clone();
        cx.early(move |worker| {
            let provider = early.clone();
            // What fails is in the log, and the first login asks again.
            async move { drop(provider.metadata(worker).await) }
        });
        Some(provider)
    }
}

impl ClientSpec {
    fn compile(&self, cx: &mut Compile<'_>) -> Option<Client> {
        let method = match (self.method, &self.secret) {
            (None | Some(ClientMethod::Basic), Some(_)) => ClientAuth::Basic,
            (Some(ClientMethod::Post), Some(_)) => ClientAuth::Post,
            (None | Some(ClientMethod::None), None) if !self.id.is_empty() => {
                let mut form = String::new();
                query::push(&mut form, "client_id", &self.id);
                return Some(Client { authorization: None, form });
            }
            (Some(ClientMethod::None), Some(secret)) => {
                cx.problem(secret.span, "a client without a method shows no secret", "take the secret out");
                return None;
            }
            _ => {
                cx.problem(
                    self.id.span,
                    "the client lacks its `id` or its `secret`",
                    "give what the provider knows it by",
                );
                return None;
            }
        };
        let secret = self.secret.clone()?;
        Confidential { id: self.id.clone(), secret, method }.compile(cx)
    }
}

impl SessionSpec {
    /// The cookie's name, by default one of this policy's own: two apis of one host do not share a session.
    fn cookie_name(&self, cx: &mut Compile<'_>) -> Option<String> {
        let Some(name) = &self.name else {
            let mut name = format!("tollgate-{}-{}", cx.owner.level.as_str(), cx.owner.names.join("-"));
            if !cx.instance.is_empty() {
                name = format!("{name}-{}", cx.instance);
            }
            let clean = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
            return Some(name.chars().map(clean).take(120).collect());
        };
        let clean = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 120 || !name.bytes().all(clean) || name.starts_with("__") {
            let message = format!("`{}` is not a name for this cookie", **name);
            cx.problem(
                name.span,
                message,
                "use up to 120 letters, digits, `-` and `_`, and leave `__Host-` to the gateway",
            );
            return None;
        }
        Some(name.as_str().to_owned())
    }

    fn seal(&self, bound: &str, cx: &mut Compile<'_>) -> Option<Seal> {
        if self.key.len() > MOST_KEYS {
            cx.problem(cx.span, format!("`key` has more than {MOST_KEYS} keys"), "take old ones out");
        }
        let absent = |key: &Spanned<Secret<String>>| key.expose().contains(STAND_IN);
        for key in self.key.iter().filter(|key| !absent(key) && key.expose().len() < LEAST_KEY) {
            let message = format!("a key of sessions has at least {LEAST_KEY} characters");
            cx.problem(key.span, message, "make one with `openssl rand -base64 32`");
        }
        let own = cx.keep("key", OwnKey::make);
        let secrets: Vec<&[u8]> = match (self.key.is_empty(), &*own) {
            (true, Some(own)) => vec![&own.0],
            (true, None) => Vec::new(),
            (false, _) => self.key.iter().map(|key| key.expose().as_bytes()).collect(),
        };
        if self.key.is_empty() && self.store == Store::Cookie {
            let message = "without `session.key` sessions end with the gateway, and other gateways do not know them";
            let problem = Problem::warning("config.session_key", cx.span, message).path(cx.path().to_owned());
            cx.problems().push(problem.help("give a secret of 32 characters: `key: ${env:SESSION_KEY}`"));
        }
        let seal = Seal::new(&secrets, &own, bound);
        if seal.is_none() {
            cx.problem(cx.span, "there is no key for sessions", "give `session.key`");
        }
        seal
    }
}

/// A path that the policy answers itself. It has to be one that the policy sees.
fn path(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Box<str>> {
    if super::request::safe(written).is_none() || written.contains(['?', '#', '*', '{', '}', '%']) {
        cx.problem(written.span, format!("`{}` is not a path", **written), "write one such as `/app/callback`");
        return None;
    }
    let api =
        cx.snapshot.apis.iter().find(|api| cx.owner.names.first().is_some_and(|name| api.api.name.as_str() == name));
    if cx.owner.level != Level::Listener
        && let Some(api) = api
    {
        let base = api.api.path.trim_end_matches('/');
        if !written.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')) {
            let message =
                format!("`{}` is not below the api's path `{base}`, so that this policy never sees it", **written);
            cx.problem(written.span, message, format!("write `{base}{}`", **written));
            return None;
        }
    }
    Some(written.as_str().into())
}

/// A URL that people are sent to.
fn web_url(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<http::Uri> {
    let parsed = written.parse::<http::Uri>().ok();
    let web = |url: &http::Uri| matches!(url.scheme_str(), Some("https" | "http")) && url.authority().is_some();
    let clean = HeaderValue::from_str(written).is_ok() && !written.contains(['#', '\\']);
    let parsed = parsed.filter(|url| clean && web(url) && !written.contains('@'));
    if parsed.is_none() {
        cx.problem(written.span, format!("`{}` is not an HTTP URL", **written), "write `https://HOST/PATH`");
    }
    parsed
}

fn bypass(written: &OneOrMany<TextSpec>, cx: &mut Compile<'_>) -> Option<Bypass> {
    if written.len() > MOST_BYPASS {
        cx.problem(cx.span, format!("`bypass` has more than {MOST_BYPASS} entries"), "join some by an expression");
        return None;
    }
    let mut bypass = Bypass::default();
    for entry in written {
        match entry {
            TextSpec::Cel(text) => bypass.when.push(cx.condition(text, Scope::Request)?),
            TextSpec::Literal(text) if text.starts_with('/') && text.ends_with("/*") => {
                let below = text.trim_end_matches('*');
                bypass.paths.push(below.trim_end_matches('/').into());
                bypass.below.push(below.into());
            }
            TextSpec::Literal(text) if text.starts_with('/') && !text.contains('*') => {
                bypass.paths.push(text.as_str().into());
            }
            TextSpec::Literal(text) => {
                let help = "write `/health`, `/public/*` for all below, or `{ cel: … }`";
                cx.problem(text.span, format!("`{}` is not a path", **text), help);
                return None;
            }
        }
    }
    Some(bypass)
}
