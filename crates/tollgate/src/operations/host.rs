//! The `Host` check against DNS rebinding: a page of another site can make a browser call this port, but not with a host
//! that is ours.

use std::net::IpAddr;

/// Whether a request with this `Host` may look: addresses, `localhost` and the configured names may.
pub(super) fn is_good(host: Option<&str>, names: &[String]) -> bool {
    let Some(host) = host else { return false };
    let bare = without_port(host);
    let address = bare.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok()
        || names.iter().any(|name| name.eq_ignore_ascii_case(bare))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_configured_names_are_good() {
        let names = vec!["gate.internal".to_owned()];
        for (host, good) in [
            (Some("127.0.0.1"), true),
            (Some("127.0.0.1:9901"), true),
            (Some("[::1]:9901"), true),
            (Some("[::1]"), true),
            (Some("LOCALHOST:9901"), true),
            (Some("gate.internal"), true),
            (Some("gate.internal:9901"), true),
            (Some("evil.example"), false),
            (Some("evil.example:9901"), false),
            (Some("localhost.evil.example"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(is_good(host, &names), good, "{host:?}");
        }
    }
}
