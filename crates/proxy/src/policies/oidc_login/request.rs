//! What a request is to a login: a page that a person opens, or a call that wants no page; and where it may return to.

use http::header::{ACCEPT, HOST, HeaderMap, HeaderName};
use http::{Method, Uri};

use super::spec::Redirect;
use crate::exchange::{Exchange, Scheme};
use crate::policies::quality;

const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
/// The longest place that a login returns to.
const MOST_RETURN: usize = 2048;

/// Whether a request without a session is sent to the provider.
pub(super) fn is_redirected(x: &Exchange, redirect: Redirect) -> bool {
    let get = x.request.method == Method::GET;
    match redirect {
        Redirect::Never => false,
        Redirect::Get => get,
        Redirect::Navigation => get && is_navigation(&x.request.headers),
    }
}

/// Whether a person opens a page. Browsers say so themselves (Fetch Metadata); of others it is believed that what takes
/// HTML by name is one.
fn is_navigation(headers: &HeaderMap) -> bool {
    let says = |name: &HeaderName, what: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(what.as_bytes()))
    };
    if says(&REQUESTED_WITH, "XMLHttpRequest") || headers.contains_key(PURPOSE) {
        return false;
    }
    if headers.contains_key(&MODE) && !says(&MODE, "navigate") {
        return false;
    }
    let takes = |(kind, weight): (&str, u16)| kind.eq_ignore_ascii_case("text/html") && weight > 0;
    headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|text| quality::items(text).any(takes))
}

/// The scheme and authority that the client used.
pub(super) fn origin(x: &Exchange) -> Option<String> {
    let host = x.request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| x.request.uri.authority().map(|authority| authority.as_str()))?;
    let clean = !host.is_empty() && !host.contains(['/', '\\', '@', '?', '#', ' ']);
    clean.then(|| format!("{}://{host}", x.scheme.as_str()))
}

/// Whether cookies may go in the clear: the client is on this very machine, and uses no TLS.
pub(super) fn is_near(x: &Exchange) -> bool {
    let host = x.host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>();
    let near = host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|ip| ip.is_loopback());
    near && x.scheme == Scheme::Http
}

/// Where the client is to be after the login: where it wanted to be.
pub(super) fn wanted(uri: &Uri) -> String {
    safe(uri.path_and_query().map_or("/", |whole| whole.as_str())).unwrap_or("/").to_owned()
}

/// A place of this same origin, or none: a path that begins with exactly one slash. A browser reads `//host`, `/\host` and
/// the same with a tab or line break between as another host.
pub(super) fn safe(place: &str) -> Option<&str> {
    let bytes = place.as_bytes();
    let plain = bytes.iter().all(|byte| matches!(byte, 0x21..=0x7e) && *byte != b'\\');
    (plain && bytes.len() <= MOST_RETURN && bytes.first() == Some(&b'/') && bytes.get(1) != Some(&b'/'))
        .then_some(place)
}
