//! What the gateway itself asks of others: keys of an issuer, the meaning of a token, an access token for an upstream.
//!
//! A [`Remote`] is one URL that is asked, over the same pools, name resolution and TLS as clients' requests. Every call has
//! an end in time, every answer a most size, and no redirect is followed: who answers is who was named. [`Collapse`] lets
//! equal calls that are made at the same time be one.

mod account;
mod client;
mod collapse;
mod remote;
mod tokens;

pub(crate) use account::Assertion;
pub use account::ServiceTokens;
pub(crate) use client::{Client, ClientAuth, ClientSpec};
pub(crate) use collapse::Collapse;
pub use remote::{Remote, RemoteSpec};
pub(crate) use tokens::{Form, Got, State as TokenState, Tokens};

pub use crate::sigv4::Signer;
