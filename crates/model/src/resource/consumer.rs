//! Who calls, with what, under which plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pairs, Policies};
use crate::load::Spanned;
use crate::value::{Name, Secret, Timestamp};

/// An application that calls.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Its name, unique among consumers.
    pub name: Spanned<Name>,
    /// `false`: its credentials are refused.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// When its credentials end to be good; none means never.
    pub expires: Option<Spanned<Timestamp>>,
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

/// What a consumer shows to be known: one of `key`, `key_sha256`, `basic`, `hmac`, `public_key` and `certificate`. Two at
/// once are how one is replaced by another: the new one is added, the old one taken out once nobody shows it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Its name in logs; its place in the list when not given.
    pub name: Option<Spanned<Name>>,
    /// The API key. Better a reference (`${env:NAME}`, `${file:path}`) than the key itself.
    pub key: Option<Spanned<Secret<String>>>,
    /// SHA-256 of the API key, 64 hexadecimal digits, instead of the key.
    pub key_sha256: Option<Spanned<String>>,
    /// A user name with its password, for `basic_auth`.
    pub basic: Option<BasicCredential>,
    /// A secret that requests are signed with, for `hmac_auth`.
    pub hmac: Option<HmacCredential>,
    /// A public key whose private half signs requests, for `hmac_auth`.
    pub public_key: Option<PublicKeyCredential>,
    /// A client certificate, for `mtls`.
    pub certificate: Option<CertificateCredential>,
    /// What it may be used for, for `scopes` and `auth.scopes`. A token that an `oauth_server` gives for a key has at most
    /// these.
    #[serde(default)]
    pub scopes: Vec<Spanned<String>>,
    /// When it was made, for people.
    pub created: Option<Spanned<Timestamp>>,
    /// When it ends to be good; none means never.
    pub expires: Option<Spanned<Timestamp>>,
    /// `false`: it is revoked.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
}

/// A user name with its password: as it is, or hashed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicCredential {
    /// The user name, unique among credentials. It holds no colon.
    pub username: Spanned<String>,
    /// The password. Better a reference (`${env:NAME}`, `${file:path}`) than the password itself.
    pub password: Option<Spanned<Secret<String>>>,
    /// The password's argon2id hash instead (`$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`).
    pub password_hash: Option<Spanned<Secret<String>>>,
}

/// A secret that requests are signed with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacCredential {
    /// The id that a request names the secret by, unique among credentials: the `keyid` of a signature, the access key of
    /// AWS Signature Version 4.
    pub id: Spanned<String>,
    /// The secret, at least 16 bytes. Better a reference (`${env:NAME}`, `${file:path}`) than the secret itself.
    pub secret: Spanned<Secret<String>>,
    /// How the secret is written.
    #[serde(default)]
    pub encoding: SecretEncoding,
}

/// How a secret is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretEncoding {
    /// Its bytes are those of the text.
    #[default]
    Text,
    /// In base64 (RFC 4648 section 4).
    Base64,
}

/// A public key whose private half signs requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicKeyCredential {
    /// The id that a request names the key by, unique among credentials: the `keyid` of a signature.
    pub id: Spanned<String>,
    /// The public key, PEM (`-----BEGIN PUBLIC KEY-----`): Ed25519 or ECDSA on P-256.
    pub pem: Spanned<String>,
}

/// What tells a client certificate: one of these. The listener (`tls.clients`) has verified it already.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateCredential {
    /// Its subject, as RFC 4514 writes it: `CN=robot,O=Example`.
    pub subject: Option<Spanned<String>>,
    /// One of its subject alternative names: DNS, URI, email or IP.
    pub san: Option<Spanned<String>>,
    /// Its SPIFFE id: `spiffe://example.com/robot`.
    pub spiffe: Option<Spanned<String>>,
    /// SHA-256 of its DER form, 64 hexadecimal digits, colons allowed.
    pub fingerprint: Option<Spanned<String>>,
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
    /// When it ends; none means never.
    pub expires: Option<Spanned<Timestamp>>,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
}
