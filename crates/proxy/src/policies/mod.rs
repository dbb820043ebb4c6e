//! Policies act on an exchange. A policy is a folder here and one line in [`registry`]; schema, reference docs, metric
//! labels and error codes all come from it.

mod acl;
mod anonymous;
mod authz;
mod basic_auth;
mod body_limit;
mod bot;
pub(crate) mod claims;
pub(crate) mod compress;
pub(crate) mod concurrency;
mod content_types;
pub(crate) mod cors;
mod csrf;
pub(crate) mod decompress;
mod denial;
mod error_pages;
mod ext_auth;
mod field_names;
mod frame;
mod headers;
pub(crate) mod hmac_auth;
mod identity_headers;
mod ip;
mod jwt;
pub(crate) mod key_auth;
mod ldap_auth;
mod media_types;
mod mtls;
mod oauth2_introspection;
mod oidc_login;
mod opa;
mod password_queue;
pub(crate) mod quality;
pub(crate) mod query;
pub(crate) mod quota;
pub(crate) mod rate_limit;
mod rbac;
pub mod registry;
mod request_id;
mod rewrite;
mod sanitize;
mod schedule;
mod scopes;
mod security_headers;
pub(crate) mod template;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod timeout;
mod transform;
mod upstream_auth;
mod vary;

pub use field_names::FieldNames;
pub(crate) use scopes::is_scope;

pub use frame::{Ended, Level, Merge, Need, Needs, Outcome, Policy, Reply, Scopes, Stage, Step, Verdict, When};
