//! A listener accepts connections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Policies, Switch};
use crate::load::Spanned;
use crate::value::{ByteSize, Duration, Name};

/// Accepts connections at an address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Its name, unique among listeners.
    pub name: Spanned<Name>,
    /// `IP:PORT`, such as `0.0.0.0:8080` or `[::]:8080`. Port 0 takes a free one.
    pub address: Spanned<String>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The protocols that clients may speak. Without TLS, HTTP/2 is by prior knowledge (h2c); with TLS by ALPN.
    #[serde(default = "both_protocols")]
    pub protocols: Vec<Protocol>,
    /// Presence turns TLS on.
    pub tls: Option<ListenerTls>,
    /// Presence answers every plain HTTP request with a redirect to HTTPS.
    pub redirect_to_https: Option<HttpsRedirect>,
    /// What a connection and a request may cost.
    #[serde(default)]
    pub limits: ListenerLimits,
    /// How paths are read before anything looks at them.
    #[serde(default)]
    pub paths: PathHandling,
    /// Policies for every request of this listener, those that match no route included.
    #[serde(default)]
    pub policies: Policies,
}

/// An HTTP version that a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1 and 1.0 (RFC 9112).
    H1,
    /// HTTP/2 (RFC 9113).
    H2,
}

fn both_protocols() -> Vec<Protocol> {
    vec![Protocol::H1, Protocol::H2]
}

/// TLS of a listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTls {
    /// Certificates; the one whose names match the client's SNI is used (exact before wildcard), else the first.
    /// Files are watched and reloaded.
    pub certificates: Vec<Certificate>,
    /// The least version that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Presence asks clients for a certificate.
    pub client_certificates: Option<ClientCertificates>,
    /// Session resumption by tickets (RFC 5077, RFC 8446 section 2.2).
    #[serde(default)]
    pub session_tickets: SessionTickets,
}

/// A certificate chain and its private key, PEM.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// File of the chain, leaf first.
    pub certificate: Spanned<String>,
    /// File of the private key (PKCS#8, PKCS#1 or SEC1).
    pub key: Spanned<String>,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    V13,
}

/// Whether sessions are resumed by tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionTickets {
    /// Tickets with keys that live in this process and rotate every 6 hours.
    #[default]
    On,
    /// None.
    Off,
}

/// Client certificates (mTLS).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificates {
    /// `required`: no certificate, no connection. `requested`: without one the connection goes on unidentified; a wrong
    /// one is refused either way.
    #[serde(default)]
    pub mode: ClientCertificateMode,
    /// File of the certificate authorities, PEM.
    pub ca: Spanned<String>,
    /// Whether the verified certificate is passed to upstreams in `Client-Cert` (RFC 9440).
    #[serde(default)]
    pub forward: Switch,
}

/// Whether a client certificate must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificateMode {
    /// Refuse connections without one.
    #[default]
    Required,
    /// Ask, but go on without.
    Requested,
}

/// Where plain HTTP requests are redirected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpsRedirect {
    /// The HTTPS port; 443 is left out of the URL.
    pub port: u16,
    /// 301, 302, 307 or 308.
    pub status: Spanned<u16>,
}

impl Default for HttpsRedirect {
    fn default() -> Self {
        Self { port: 443, status: Spanned::from(308) }
    }
}

/// What a connection and a request may cost. Everything has a bound.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerLimits {
    /// Bytes of a request head, 1KiB to 1MiB; over it 431.
    pub header_bytes: Spanned<ByteSize>,
    /// Header fields of a request, 1 to 1000; over it 431.
    #[schemars(range(min = 1, max = 1000))]
    pub headers: Spanned<u32>,
    /// Bytes of the request target; over it 414.
    pub uri_bytes: Spanned<ByteSize>,
    /// How long a request head may take to arrive (slowloris); over it 408 and close.
    pub header_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Duration,
    /// How long a request body may pause (over it 408 and close), and how long a client may take nothing of a response
    /// (over it the response is cut).
    pub body_timeout: Duration,
    /// Bytes of a request body; over it 413. A `body_limit` policy lowers it by api or route.
    pub body_bytes: ByteSize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// Connections of this listener; above it new ones are closed at once.
    pub connections: u32,
    /// Connections of one client address; 0 sets no bound.
    pub connections_per_client: u32,
    /// Concurrent streams of an HTTP/2 connection.
    #[schemars(range(min = 1, max = 10000))]
    pub streams_per_connection: Spanned<u32>,
    /// Requests of one connection before it is closed gracefully; 0 sets no bound.
    pub requests_per_connection: u32,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            header_bytes: Spanned::from(ByteSize::bytes(64 << 10)),
            headers: Spanned::from(100),
            uri_bytes: Spanned::from(ByteSize::bytes(16 << 10)),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            body_bytes: ByteSize::bytes(1 << 30),
            handshake_timeout: Duration::from_secs(10),
            connections: 100_000,
            connections_per_client: 0,
            streams_per_connection: Spanned::from(128),
            requests_per_connection: 0,
        }
    }
}

/// How a path is read, once, so that matching, expressions and the upstream see the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PathHandling {
    /// Dot segments (`/a/../b`, also as `%2e`): `normalize` removes them (RFC 3986 section 5.2.4), `reject` answers 400,
    /// `keep` passes them on.
    pub dot_segments: PathRule,
    /// Repeated slashes: `keep`, `merge` or `reject`.
    pub slashes: SlashRule,
    /// Encoded slashes and backslashes (`%2F`, `%5C`, and a raw `\`, which becomes `%5C`): `keep` passes them on, never
    /// as a separator; `reject` answers 400.
    pub encoded_slashes: EncodedSlashRule,
}

/// What happens to a form of path that different servers read differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathRule {
    /// Brought into the one plain form.
    #[default]
    Normalize,
    /// Refused with 400.
    Reject,
    /// Left as it is.
    Keep,
}

/// What happens to repeated slashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlashRule {
    /// Left as they are.
    #[default]
    Keep,
    /// Several become one.
    Merge,
    /// Refused with 400.
    Reject,
}

/// What happens to encoded slashes and backslashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodedSlashRule {
    /// Left as they are; they are data, never separators.
    #[default]
    Keep,
    /// Refused with 400.
    Reject,
}
