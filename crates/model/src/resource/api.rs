//! An api is what is published; a route matches a request within it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Match, Policies, Switch, To};
use crate::load::Spanned;
use crate::value::{Duration, Name};

/// What is published, versioned, documented and subscribed to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Its name, unique among apis.
    pub name: Spanned<Name>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Hosts: exact (`api.example.com`) or with a leading wildcard for one or more labels (`*.example.com`). None means
    /// any.
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    /// Names of the listeners it is reached by; none means all.
    #[serde(default)]
    pub listeners: Vec<Spanned<String>>,
    /// The path prefix of its routes, by whole segments: `/users` holds `/users` and `/users/1`, not `/users2`.
    #[serde(default = "root")]
    pub path: Spanned<String>,
    /// Whether the upstream sees `path` (`keep`) or not (`strip`).
    #[serde(default)]
    pub path_mode: PathMode,
    /// Which version this is and where a request says so.
    pub version: Option<ApiVersion>,
    /// Who may call.
    #[serde(default)]
    pub access: Access,
    /// How the results of several identifying policies combine.
    #[serde(default)]
    pub identify: Identify,
    /// Policies for each of its routes.
    #[serde(default)]
    pub policies: Policies,
    /// Its routes. None means one that matches everything, which needs `to`.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Where its requests go when it has no `routes`.
    pub to: Option<Spanned<To>>,
    /// Whether latency histograms are kept by route and not only by api.
    #[serde(default)]
    pub route_metrics: Switch,
}

fn root() -> Spanned<String> {
    Spanned::from("/".to_owned())
}

/// Whether the upstream sees an api's `path`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathMode {
    /// The upstream sees the whole path.
    #[default]
    Keep,
    /// The api's `path` is taken off.
    Strip,
}

/// Which version of an api this is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiVersion {
    /// The version's name, such as `v1`.
    pub name: Spanned<Name>,
    /// Where a request says it: `path` puts it as the first segment under `path` (`/users/v1/…`).
    #[serde(rename = "in", default)]
    pub place: VersionIn,
}

/// Where a request says the version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionIn {
    /// The first segment under the api's `path`.
    #[default]
    Path,
    /// The `Accept-Version` header.
    Header,
    /// A vendor media type in `Accept`, such as `application/vnd.users.v1+json`.
    MediaType,
    /// The `version` query parameter.
    Query,
}

/// Who may call an api.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Whoever its identifying policies let through; anyone when it has none.
    #[default]
    Public,
    /// Any consumer that is known.
    Identified,
    /// Consumers with a subscription to it.
    Subscribed,
}

/// How several identifying policies combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identify {
    /// `any`: one credential is enough. `all`: each policy must find one. `optional`: none is needed.
    pub mode: IdentifyMode,
}

/// How many of the identifying policies must find a credential. A wrong credential is refused in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentifyMode {
    /// One is enough.
    #[default]
    Any,
    /// Each of them.
    All,
    /// None is needed.
    Optional,
}

/// Matches a request within an api and says where it goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name, unique within the api; its place in the list (`0`, `1`, …) when not given.
    pub name: Option<Spanned<Name>>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Which requests it takes; none means every request of the api.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// Where they go: the name of an upstream, a list of weighted or conditional upstreams, or another terminal such as
    /// `{ respond: { status: 404 } }`.
    pub to: Spanned<To>,
    /// How the results of several identifying policies combine; the api's when not given.
    pub identify: Option<Identify>,
    /// Policies for this route.
    #[serde(default)]
    pub policies: Policies,
    /// Breaks ties between routes that are equally specific; the higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// Timeouts that replace the upstream's for this route.
    #[serde(default)]
    pub timeouts: RouteTimeouts,
}

/// Timeouts of a route; what is not given is the upstream's.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteTimeouts {
    /// From the request's last byte to the response head.
    pub first_byte: Option<Duration>,
    /// The longest pause between two parts of a body.
    pub idle: Option<Duration>,
    /// The whole exchange.
    pub total: Option<Duration>,
}
