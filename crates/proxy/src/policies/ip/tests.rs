use http::Request;
use proptest::prelude::*;

use crate::exchange::Body;
use crate::exchange::testing::{answer_to, environment, exchange_of, program, try_program};

fn configuration(listener: &str, api: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ {listener} }} }}]
apis: [{{ name: a, policies: {{ ip: {api} }}, to: {{ respond: {{}} }} }}]
"#
    )
}

/// The status for each client.
fn statuses(yaml: &str, clients: &[&str]) -> Vec<u16> {
    let program = program(yaml);
    let ask = |client: &&str| {
        let mut x = exchange_of(&program, Request::get("/").body(Body::Empty).unwrap());
        x.client = client.parse().unwrap();
        answer_to(x).status().as_u16()
    };
    clients.iter().map(ask).collect()
}

#[test]
fn clients_are_let_in_by_address() {
    for (policy, clients) in [
        ("{ allow: [10.0.0.0/8] }", vec![("10.0.0.0", 200), ("10.255.255.255", 200), ("11.0.0.0", 403), ("::1", 403)]),
        ("{ deny: [10.0.0.0/8] }", vec![("9.255.255.255", 200), ("10.1.2.3", 403), ("::1", 200)]),
        ("{ allow: [10.0.0.0/8], deny: [10.1.0.0/16] }", vec![("10.0.9.9", 200), ("10.1.9.9", 403)]),
        ("{ allow: [192.0.2.1] }", vec![("192.0.2.1", 200), ("192.0.2.2", 403)]),
        ("{ allow: ['2001:db8::/32', '::1'] }", vec![("2001:db8:ffff::1", 200), ("::1", 200), ("2001:db9::", 403)]),
        ("{ allow: ['::ffff:10.0.0.0/104'] }", vec![("10.9.9.9", 200), ("11.0.0.0", 403)]),
        ("{ allow: [0.0.0.0/0] }", vec![("255.255.255.255", 200), ("0.0.0.0", 200), ("::", 403)]),
        // Networks that overlap, touch and repeat.
        (
            "{ allow: [10.0.1.0/24, 10.0.0.0/24, 10.0.0.0/25, 10.0.0.0/24] }",
            vec![("10.0.1.255", 200), ("10.0.2.0", 403)],
        ),
    ] {
        let (asked, expected): (Vec<_>, Vec<_>) = clients.into_iter().unzip();
        assert_eq!(statuses(&configuration("", policy), &asked), expected, "{policy} {asked:?}");
    }
}

#[test]
fn an_inner_level_only_narrows() {
    let yaml = configuration("ip: { allow: [10.0.0.0/8] }", "{ allow: [10.0.0.0/16, 192.0.2.0/24] }");
    assert_eq!(statuses(&yaml, &["10.0.1.1", "10.1.0.1", "192.0.2.1"]), [200, 403, 403]);
}

proptest! {
    /// The joined ranges hold exactly what the networks do, one by one.
    #[test]
    fn ranges_are_the_networks(
        networks in prop::collection::vec((any::<u32>(), 4u8..=32), 1..20),
        near in prop::collection::vec((0usize..20, -2i64..=2, any::<bool>()), 1..50),
    ) {
        let networks: Vec<ipnet::IpNet> = networks
            .iter()
            .map(|(bits, length)| ipnet::Ipv4Net::new((*bits).into(), *length).unwrap().trunc().into())
            .collect();
        let pairs = networks.iter().map(|net| match net {
            ipnet::IpNet::V4(net) => (net.network().to_bits(), net.broadcast().to_bits()),
            ipnet::IpNet::V6(_) => panic!("not made here"),
        }).collect();
        let ranges = super::Ranges { v4: super::join(pairs, |end| end.checked_add(1)), v6: Box::default() };
        for (at, offset, start) in near {
            let std::net::IpAddr::V4(edge) = (match networks.get(at) {
                Some(net) if start => net.network(),
                Some(net) => net.broadcast(),
                None => continue,
            }) else { panic!("not made here") };
            let Ok(bits) = u32::try_from(i64::from(edge.to_bits()) + offset) else { continue };
            let address = std::net::IpAddr::V4(bits.into());
            prop_assert_eq!(ranges.has(address), networks.iter().any(|net| net.contains(&address)), "{}", address);
        }
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "lets everyone in"),
        ("{ allow: [10.0.0.0/33] }", "not an address or a network"),
        ("{ deny: [example.com] }", "not an address or a network"),
        ("{ block: [10.0.0.1] }", "block"),
    ] {
        let problems = try_program(&configuration("", policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
