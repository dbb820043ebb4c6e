//! `Accept-Encoding` and `Accept`: what is chosen is liked no less than anything else that is there.

use std::sync::LazyLock;

use http::HeaderValue;
use proxy::fuzzing::encoding;
use proxy::telemetry::Format;
use regex::Regex;

pub(crate) fn run(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let text = value.to_str().unwrap_or_default();
    let listed = listed(text);
    let weight = |names: &[&str]| {
        let named = listed.iter().find(|(name, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
        named.map(|(_, weight)| *weight)
    };
    let any = weight(&["*"]).unwrap_or(0);
    let ours = [("zstd", &["zstd"][..]), ("br", &["br"]), ("gzip", &["gzip", "x-gzip"])];
    let liked: Vec<(&str, u32)> = ours.iter().map(|(name, all)| (*name, weight(all).unwrap_or(any))).collect();
    let plain = weight(&["identity"]).unwrap_or(0);
    let most = liked.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    let expected = liked.iter().find(|(_, weight)| *weight == most && most > 0 && most >= plain).map(|(name, _)| *name);
    assert_eq!(encoding(&value), expected, "{text}");

    let best = |kinds: &[&str]| {
        let of_kind = listed.iter().filter(|(name, _)| kinds.iter().any(|kind| kind.eq_ignore_ascii_case(name)));
        of_kind.map(|(_, weight)| *weight).max().unwrap_or(0)
    };
    let open = best(&["application/openmetrics-text"]);
    let open = open > 0 && open >= best(&["text/plain", "text/*", "*/*"]);
    assert_eq!(Format::negotiate(text) == Format::OpenMetrics, open, "{text}");
}

/// What is listed with its weight in thousandths (RFC 9110 section 12.4.2), by regular expressions.
fn listed(text: &str) -> Vec<(&str, u32)> {
    static WEIGHT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$").expect("a pattern"));
    let mut listed = Vec::new();
    for item in text.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find(|part| part.starts_with("q=") || part.starts_with("Q="));
        match weight.map(|weight| &weight[2..]) {
            _ if name.is_empty() => {}
            None => listed.push((name, 1_000)),
            Some(weight) if WEIGHT.is_match(weight) => {
                let number: f64 = weight.parse().expect("a number");
                listed.push((name, (number * 1_000.0).round() as u32));
            }
            Some(_) => {}
        }
    }
    listed
}
