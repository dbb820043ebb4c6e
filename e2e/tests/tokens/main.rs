//! Tokens as clients show them, with issuers that answer, change their keys, break and hang.

mod ext_auth;
mod ext_authz;
mod introspection;
mod issuer;
mod jwt;
mod oauth_server;
mod upstream_auth;
