//! What a user writes, and what it compiles to.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use model::load::Spanned;
use model::resource::{Pairs, UpstreamTls};
use model::value::{Duration, OneOrMany, Secret};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::directory::{Directory, GroupSearch, Who};
use super::filter::Filter;
use super::server::Server;
use crate::policies::claims::{ConsumerSpec, Mapping, Written};
use crate::policies::key_auth::Towards;
use crate::program::Compile;

/// Identifies the caller by user name and password (`Authorization: Basic`), checked by a bind at an LDAP directory. A password
/// that was right is remembered for `cache` by a keyed hash.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LdapAuth")]
pub(crate) struct Spec {
    /// Where the directory is: `ldaps://HOST`, or `ldap://HOST:PORT`. Of several, the next is asked when one is not reached.
    url: OneOrMany<Spanned<String>>,
    /// Whether `ldap://` is encrypted before anything is said (StartTLS).
    #[serde(default)]
    start_tls: StartTls,
    /// TLS towards it.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    tls: UpstreamTls,
    /// How the name of a user's entry is made. Either this or `search`.
    bind: Option<BindSpec>,
    /// How a user's entry is searched for. Either this or `bind`.
    search: Option<SearchSpec>,
    /// Attributes that are read of the entry, and are claims then: `auth.claims.mail`. Those that `consumer`, `headers` and
    /// `groups` name are read besides.
    #[serde(default)]
    attributes: OneOrMany<Spanned<String>>,
    /// Where a user's groups are.
    groups: Option<GroupsSpec>,
    /// Which consumer a user is, by an attribute, `user` (the name as it was sent) or `dn`. Without it the caller is known as
    /// a subject alone.
    consumer: Option<ConsumerSpec>,
    /// Header fields for the upstream with attributes that fill them; what a client sends in these is taken out.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    headers: Pairs<Spanned<String>>,
    /// How long a right password is remembered, up to `1d`; `0s` not at all. So long a user who is disabled still gets in.
    #[serde(default = "cache")]
    cache: Spanned<Duration>,
    /// How long all that is asked for one caller may take, waiting included, from `10ms` to `60s`.
    #[serde(default = "timeout")]
    timeout: Spanned<Duration>,
    /// How long connecting to one address may take.
    #[serde(default = "connect_timeout")]
    connect_timeout: Spanned<Duration>,
    /// Connections at a time, from 1 to 256.
    #[serde(default = "connections")]
    connections: Spanned<u32>,
    /// Whether the upstream sees the credentials.
    #[serde(default)]
    upstream: Towards,
    /// The realm of the challenge; the name of the api (or listener) when not given.
    realm: Option<Spanned<String>>,
}

/// Whether `ldap://` is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LdapStartTls")]
pub(super) enum StartTls {
    /// It is not.
    #[default]
    Off,
    /// It is, or is not used.
    Required,
}

/// How the name of a user's entry is made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LdapBind")]
pub(super) struct BindSpec {
    /// The name with `{user}` in it, such as `uid={user},ou=people,dc=example,dc=org`. What is put in is escaped (RFC 4514).
    dn: Spanned<String>,
    /// A filter that the entry must match, such as `(!(status=disabled))`.
    filter: Option<Spanned<String>>,
}

/// How a user's entry is searched for: exactly one must be found.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LdapSearch")]
pub(super) struct SearchSpec {
    /// Where to begin, such as `ou=people,dc=example,dc=org`.
    base: Spanned<String>,
    /// The filter (RFC 4515) with `{user}` in it, such as `(&(uid={user})(!(status=disabled)))`. What a client sends is a value
    /// and nothing else, whatever it holds.
    filter: Spanned<String>,
    /// How deep.
    #[serde(default)]
    scope: Scope,
    /// The account that searches; without one, nobody in particular does.
    account: Option<AccountSpec>,
}

/// How deep a search goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LdapScope")]
pub(super) enum Scope {
    /// Everything below the base.
    #[default]
    Subtree,
    /// What is right below it.
    One,
}

/// An account of the directory.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LdapAccount")]
pub(super) struct AccountSpec {
    /// Its name, such as `cn=gateway,dc=example,dc=org`.
    dn: Spanned<String>,
    /// Its password. Best `${env:NAME}`.
    password: Spanned<Secret<String>>,
}

/// Where a user's groups are: in an attribute of its entry, or in entries that are searched for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LdapGroups")]
pub(super) struct GroupsSpec {
    /// The attribute with the group's name: of the user's entry (`memberOf`), or with `base` of the groups found (`cn`).
    attribute: Spanned<String>,
    /// Where groups are searched for. Not given, the user's entry has them.
    base: Option<Spanned<String>>,
    /// Which of them the user is in: a filter with `{dn}` or `{user}`.
    #[serde(default = "member")]
    filter: Spanned<String>,
    /// How deep.
    #[serde(default)]
    scope: Scope,
}

fn cache() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(60))
}
fn timeout() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(5))
}
fn connect_timeout() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(2))
}
fn connections() -> Spanned<u32> {
    Spanned::from(8)
}
fn member() -> Spanned<String> {
    Spanned::from("(member={dn})".to_owned())
}

/// Claims that are no attributes.
pub(super) const OWN: [&str; 3] = ["user", "dn", "groups"];

