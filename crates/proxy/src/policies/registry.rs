//! Every policy, once.

use std::sync::Arc;

use model::load::{Node, from_node};
use schemars::{JsonSchema, SchemaGenerator};

use super::frame::{Merge, Policy, Scopes, Stage, Step, When};
use super::{
    acl, anonymous, basic_auth, body_limit, compress, concurrency, cors, error_pages, headers, hmac_auth,
    identity_headers, ip, key_auth, mtls, quota, rate_limit, request_id, rewrite, scopes, timeout,
};
use crate::exchange::Code;
use crate::program::Compile;

/// A policy as the rest of the gateway sees it.
pub struct Registered {
    /// The key in `policies:`.
    pub kind: &'static str,
    /// Its place in the running order.
    pub order: (Stage, u8),
    /// What becomes of it on several levels.
    pub merge: Merge,
    /// Where it may stand.
    pub scopes: Scopes,
    /// Whether it may have a condition.
    pub when: When,
    /// The error codes it may answer with.
    pub codes: &'static [&'static Code],
    /// A configuration that uses it; a test loads and checks it.
    pub example: &'static str,
    /// The JSON Schema of its value.
    pub schema: fn(&mut SchemaGenerator) -> schemars::Schema,
    /// Compiles its value.
    pub compile: fn(&Node, &mut Compile<'_>) -> Option<Arc<dyn Step>>,
}

/// The entry of a policy, with its example.
pub const fn entry<P: Policy>(example: &'static str) -> Registered {
    Registered {
        kind: P::KIND,
        order: P::ORDER,
        merge: P::MERGE,
        scopes: P::SCOPES,
        when: P::WHEN,
        codes: P::CODES,
        example,
        schema: |generator| P::Spec::json_schema(generator),
        compile: |value, cx| {
            let path = cx.path().to_owned();
            let spec = from_node::<P::Spec>(value, &path, cx.problems())?;
            P::compile(spec, cx)
        },
    }
}

/// Every policy, in running order.
pub static POLICIES: &[Registered] = &[
    entry::<request_id::RequestId>(include_str!("request_id/example.yaml")),
    entry::<cors::Cors>(include_str!("cors/example.yaml")),
    entry::<ip::Ip>(include_str!("ip/example.yaml")),
    entry::<super::bot::Bot>(include_str!("bot/example.yaml")),
    entry::<super::csrf::Csrf>(include_str!("csrf/example.yaml")),
    entry::<body_limit::BodyLimit>(include_str!("body_limit/example.yaml")),
    entry::<mtls::Mtls>(include_str!("mtls/example.yaml")),
    entry::<key_auth::KeyAuth>(include_str!("key_auth/example.yaml")),
    entry::<basic_auth::BasicAuth>(include_str!("basic_auth/example.yaml")),
    entry::<super::ldap_auth::LdapAuth>(include_str!("ldap_auth/example.yaml")),
    entry::<hmac_auth::HmacAuth>(include_str!("hmac_auth/example.yaml")),
    entry::<super::jwt::Jwt>(include_str!("jwt/example.yaml")),
    entry::<super::oauth2_introspection::OAuth2Introspection>(include_str!("oauth2_introspection/example.yaml")),
    entry::<super::oidc_login::OidcLogin>(include_str!("oidc_login/example.yaml")),
    entry::<super::ext_auth::ExtAuth>(include_str!("ext_auth/example.yaml")),
    entry::<anonymous::Anonymous>(include_str!("anonymous/example.yaml")),
    entry::<super::decompress::Decompress>(include_str!("decompress/example.yaml")),
    entry::<identity_headers::IdentityHeaders>(include_str!("identity_headers/example.yaml")),
    entry::<super::schedule::Schedule>(include_str!("schedule/example.yaml")),
    entry::<acl::Acl>(include_str!("acl/example.yaml")),
    entry::<scopes::Scopes>(include_str!("scopes/example.yaml")),
    entry::<super::rbac::Rbac>(include_str!("rbac/example.yaml")),
    entry::<super::authz::Authz>(include_str!("authz/example.yaml")),
    entry::<super::opa::Opa>(include_str!("opa/example.yaml")),
    entry::<concurrency::Concurrency>(include_str!("concurrency/example.yaml")),
    entry::<rate_limit::RateLimit>(include_str!("rate_limit/example.yaml")),
    entry::<quota::Quota>(include_str!("quota/example.yaml")),
    entry::<super::content_types::ContentTypes>(include_str!("content_types/example.yaml")),
    entry::<super::sanitize::Sanitize>(include_str!("sanitize/example.yaml")),
    entry::<super::transform::Transform>(include_str!("transform/example.yaml")),
    entry::<headers::Headers>(include_str!("headers/example.yaml")),
    entry::<rewrite::Rewrite>(include_str!("rewrite/example.yaml")),
    entry::<timeout::Timeout>(include_str!("timeout/example.yaml")),
    entry::<super::upstream_auth::UpstreamAuth>(include_str!("upstream_auth/example.yaml")),
    entry::<super::security_headers::SecurityHeaders>(include_str!("security_headers/example.yaml")),
    entry::<compress::Compress>(include_str!("compress/example.yaml")),
    entry::<error_pages::ErrorPages>(include_str!("error_pages/example.yaml")),
];
