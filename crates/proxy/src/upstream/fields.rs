//! Header fields that concern one hop only (RFC 9110 section 7.6.1), and those that the gateway writes itself. One pass
//! over a head finds which are there, so that a head with none of them costs no lookups.

use http::HeaderMap;
use http::header::{
    CONNECTION, EXPECT, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE,
};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
static CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
static CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Which of the fields that matter here a head has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(u32);

impl Fields {
    const CONNECTION: u32 = 1;
    const KEEP_ALIVE: u32 = 1 << 1;
    const PROXY_CONNECTION: u32 = 1 << 2;
    const TE: u32 = 1 << 3;
    const TRANSFER_ENCODING: u32 = 1 << 4;
    pub(super) const UPGRADE: u32 = 1 << 5;
    const PROXY_AUTHORIZATION: u32 = 1 << 6;
    const EXPECT: u32 = 1 << 7;
    const HTTP2_SETTINGS: u32 = 1 << 8;
    const CLIENT_CERT: u32 = 1 << 9;
    const PROXY_AUTHENTICATE: u32 = 1 << 10;
    pub(super) const CONTENT_LENGTH: u32 = 1 << 11;
    pub(super) const FORWARDED: u32 = 1 << 12;
    pub(super) const X_FORWARDED_HOST: u32 = 1 << 13;
    pub(super) const X_FORWARDED_PORT: u32 = 1 << 14;
    pub(super) const TRACEPARENT: u32 = 1 << 15;
    pub(super) const COOKIE: u32 = 1 << 16;
    /// Those that a hop takes out.
    const HOP: u32 = Self::CONNECTION
        | Self::KEEP_ALIVE
        | Self::PROXY_CONNECTION
        | Self::TE
        | Self::TRANSFER_ENCODING
        | Self::UPGRADE
        | Self::PROXY_AUTHORIZATION
        | Self::EXPECT
        | Self::HTTP2_SETTINGS
        | Self::CLIENT_CERT
        | Self::PROXY_AUTHENTICATE;

    /// Whether one of these is there.
    pub(super) fn has(self, fields: u32) -> bool {
        self.0 & fields != 0
    }
}

/// Finds which fields a head has.
pub(super) fn scan(headers: &HeaderMap) -> Fields {
    headers.keys().fold(Fields::default(), |found, name| Fields(found.0 | bit(name.as_str())))
}

fn bit(name: &str) -> u32 {
    match name {
        "connection" => Fields::CONNECTION,
        "keep-alive" => Fields::KEEP_ALIVE,
        "proxy-connection" => Fields::PROXY_CONNECTION,
        "te" => Fields::TE,
        "transfer-encoding" => Fields::TRANSFER_ENCODING,
        "upgrade" => Fields::UPGRADE,
        "proxy-authorization" => Fields::PROXY_AUTHORIZATION,
        "expect" => Fields::EXPECT,
        "http2-settings" => Fields::HTTP2_SETTINGS,
        "client-cert" | "client-cert-chain" => Fields::CLIENT_CERT,
        "proxy-authenticate" => Fields::PROXY_AUTHENTICATE,
        "content-length" => Fields::CONTENT_LENGTH,
        "forwarded" => Fields::FORWARDED,
        "x-forwarded-host" => Fields::X_FORWARDED_HOST,
        "x-forwarded-port" => Fields::X_FORWARDED_PORT,
        "traceparent" => Fields::TRACEPARENT,
        "cookie" => Fields::COOKIE,
        _ => 0,
    }
}

/// Takes out what concerns the client's hop. `TE: trailers` stays: the next hop may send trailers too.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap, found: Fields) {
    if !found.has(Fields::HOP) {
        return;
    }
    let wants_trailers = found.has(Fields::TE) && lists(headers, &TE, "trailers");
    let fields: [(u32, &HeaderName); 12] = [
        (Fields::CONNECTION, &CONNECTION),
        (Fields::KEEP_ALIVE, &KEEP_ALIVE),
        (Fields::PROXY_CONNECTION, &PROXY_CONNECTION),
        (Fields::TE, &TE),
        (Fields::TRANSFER_ENCODING, &TRANSFER_ENCODING),
        (Fields::UPGRADE, &UPGRADE),
        (Fields::PROXY_AUTHORIZATION, &PROXY_AUTHORIZATION),
        (Fields::EXPECT, &EXPECT),
        (Fields::HTTP2_SETTINGS, &HTTP2_SETTINGS),
        (Fields::CLIENT_CERT, &CLIENT_CERT),
        (Fields::CLIENT_CERT, &CLIENT_CERT_CHAIN),
        (Fields::PROXY_AUTHENTICATE, &PROXY_AUTHENTICATE),
    ];
    for (field, name) in fields {
        if found.has(field) {
            headers.remove(name);
        }
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether a list field has this member, less parameters.
pub(super) fn lists(headers: &HeaderMap, name: &HeaderName, member: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.as_bytes().split(|&byte| byte == b',').any(|part| {
            let part = part.split(|&byte| byte == b';').next().unwrap_or_default();
            part.trim_ascii().eq_ignore_ascii_case(member.as_bytes())
        })
    })
}
