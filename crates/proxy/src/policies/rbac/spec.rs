//! What a user writes, and what it compiles to.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use http::Method;
use model::load::Spanned;
use model::resolve::unknown_name;
use model::value::OneOrMany;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::roles::{MOST_ROLES, Mask, Source};
use super::{Grant, OfApi};
use crate::policies::claims::Path;
use crate::policies::denial::{Mode, Tell};
use crate::program::Compile;

/// Lets callers do what their roles permit, and nothing else. On a listener it holds for all of its apis; the policy of an
/// inner level stands in the place of the outer one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rbac")]
pub(crate) struct Spec {
    /// The roles, from 1 to 256.
    #[schemars(length(min = 1, max = 256))]
    roles: Vec<RoleSpec>,
    /// Where the roles of a caller come from: `groups` (the consumer's and those that its credential tells), `tags` (the
    /// consumer's), `scopes`, or `{ claim: PATH }`, where `a.b` is the member `b` of the claim `a`.
    #[serde(default = "groups")]
    #[schemars(extend("default" = ["groups"]))]
    from: OneOrMany<FromSpec>,
    /// Whether it denies.
    #[serde(default)]
    pub(super) mode: Mode,
    /// Who is told why a request is denied.
    #[serde(default)]
    pub(super) tell: Tell,
}

/// A role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RbacRole")]
struct RoleSpec {
    /// Its name.
    name: Spanned<String>,
    /// The values (of `from`) that give it to a caller; its name when not given.
    #[serde(default)]
    values: Vec<Spanned<String>>,
    /// Roles whose permissions it has too.
    #[serde(default)]
    inherits: Vec<Spanned<String>>,
    /// What it may do.
    #[serde(default)]
    permissions: Vec<PermissionSpec>,
}

/// What a role may do.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RbacPermission")]
struct PermissionSpec {
    /// The api, or `*` for all.
    api: Spanned<String>,
    /// Routes of the api; all when not given.
    #[serde(default)]
    routes: OneOrMany<Spanned<String>>,
    /// Methods; all when not given. `GET` comes with `HEAD`.
    #[serde(default)]
    methods: OneOrMany<Spanned<String>>,
}

/// Where roles come from.
#[derive(Clone, Debug)]
enum FromSpec {
    Groups,
    Tags,
    Scopes,
    Claim(Spanned<String>),
}

fn groups() -> OneOrMany<FromSpec> {
    FromSpec::Groups.into()
}

impl<'de> Deserialize<'de> for FromSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

const WORDS: &[&str] = &["groups", "tags", "scopes"];

impl<'de> Visitor<'de> for Reader {
    type Value = FromSpec;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`groups`, `tags`, `scopes`, or `{ claim: NAME }`")
    }
    fn visit_str<E: de::Error>(self, word: &str) -> Result<FromSpec, E> {
        match word {
            "groups" => Ok(FromSpec::Groups),
            "tags" => Ok(FromSpec::Tags),
            "scopes" => Ok(FromSpec::Scopes),
            other => Err(de::Error::unknown_variant(other, WORDS)),
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FromSpec, A::Error> {
        let mut claim = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "claim" {
                return Err(de::Error::unknown_field(&key, &["claim"]));
            }
            claim = Some(FromSpec::Claim(map.next_value()?));
        }
        claim.ok_or_else(|| de::Error::missing_field("claim"))
    }
}

impl JsonSchema for FromSpec {
    fn schema_name() -> Cow<'static, str> {
        "RbacFrom".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where the roles of a caller come from.",
            "oneOf": [
                { "type": "string", "enum": WORDS },
                {
                    "type": "object", "properties": { "claim": { "type": "string", "minLength": 1, "maxLength": 256 } },
                    "required": ["claim"], "additionalProperties": false
                }
            ]
        })
    }
}

/// Roles as they are looked up.
pub(super) struct Roles {
    pub(super) names: Box<[Box<str>]>,
    pub(super) values: HashMap<Box<str>, Mask, foldhash::fast::RandomState>,
}

impl Spec {
    /// Where roles come from.
    pub(super) fn sources(&self, cx: &mut Compile<'_>) -> Option<Box<[Source]>> {
        if self.from.is_empty() {
            cx.problem(cx.span, "`from` is empty, so that nobody has a role", "write `from: groups`");
            return None;
        }
        let sources: Vec<_> = self
            .from
            .iter()
            .map(|from| match from {
                FromSpec::Groups => Some(Source::Groups),
                FromSpec::Tags => Some(Source::Tags),
                FromSpec::Scopes => Some(Source::Scopes),
                FromSpec::Claim(name) => Path::compile(name, cx).map(Source::Claim),
            })
            .collect();
        sources.into_iter().collect()
    }

