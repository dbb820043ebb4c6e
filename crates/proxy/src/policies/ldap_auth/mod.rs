//! Identifies a caller by user name and password at an LDAP directory.
//!
//! The client here is small and its own: it asks to bind, to search and to begin TLS, and every message, entry and wait has
//! a bound, which general clients do not give to answers of a server. What a client sends gets into a name escaped and into
//! a filter as a value of its tree ([`filter`]), so that it cannot ask for something else.
//!
//! A directory is not to be used as an oracle or overrun: passwords wait in a bounded queue in which no client has more than
//! a few places, over a bounded number of connections; only right ones are remembered, so wrong ones push nothing out.

mod ber;
mod connection;
mod directory;
mod filter;
mod server;
mod spec;

use std::sync::Arc;

use aws_lc_rs::{hmac, rand};
use http::HeaderValue;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Map, Value};

use self::directory::{Directory, Known};
use self::spec::Spec;
use super::basic_auth::{Found, find, split};
use super::claims::{Mapping, Meaning};
use super::key_auth::Towards;
use super::password_queue::Queue;
use crate::exchange::{Blame, Code, Error, Exchange, Finding};
use crate::policies::{FieldNames, Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;
use crate::tokens::cache::Cache;

#[cfg(test)]
mod tests;

/// Identifies a caller by user name and password at an LDAP directory.
pub(crate) struct LdapAuth;

static INVALID: Code = Code {
    name: "ldap_auth.invalid",
    status: 401,
    title: "Invalid user name or password",
    blame: Blame::Client,
    proxy_status: None,
};
static AMBIGUOUS: Code = Code {
    name: "ldap_auth.ambiguous",
    status: 400,
    title: "Several user names",
    blame: Blame::Client,
    proxy_status: None,
};
static NO_CONSUMER: Code = Code {
    name: "ldap_auth.consumer",
    status: 403,
    title: "The user is no consumer",
    blame: Blame::Client,
    proxy_status: None,
};
static BUSY: Code = Code {
    name: "ldap_auth.busy",
    status: 503,
    title: "Too many passwords to check",
    blame: Blame::Gateway,
    proxy_status: None,
};
static UNAVAILABLE: Code = Code {
    name: "ldap_auth.unavailable",
    status: 503,
    title: "Directory unavailable",
    blame: Blame::Gateway,
    proxy_status: None,
};

/// Right passwords that are remembered.
const MOST_KNOWN: usize = 10_000;
/// Bytes of the longest user name.
const MOST_USER: usize = 256;

impl Policy for LdapAuth {
    type Spec = Spec;
    const KIND: &'static str = "ldap_auth";
    const ORDER: (Stage, u8) = (Stage::Identify, 25);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&INVALID, &AMBIGUOUS, &NO_CONSUMER, &BUSY, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let compiled = spec.compile(cx)?;
        let challenge = cx.challenge("Basic", compiled.realm.as_ref(), ", charset=\"UTF-8\"")?;
        let mut key = [0; 32];
        // Without randomness nothing is remembered.
        let cache = if rand::fill(&mut key).is_ok() { compiled.cache } else { 0 };
        Some(Arc::new(AskDirectory {
            challenge,
            directory: compiled.directory,
            mapping: compiled.mapping,
            groups: compiled.groups,
            upstream: compiled.upstream,
            cache,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            known: Cache::new(if cache == 0 { 0 } else { MOST_KNOWN }, MOST_KNOWN * 32),
            // One for all routes: what is bounded is the gateway's.
            queue: Queue::clone(&cx.keep.get(LdapAuth::KIND, Queue::default)),
        }))
    }
}

/// The step.
struct AskDirectory {
    challenge: HeaderValue,
    directory: Directory,
    mapping: Mapping,
    /// The attribute of the user's entry that has its groups.
    groups: Option<String>,
    upstream: Towards,
    /// Seconds for which a right password is remembered.
    cache: u64,
    /// Of this process alone, so that what is remembered is of no use to anyone who reads it.
    key: hmac::Key,
    known: Cache<Remembered>,
    queue: Queue,
}

/// Who a right password is of.
struct Remembered {
    meaning: Meaning,
    /// In seconds since 1970.
    until: u64,
}

impl Step for AskDirectory {
    fn owns(&self) -> FieldNames {
        self.mapping.owns()
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let shown = match find(&x.request.headers) {
            Found::One(shown) => shown,
            Found::None => {
                x.not_identified([&self.challenge]);
                return Verdict::NEXT;
            }
            Found::Malformed => return Verdict::fail(self.invalid()),
            Found::Several => {
                return Verdict::fail(Error::new(&AMBIGUOUS, "The request carries several user names."));
            }
        };
        let Some((user, password)) = credentials(&shown) else { return Verdict::fail(self.invalid()) };
        let fingerprint = self.fingerprint(user, password);
        if let Some(known) = self.remembered(x, fingerprint.as_ref()) {
            return Verdict::Done(self.identify(x, &known.meaning));
        }
        Verdict::Await(Box::pin(self.ask(x, shown, fingerprint)))
    }
}

