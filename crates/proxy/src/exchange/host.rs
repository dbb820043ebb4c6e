//! The host of a request: taken apart, checked and brought into one form.

use std::fmt;
use std::net::Ipv6Addr;

/// The longest host that is taken (RFC 1035 section 2.3.4, with its dots).
const MOST: usize = 255;

/// Why a host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRefused {
    /// There is none.
    Empty,
    /// A name and password before `@` (RFC 9110 section 4.2.4).
    UserInfo,
    /// The port is not a number up to 65535.
    Port,
    /// Neither a name nor an address.
    Name,
}

impl fmt::Display for HostRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostRefused::Empty => "The host is empty.",
            HostRefused::UserInfo => "The host has a user name before it.",
            HostRefused::Port => "The host's port is not a port number.",
            HostRefused::Name => "The host is neither a name nor an address.",
        })
    }
}

/// Takes `host[:port]` apart. The host comes in lower case and without a dot at its end; an IPv6 address keeps its
/// brackets and has its shortest form (RFC 5952).
pub fn parse(authority: &str) -> Result<(Box<str>, Option<u16>), HostRefused> {
    if let Some(parsed) = usual(authority) {
        return Ok(parsed);
    }
    if authority.contains('@') {
        return Err(HostRefused::UserInfo);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(HostRefused::Name)?;
        let address: Ipv6Addr = address.parse().map_err(|_| HostRefused::Name)?;
        return Ok((format!("[{address}]").into(), after_host(rest)?));
    }
    let end = authority.find(':').unwrap_or(authority.len());
    let (host, rest) = authority.split_at_checked(end).ok_or(HostRefused::Name)?;
    Ok((name(host)?, after_host(rest)?))
}

/// What nearly every request has, in one pass: a name of lower-case letters, digits and hyphens, or an IPv4 address, and
/// perhaps a port.
fn usual(authority: &str) -> Option<(Box<str>, Option<u16>)> {
    let (mut before, mut end) = (b'.', authority.len());
    for (at, &byte) in authority.as_bytes().iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => {}
            b'.' if before != b'.' => {}
            b':' => {
                end = at;
                break;
            }
            _ => return None,
        }
        before = byte;
    }
    let (host, port) = authority.split_at_checked(end)?;
    if before == b'.' || host.len() > MOST {
        return None;
    }
    let port = match port.as_bytes() {
        [] => None,
        [_, digits @ ..] if !digits.is_empty() => Some(digits.iter().try_fold(0u16, |port, digit| {
            let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
            port.checked_mul(10)?.checked_add(digit)
        })?),
        _ => return None,
    };
    Some((host.into(), port))
}

/// What follows a host: nothing, or a colon and perhaps a port (RFC 3986 section 3.2.3).
fn after_host(rest: &str) -> Result<Option<u16>, HostRefused> {
    let Some(port) = rest.strip_prefix(':') else {
        return if rest.is_empty() { Ok(None) } else { Err(HostRefused::Name) };
    };
    if port.is_empty() {
        return Ok(None);
    }
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HostRefused::Port);
    }
    port.parse().map(Some).map_err(|_| HostRefused::Port)
}

/// A registered name (RFC 3986 section 3.2.2) without escapes, in labels that are not empty.
fn name(host: &str) -> Result<Box<str>, HostRefused> {
    if host.is_empty() {
        return Err(HostRefused::Empty);
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.len() > MOST {
        return Err(HostRefused::Name);
    }
    let mut before = b'.';
    for &byte in host.as_bytes() {
        let good = match byte {
            b'.' => before != b'.',
            _ => byte.is_ascii_alphanumeric() || b"-_~!$&'()*+,;=".contains(&byte),
        };
        if !good {
            return Err(HostRefused::Name);
        }
        before = byte;
    }
    if before == b'.' { Err(HostRefused::Name) } else { Ok(host.to_ascii_lowercase().into()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_hosts_apart() {
        let cases: &[(&str, &str, Option<u16>)] = &[
            ("example.com", "example.com", None),
            ("API.Example.COM.", "api.example.com", None),
            ("example.com:8080", "example.com", Some(8080)),
            ("example.com.:", "example.com", None),
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[0:0:0:0:0:0:0:1]:443", "[::1]", Some(443)),
            ("[2001:DB8::A]:", "[2001:db8::a]", None),
            ("under_score", "under_score", None),
        ];
        for (text, host, port) in cases {
            assert_eq!(parse(text), Ok(((*host).into(), *port)), "{text}");
        }
    }

    #[test]
    fn refuses() {
        use HostRefused::{Empty, Name, Port, UserInfo};
        let cases = [
            ("", Empty),
            (":80", Empty),
            (".", Name),
            (".example.com", Name),
            ("a..b", Name),
            ("a..", Name),
            ("user@example.com", UserInfo),
            ("user:pw@example.com", UserInfo),
            ("example.com:http", Port),
            ("example.com:+1", Port),
            ("example.com:65536", Port),
            ("a:1:2", Port),
            ("a b", Name),
            ("a/b", Name),
            ("caf\u{e9}.fr", Name),
            ("a%41", Name),
            ("[::1", Name),
            ("[::1]x", Name),
            ("[fe80::1%25eth0]", Name),
            ("[v1.x]", Name),
            ("[example.com]", Name),
        ];
        for (text, why) in cases {
            assert_eq!(parse(text), Err(why), "{text}");
        }
        assert_eq!(parse(&"a".repeat(256)), Err(Name));
    }

    proptest! {
        #[test]
        fn never_panics_and_is_idempotent(text in prop_oneof!["\\PC{0,24}", "[a.:\\[\\]0-9@%]{0,16}"]) {
            if let Ok((host, _)) = parse(&text) {
                prop_assert!(!host.is_empty());
                prop_assert_eq!(parse(&host), Ok((host.clone(), None)));
            }
        }
    }
}
