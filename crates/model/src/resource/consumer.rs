//! Who calls, with what, under which plan.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Pairs, Policies};
use crate::load::Spanned;
use crate::value::{Name, Secret};

/// An application that calls.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Its name, unique among consumers.
    pub name: Spanned<Name>,
    /// `false`: its credentials are refused.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Groups it belongs to, for rules.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Facts about it, readable in expressions as `auth.consumer.metadata.NAME`.
    #[serde(default)]
    pub metadata: Pairs<String>,
    /// The name of its default plan.
    pub plan: Option<Spanned<String>>,
    /// What it shows to be known.
    #[serde(default)]
    pub credentials: Vec<Credential>,
    /// Policy values of its own, which replace its plan's.
    #[serde(default)]
    pub policies: Policies,
}

/// What a consumer shows to be known: a key, as it is or as its SHA-256.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Its name in logs; its place in the list when not given.
    pub name: Option<Spanned<Name>>,
    /// The API key. Better a reference (`${env:NAME}`, `${file:path}`) than the key itself.
    pub key: Option<Spanned<Secret<String>>>,
    /// SHA-256 of the API key, 64 hexadecimal digits, instead of the key.
    pub key_sha256: Option<Spanned<String>>,
    /// `false`: it is refused.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
}

/// A usage plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name, unique among plans.
    pub name: Spanned<Name>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Policy values of its consumers, which replace the route's.
    #[serde(default)]
    pub policies: Policies,
}

/// Joins a consumer to an api under a plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The consumer's name.
    pub consumer: Spanned<String>,
    /// The api's name.
    pub api: Spanned<String>,
    /// The plan's name; none means the consumer's own.
    pub plan: Option<Spanned<String>>,
    /// `false` suspends it.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
}