    /// The roles by the values that give them, with those that they inherit from.
    pub(super) fn roles(&self, cx: &mut Compile<'_>) -> Option<Roles> {
        if !(1..=MOST_ROLES).contains(&self.roles.len()) {
            let help = "write `{ name: reader, permissions: [{ api: users, methods: [GET] }] }`";
            cx.problem(cx.span, format!("there are from 1 to {MOST_ROLES} `roles`"), help);
            return None;
        }
        let mut by_name = HashMap::new();
        let mut good = true;
        for (at, role) in self.roles.iter().enumerate() {
            if by_name.insert(role.name.as_str(), at).is_some() || role.name.is_empty() {
                let message = format!("two roles are named `{}`, or one is not named", *role.name);
                cx.problem(role.name.span, message, "give each a name of its own");
                good = false;
            }
        }
        let parents: Vec<Vec<usize>> = self
            .roles
            .iter()
            .map(|role| {
                let known = |name: &Spanned<String>| by_name.get(name.as_str()).copied();
                for name in role.inherits.iter().filter(|name| known(name).is_none()) {
                    let names = self.roles.iter().map(|role| role.name.as_str());
                    let problem = unknown_name("role", name, names, false).path(cx.path().to_owned());
                    cx.problems().push(problem);
                    good = false;
                }
                role.inherits.iter().filter_map(known).collect()
            })
            .collect();
        let closed = close(&parents);
        for (at, (role, own)) in self.roles.iter().zip(&parents).enumerate() {
            // A role that is among what a parent inherits is its own ancestor.
            if own.iter().any(|parent| closed.get(*parent).is_some_and(|set| set.has(at))) {
                let span = role.inherits.first().map_or(role.name.span, |first| first.span);
                let message = format!("role `{}` inherits from itself", *role.name);
                cx.problem(span, message, "take one of the `inherits` of that round out");
                good = false;
            }
        }
        let mut values: HashMap<Box<str>, Mask, _> = HashMap::default();
        for (role, set) in self.roles.iter().zip(&closed) {
            let own = std::slice::from_ref(&role.name);
            let given = if role.values.is_empty() { own } else { &role.values };
            for value in given {
                values.entry(value.as_str().into()).or_insert_with(Mask::default).add(*set);
            }
        }
        let names = self.roles.iter().map(|role| role.name.as_str().into()).collect();
        good.then_some(Roles { names, values })
    }

    /// What roles may do, by api and route.
    pub(super) fn grants(&self, cx: &mut Compile<'_>) -> Option<Box<[OfApi]>> {
        let snapshot = cx.snapshot;
        let mut grants: Vec<Vec<Vec<Grant>>> =
            snapshot.apis.iter().map(|api| vec![Vec::new(); api.routes.len()]).collect();
        let mut good = true;
        for (at, role) in self.roles.iter().enumerate() {
            for permission in &role.permissions {
                let Some(methods) = permission.methods(cx) else {
                    good = false;
                    continue;
                };
                let Some(places) = permission.places(cx) else {
                    good = false;
                    continue;
                };
                for (api, route) in places {
                    let grant = Grant { roles: Mask::of(at), methods: methods.clone() };
                    if let Some(place) = grants.get_mut(api).and_then(|routes| routes.get_mut(route)) {
                        place.push(grant);
                    }
                }
            }
        }
        let frozen = grants.into_iter().map(|routes| routes.into_iter().map(Into::into).collect());
        good.then(|| frozen.collect())
    }
}

/// Each role with all that it inherits from, however far away.
fn close(parents: &[Vec<usize>]) -> Vec<Mask> {
    let mut sets: Vec<Mask> = (0..parents.len()).map(Mask::of).collect();
    // As far as the longest line of ancestors, at most.
    for _ in parents {
        let before = sets.clone();
        for (set, own) in sets.iter_mut().zip(parents) {
            own.iter().filter_map(|parent| before.get(*parent)).for_each(|inherited| set.add(*inherited));
        }
        if sets == before {
            break;
        }
    }
    sets
}

impl PermissionSpec {
    fn methods(&self, cx: &mut Compile<'_>) -> Option<Box<[Method]>> {
        let methods = self.methods.iter().map(|text| {
            let method = Method::from_bytes(text.as_bytes()).ok();
            let method = method.filter(|method| method.as_str().bytes().all(|byte| !byte.is_ascii_lowercase()));
            if method.is_none() {
                cx.problem(text.span, format!("`{}` is not a method", **text), "write one such as `GET`, in capitals");
            }
            method
        });
        methods.collect::<Vec<_>>().into_iter().collect()
    }

    /// The routes, by the place of the api and theirs.
    fn places(&self, cx: &mut Compile<'_>) -> Option<HashSet<(usize, usize)>> {
        let snapshot = cx.snapshot;
        let every = *self.api == "*";
        let apis: Vec<usize> = (0..snapshot.apis.len())
            .filter(|at| every || snapshot.apis.get(*at).is_some_and(|api| api.api.name.as_str() == *self.api))
            .collect();
        if apis.is_empty() && !every {
            if !cx.problems().is_lost(&self.api) {
                let known = snapshot.apis.iter().map(|api| api.api.name.as_str());
                let problem = unknown_name("api", &self.api, known, false).path(cx.path().to_owned());
                cx.problems().push(problem);
            }
            return None;
        }
        if every && !self.routes.is_empty() {
            cx.problem(self.api.span, "`routes` are those of one api", "name the api, or take `routes` out");
            return None;
        }
        let of = |api: &usize| snapshot.apis.get(*api).map_or(&[][..], |api| &api.routes);
        for name in self.routes.iter() {
            let known = || apis.iter().flat_map(of).map(|(name, _)| name.as_str());
            if !known().any(|known| known == name.as_str()) {
                let problem = unknown_name("route", name, known(), false).path(cx.path().to_owned());
                cx.problems().push(problem);
                return None;
            }
        }
        let wanted = |name: &str| self.routes.is_empty() || self.routes.iter().any(|route| route.as_str() == name);
        let places = apis.iter().flat_map(|api| {
            let routes = of(api).iter().enumerate().filter(|(_, (name, _))| wanted(name));
            routes.map(|(route, _)| (*api, route))
        });
        Some(places.collect())
    }
}
