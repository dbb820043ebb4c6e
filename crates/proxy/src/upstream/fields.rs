//! Header fields that concern one hop only (RFC 9110 section 7.6.1), and those that the gateway writes itself. One pass
//! over a head finds which are there, so that a head with none of them costs no lookups.

use http::HeaderMap;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPECT,
    HOST, HeaderName, HeaderValue, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use smallvec::SmallVec;

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
static CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
static CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Which of the fields that matter here a head has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(u32);

impl Fields {
    pub(crate) const CONNECTION: u32 = 1;
    const KEEP_ALIVE: u32 = 1 << 1;
    const PROXY_CONNECTION: u32 = 1 << 2;
    pub(crate) const TE: u32 = 1 << 3;
    pub(crate) const TRANSFER_ENCODING: u32 = 1 << 4;
    pub(crate) const UPGRADE: u32 = 1 << 5;
    const PROXY_AUTHORIZATION: u32 = 1 << 6;
    pub(crate) const EXPECT: u32 = 1 << 7;
    const HTTP2_SETTINGS: u32 = 1 << 8;
    const CLIENT_CERT: u32 = 1 << 9;
    const PROXY_AUTHENTICATE: u32 = 1 << 10;
    pub(crate) const CONTENT_LENGTH: u32 = 1 << 11;
    pub(crate) const FORWARDED: u32 = 1 << 12;
    pub(crate) const X_FORWARDED_HOST: u32 = 1 << 13;
    pub(crate) const X_FORWARDED_PORT: u32 = 1 << 14;
    pub(crate) const TRACEPARENT: u32 = 1 << 15;
    pub(crate) const COOKIE: u32 = 1 << 16;
    pub(crate) const X_FORWARDED_FOR: u32 = 1 << 17;
    pub(crate) const X_FORWARDED_PROTO: u32 = 1 << 18;
    pub(crate) const TRACESTATE: u32 = 1 << 19;
    /// Those that proxies in front write.
    pub(crate) const OF_PROXIES: u32 =
        Self::X_FORWARDED_FOR | Self::X_FORWARDED_HOST | Self::X_FORWARDED_PORT | Self::FORWARDED;
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

    /// Notes a field.
    pub(crate) fn add(&mut self, name: &HeaderName) {
        self.0 |= bit(name.as_str());
    }

    /// Whether one of these is there.
    pub(crate) fn has(self, fields: u32) -> bool {
        self.0 & fields != 0
    }
}

/// Finds which fields a head has.
pub(crate) fn scan(headers: &HeaderMap) -> Fields {
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
        "x-forwarded-for" => Fields::X_FORWARDED_FOR,
        "x-forwarded-host" => Fields::X_FORWARDED_HOST,
        "x-forwarded-port" => Fields::X_FORWARDED_PORT,
        "x-forwarded-proto" => Fields::X_FORWARDED_PROTO,
        "traceparent" => Fields::TRACEPARENT,
        "tracestate" => Fields::TRACESTATE,
        "cookie" => Fields::COOKIE,
        _ => 0,
    }
}

/// Takes out what concerns the client's hop. `TE: trailers` stays: the next hop may send trailers too.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap, found: Fields) {
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

/// What `Connection` does not take out: what the gateway still reads, and what proxies in front say, which a client must
/// not be able to hide by naming it.
const KEPT: [&[u8]; 14] = [
    b"close",
    b"keep-alive",
    b"upgrade",
    b"te",
    b"http2-settings",
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"via",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
];

/// Takes out the fields that `Connection` names (RFC 9110 section 7.6.1). It is done before any step runs: what the gateway
/// writes later is not the client's to take out.
pub(crate) fn remove_named(headers: &mut HeaderMap) {
    let is_plain = |value: &HeaderValue| KEPT.contains(&value.as_bytes());
    if headers.get_all(CONNECTION).iter().all(is_plain) {
        return;
    }
    let values: SmallVec<[HeaderValue; 2]> = headers.get_all(CONNECTION).iter().cloned().collect();
    for member in values.iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b',')) {
        let member = member.trim_ascii();
        if !KEPT.iter().any(|kept| member.eq_ignore_ascii_case(kept))
            && let Ok(name) = HeaderName::from_bytes(member)
        {
            headers.remove(name);
        }
    }
}

