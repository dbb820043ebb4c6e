//! Tokens as clients show them, with issuers that answer, change their keys, break and hang.

mod introspection;
mod issuer;
mod jwt;