impl AskDirectory {
    async fn ask(&self, x: &mut Exchange, shown: Vec<u8>, fingerprint: hmac::Tag) -> Outcome {
        let Some((user, password)) = credentials(&shown) else { return fail(self.invalid()) };
        let Some(_place) = self.queue.enter(x.client) else {
            let error = Error::new(&BUSY, "There are too many passwords to check; try again in a moment.");
            return fail(error.header(RETRY_AFTER, HeaderValue::from_static("1")));
        };
        let known = match self.directory.ask(user, password).await {
            Ok(Some(known)) => known,
            Ok(None) => return fail(self.invalid()),
            Err(why) => {
                tracing::warn!(target: "tollgate::ldap_auth", error = %why, "the directory does not tell");
                let error = Error::new(&UNAVAILABLE, "The directory cannot be asked at this time.");
                return fail(error.header(RETRY_AFTER, HeaderValue::from_static("1")));
            }
        };
        let claims = self.claims(user, known);
        let Ok(meaning) = self.mapping.read(claims, &x.local.program.consumers) else {
            return fail(Error::new(&NO_CONSUMER, "The user is no consumer here."));
        };
        if self.cache > 0 {
            let until = x.local.program.clock.wall().as_secs().saturating_add(self.cache);
            self.known.put(fingerprint.as_ref(), Arc::new(Remembered { meaning: meaning.clone(), until }));
        }
        self.identify(x, &meaning)
    }

    fn remembered(&self, x: &Exchange, fingerprint: &[u8]) -> Option<Arc<Remembered>> {
        let known = self.known.get(fingerprint)?;
        if x.local.program.clock.wall().as_secs() < known.until {
            return Some(known);
        }
        self.known.forget(fingerprint);
        None
    }

    fn identify(&self, x: &mut Exchange, meaning: &Meaning) -> Outcome {
        let learnt = Some(meaning.learnt.clone());
        let found = Finding { method: LdapAuth::KIND, consumer: meaning.consumer, credential: None, learnt };
        match x.identify(found) {
            Ok(()) => {
                if self.upstream == Towards::Hide {
                    x.request.headers.remove(AUTHORIZATION);
                }
                self.mapping.fill(meaning, &mut x.request.headers);
                Outcome::Next
            }
            Err(error) if error.code.status == 401 => fail(error.header(WWW_AUTHENTICATE, self.challenge.clone())),
            Err(error) => fail(error),
        }
    }

    /// What the directory tells: an attribute with one value is text, with several a list; `groups` is always a list.
    fn claims(&self, user: &str, known: Known) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut groups = known.groups;
        let mut attributes = known.entry.attributes;
        if let Some(more) = self.groups.as_ref().and_then(|name| attributes.get(name)) {
            groups.extend(more.iter().cloned());
        }
        // By the names that were asked for, as the directory may write them in another case.
        for name in &self.directory.attributes {
            let Some(mut values) = attributes.remove(&name.to_ascii_lowercase()) else { continue };
            let value = match values.len() {
                0 => continue,
                1 => Value::from(values.remove(0)),
                _ => Value::from(values),
            };
            claims.insert(name.clone(), value);
        }
        claims.insert("user".to_owned(), user.into());
        claims.insert("dn".to_owned(), known.entry.dn.into());
        claims.insert("groups".to_owned(), groups.into());
        claims
    }

    fn fingerprint(&self, user: &str, password: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user.as_bytes());
        context.update(password);
        context.sign()
    }

    fn invalid(&self) -> Error {
        Error::new(&INVALID, "User name or password are not valid.").header(WWW_AUTHENTICATE, self.challenge.clone())
    }
}

fn fail(error: Error) -> Outcome {
    Outcome::Fail(Box::new(error))
}

/// User name and password that may be asked about. An empty password is none: directories take it for a question without an
/// answer, and say yes (RFC 4513 section 5.1.2).
fn credentials(shown: &[u8]) -> Option<(&str, &[u8])> {
    let (user, password) = split(shown)?;
    let user = std::str::from_utf8(user).ok()?;
    let good = !user.is_empty() && user.len() <= MOST_USER && !user.chars().any(char::is_control);
    (good && !password.is_empty()).then_some((user, password))
}
