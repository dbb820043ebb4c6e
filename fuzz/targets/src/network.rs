//! Networks: the `ip` policy, routes and expressions take the same addresses, and those that the prefix says.

use std::net::IpAddr;

use http::Request;
use model::resolve::parse_network;
use proxy::exchange::{Body, testing};
use serde_json::json;

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([text, address]) = kit::parts(input) else { return };
    let Some(network) = parse_network(text) else { return };
    assert_eq!(parse_network(&network.to_string()), Some(network), "{text}");
    let Ok(address) = address.trim().parse::<IpAddr>() else { return };
    let address = address.to_canonical();
    let within = within(text, address);
    assert_eq!(network.contains(&address), within, "{text} {address}");

    let api = |name: &str, policies: serde_json::Value, matches: serde_json::Value| {
        let to = json!({ "respond": { "status": 204 } });
        json!({ "name": name, "path": format!("/{name}"), "policies": policies, "routes": [{ "match": matches, "to": to }] })
    };
    let when = format!("inNetwork(client.address, {})", kit::literal(text));
    let configuration = json!({
        "version": 1,
        "listeners": [{ "name": "public", "address": "127.0.0.1:0" }],
        "apis": [
            api("allow", json!({ "ip": { "allow": [text] } }), json!({})),
            api("deny", json!({ "ip": { "deny": [text] } }), json!({})),
            api("client", json!({}), json!({ "client": [text] })),
            api("when", json!({}), json!({ "when": when })),
        ],
    });
    let program = kit::program(&configuration).unwrap_or_else(|| panic!("{configuration}"));
    for (path, taken) in [("/allow", within), ("/deny", !within), ("/client", within), ("/when", within)] {
        let mut x = testing::exchange_of(&program, Request::get(path).body(Body::Empty).expect("a request"));
        x.client = address;
        assert_eq!(testing::answer_to(x).status() == 204, taken, "{path} {text} {address}");
    }
}

/// Whether the first bits of both are the same.
fn within(network: &str, address: IpAddr) -> bool {
    let (base, length) = network.split_once('/').unwrap_or((network, ""));
    let base: IpAddr = base.parse().expect("an address");
    let longest = if base.is_ipv4() { 32 } else { 128 };
    let length: u32 = length.parse().unwrap_or(longest);
    // IPv4 is the part of IPv6 that its addresses are mapped to.
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    let length = if base.is_ipv4() { length + 96 } else { length };
    // But no wider network of IPv6 holds clients of IPv4.
    if base.is_ipv6() && length < 96 && address.is_ipv4() {
        return false;
    }
    let same = bits(base) ^ bits(address);
    same.leading_zeros() >= length
}