/// What the step is made of.
pub(super) struct Compiled {
    pub(super) directory: Directory,
    pub(super) mapping: Mapping,
    /// The attribute of the user's entry that has its groups.
    pub(super) groups: Option<String>,
    /// Seconds.
    pub(super) cache: u64,
    pub(super) upstream: Towards,
    pub(super) realm: Option<Spanned<String>>,
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Compiled> {
        self.check(cx);
        let servers: Vec<_> = self.url.iter().map(|url| Server::compile(url, self.start_tls, &self.tls, cx)).collect();
        let subject = Spanned::from("dn".to_owned());
        let from = OneOrMany::from(vec![Spanned::from("groups".to_owned())]);
        let written = Written {
            consumer: self.consumer.as_ref(),
            subject: &subject,
            scopes: &OneOrMany::default(),
            groups: &from,
            headers: &self.headers,
        };
        let mapping = Mapping::compile(&written, cx);
        let mut attributes: Vec<String> = Vec::new();
        let in_entry = self.groups.as_ref().filter(|groups| groups.base.is_none());
        let named = self.consumer.iter().flat_map(|by| by.claim.iter());
        let named = named.chain(self.headers.iter().map(|(_, claim)| claim)).chain(&*self.attributes);
        for name in named.chain(in_entry.map(|groups| &groups.attribute)) {
            if !OWN.contains(&name.as_str()) && !attributes.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                attributes.push(name.as_str().to_owned());
            }
        }
        let groups = in_entry.map(|groups| groups.attribute.to_ascii_lowercase());
        let search = match self.groups {
            Some(written) if written.base.is_some() => Some(written.compile(cx)?),
            Some(_) | None => None,
        };
        let who = match (self.bind, self.search) {
            (Some(bind), None) => bind.compile(cx),
            (None, Some(search)) => search.compile(cx),
            _ => {
                cx.problem(cx.span, "users are found by one of `bind` and `search`", "give one of them");
                None
            }
        };
        let connections = *self.connections as usize;
        let directory = Directory {
            servers: servers.into_iter().collect::<Option<_>>()?,
            who: who?,
            groups: search,
            attributes,
            connect_timeout: self.connect_timeout.get(),
            timeout: self.timeout.get(),
            places: Semaphore::new(connections.clamp(1, 256)),
            idle: Mutex::default(),
            good: AtomicUsize::new(0),
        };
        let cache = self.cache.get().as_secs();
        Some(Compiled { directory, mapping: mapping?, groups, cache, upstream: self.upstream, realm: self.realm })
    }

    fn check(&self, cx: &mut Compile<'_>) {
        if self.url.is_empty() {
            cx.problem(cx.span, "there is no directory", "write `url: ldaps://HOST`");
        }
        let (least, most) = (Duration::from_millis(10), Duration::from_secs(60));
        for time in [&self.timeout, &self.connect_timeout] {
            if **time < least || **time > most {
                cx.problem(time.span, "asking takes from 10ms to 60s", "mend the time");
            }
        }
        if *self.cache > Duration::from_secs(86_400) {
            cx.problem(self.cache.span, "a password is remembered for a day at most", "mend `cache`");
        }
        if !(1..=256).contains(&*self.connections) {
            cx.problem(self.connections.span, "`connections` is from 1 to 256", "8 are usual");
        }
        for name in self.attributes.iter().filter(|name| OWN.contains(&name.as_str())) {
            cx.problem(name.span, format!("`{}` is the gateway's own word", **name), "take it out");
        }
    }
}

impl BindSpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<Who> {
        let filter = match &self.filter {
            None => None,
            Some(written) => Some(filter(written, cx)?),
        };
        let parts = self.dn.split_once("{user}").filter(|(before, after)| before.contains('=') && !after.contains('{'));
        let Some((before, after)) = parts else {
            let message = format!("`{}` has no single `{{user}}` in a name", *self.dn);
            cx.problem(self.dn.span, message, "write `uid={user},ou=people,dc=example,dc=org`");
            return None;
        };
        Some(Who::Named { before: before.to_owned(), after: after.to_owned(), filter })
    }
}

impl SearchSpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<Who> {
        let compiled = filter(&self.filter, cx)?;
        if !compiled.has_user() {
            cx.problem(self.filter.span, "the filter finds the same for everybody", "write `(uid={user})`");
            return None;
        }
        let account = match self.account {
            None => None,
            Some(account) if account.dn.is_empty() || account.password.expose().is_empty() => {
                let message = "an account without a name or password is nobody";
                cx.problem(account.dn.span, message, "give both, or take `account` out");
                return None;
            }
            Some(account) => Some((account.dn.value.clone(), Arc::from(account.password.expose().as_bytes()))),
        };
        Some(Who::Searched { base: self.base.value.clone(), scope: self.scope.number(), filter: compiled, account })
    }
}

impl GroupsSpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<GroupSearch> {
        Some(GroupSearch {
            base: self.base.map(Spanned::into_inner).unwrap_or_default(),
            scope: self.scope.number(),
            filter: filter(&self.filter, cx)?,
            attribute: self.attribute.into_inner(),
        })
    }
}

impl Scope {
    fn number(self) -> i32 {
        match self {
            Scope::One => 1,
            Scope::Subtree => 2,
        }
    }
}

fn filter(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Filter> {
    match Filter::parse(written) {
        Ok(filter) => Some(filter),
        Err(why) => {
            let message = format!("`{}` is not a filter: {why}", **written);
            cx.problem(written.span, message, "write it as RFC 4515 has it, such as `(uid={user})`");
            None
        }
    }
}