/// Asks for another protocol, or says that it is spoken from now on.
pub(crate) fn ask_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// All values of a list field and one more member, as one value.
pub(crate) fn join(headers: &HeaderMap, name: &HeaderName, member: &[u8], between: &[u8]) -> Option<HeaderValue> {
    let mut joined = Vec::new();
    for value in headers.get_all(name) {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(between);
    }
    joined.extend_from_slice(member);
    HeaderValue::try_from(joined).ok()
}

/// Bytes as a structured field has them (RFC 9651 section 3.3.5): base64 between colons.
pub(crate) fn byte_sequence(bytes: &[u8]) -> HeaderValue {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4 + 2);
    text.push(b':');
    for group in bytes.chunks(3) {
        let at = |index: usize| group.get(index).copied().map_or(0, u32::from);
        let number = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = LETTERS.get((number >> (18 - 6 * place)) as usize & 63).copied().unwrap_or(b'A');
            text.push(if place <= group.len() { letter } else { b'=' });
        }
    }
    text.push(b':');
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("::"))
}

/// Whether a field may come after the body: not where it frames the message, routes it, says who asks or what the content is
/// (RFC 9110 section 6.5.1).
pub(crate) fn may_trail(name: &HeaderName) -> bool {
    let kept = [
        AUTHORIZATION,
        CACHE_CONTROL,
        CONNECTION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_RANGE,
        CONTENT_TYPE,
        HOST,
        MAX_FORWARDS,
        SET_COOKIE,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    !kept.contains(name)
}

/// Whether a list field has this member, less parameters.
pub(crate) fn lists(headers: &HeaderMap, name: &HeaderName, member: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.as_bytes().split(|&byte| byte == b',').any(|part| {
            let part = part.split(|&byte| byte == b';').next().unwrap_or_default();
            part.trim_ascii().eq_ignore_ascii_case(member.as_bytes())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        fields.iter().map(pair).collect()
    }

    #[test]
    fn hop_by_hop_fields_go_and_others_stay() {
        let mut headers = map(&[
            ("connection", "keep-alive, x-own"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "gzip, trailers;q=0.5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic x"),
            ("expect", "100-continue"),
            ("http2-settings", "AAM"),
            ("client-cert", ":AA==:"),
            ("client-cert-chain", ":AA==:"),
            ("trailer", "x-sum"),
            ("accept", "*/*"),
        ]);
        let found = scan(&headers);
        remove_hop_by_hop(&mut headers, found);
        assert_eq!(headers, map(&[("te", "trailers"), ("trailer", "x-sum"), ("accept", "*/*")]));
    }

    #[test]
    fn a_head_without_any_is_left_alone() {
        let mut headers = map(&[("host", "a"), ("accept", "*/*"), ("te", "gzip")]);
        let found = scan(&headers);
        remove_hop_by_hop(&mut headers, found);
        assert_eq!(headers, map(&[("host", "a"), ("accept", "*/*")]));
        assert!(!scan(&headers).has(u32::MAX));
    }

    #[test]
    fn connection_takes_out_what_it_names_but_not_what_is_still_read() {
        let mut headers = map(&[
            ("connection", "Close, X-Own , upgrade, TE, bad name,,"),
            ("connection", "x-more"),
            ("x-own", "1"),
            ("x-more", "2"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
            ("x-other", "3"),
        ]);
        remove_named(&mut headers);
        assert!(!headers.contains_key("x-own") && !headers.contains_key("x-more"));
        assert!(headers.contains_key("upgrade") && headers.contains_key("te") && headers.contains_key("x-other"));
    }

    #[test]
    fn list_members_are_found_whatever_their_case_and_parameters() {
        let headers = map(&[("connection", "keep-alive"), ("connection", " Upgrade ;x=y")]);
        assert!(lists(&headers, &CONNECTION, "upgrade") && lists(&headers, &CONNECTION, "keep-alive"));
        assert!(!lists(&headers, &CONNECTION, "grade") && !lists(&headers, &UPGRADE, "upgrade"));
    }

    #[test]
    fn byte_sequences_are_base64_between_colons() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "::"),
            (b"f", ":Zg==:"),
            (b"fo", ":Zm8=:"),
            (b"foo", ":Zm9v:"),
            (b"foob", ":Zm9vYg==:"),
            (&[0xff, 0xfe, 0xfd], "://79:"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(byte_sequence(bytes), expected);
        }
    }
}
