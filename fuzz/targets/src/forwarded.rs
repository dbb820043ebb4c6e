//! `Forwarded` and `X-Forwarded-For`: what a proxy adds at the right end cannot be talked away from its left.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use proxy::exchange::forwarded::{Malformed, Origin, origin};

pub(crate) fn run(input: &[u8]) {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let trusted: [IpNet; 2] = ["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().expect("a network"));
    let peer = IpAddr::from([10, 0, 0, 1]);
    for field in ["forwarded", "x-forwarded-for", "x-forwarded-proto"] {
        let headers = fields(field, &lines);
        let said = origin(peer, &headers, &trusted);
        assert_eq!(origin([192, 0, 2, 1].into(), &headers, &trusted), Ok(None), "a stranger is not believed");
        assert!(said != Ok(None) && (field == "forwarded" || said.is_ok()));
        appended(field, &lines, &trusted, peer);
    }
    same(&lines, &trusted, peer);
}

fn fields(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
    let values = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.map(|value| (http::HeaderName::from_static(name), value)).collect()
}

/// The address that the trusted proxy itself appends is the client, whatever stands before it.
fn appended(field: &'static str, lines: &[&[u8]], trusted: &[IpNet], peer: IpAddr) {
    let added = match field {
        "forwarded" => &b", for=\"[2a00::7]\";proto=https"[..],
        "x-forwarded-for" => b", 2a00::7",
        _ => return,
    };
    let Some((last, before)) = lines.split_last() else { return };
    if HeaderValue::from_bytes(last).is_err() {
        return;
    }
    let whole = [last, added].concat();
    let lines: Vec<&[u8]> = before.iter().copied().chain([&whole[..]]).collect();
    match origin(peer, &fields(field, &lines), trusted) {
        Ok(Some(Origin { client, .. })) => assert_eq!(client, "2a00::7".parse::<IpAddr>().expect("an address")),
        Ok(None) => panic!("the peer is trusted"),
        Err(Malformed) => assert_eq!(field, "forwarded"),
    }
}

/// The same addresses say the same in either field.
fn same(lines: &[&[u8]], trusted: &[IpNet], peer: IpAddr) {
    let text = lines.iter().filter_map(|line| std::str::from_utf8(line).ok()).collect::<Vec<_>>().join(",");
    let addresses: Vec<IpAddr> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    if addresses.is_empty() {
        return;
    }
    let list = |show: fn(&IpAddr) -> String| addresses.iter().map(show).collect::<Vec<_>>().join(", ").into_bytes();
    let plain = list(ToString::to_string);
    let named = list(|address| match address {
        IpAddr::V4(address) => format!("for={address};by=_x"),
        IpAddr::V6(address) => format!("By=_x; For=\"[{address}]:47011\""),
    });
    let plain = origin(peer, &fields("x-forwarded-for", &[&plain]), trusted);
    assert_eq!(origin(peer, &fields("forwarded", &[&named]), trusted), plain);
    // The client is the last that is not trusted, or the first of all.
    let plain: Vec<IpAddr> = addresses.iter().map(IpAddr::to_canonical).collect();
    let expected = plain.iter().rev().find(|address| !trusted.iter().any(|net| net.contains(*address)));
    let said = origin(peer, &fields("x-forwarded-for", &[text_of(&plain).as_bytes()]), trusted);
    assert_eq!(said.map(|said| said.map(|said| said.client)), Ok(expected.or(plain.first()).copied()));
}

fn text_of(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
