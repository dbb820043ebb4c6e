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
        let mut collected = super::Networks::default();
        networks.iter().for_each(|net| collected.add(&net.to_string()).unwrap());
        let ranges = collected.join();
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

/// A million addresses and networks hold exactly what they hold one by one, in the memory that is documented.
#[test]
fn a_million_entries_are_exact_and_small() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let mut networks = super::Networks::default();
    let (mut single, mut wide) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    for number in 0..1_000_000 {
        let bits = random();
        let address = std::net::Ipv4Addr::from(bits);
        if number % 4 == 0 {
            networks.add(&format!("{address}/24")).unwrap();
            wide.insert(bits >> 8);
        } else {
            networks.add(&address.to_string()).unwrap();
            single.insert(bits);
        }
    }
    let ranges = networks.join();
    assert!(ranges.bytes() <= 8_000_000, "{} bytes", ranges.bytes());
    let edges: Vec<u32> = single.iter().copied().chain(wide.iter().map(|net| net << 8)).step_by(20).collect();
    let asked = edges.iter().flat_map(|edge| [edge.wrapping_sub(1), *edge, edge.wrapping_add(1), edge | 0xff]);
    let mut inside = 0;
    for bits in asked.chain((0..100_000).map(|_| random())) {
        let has = ranges.has(std::net::Ipv4Addr::from(bits).into());
        assert_eq!(has, single.contains(&bits) || wide.contains(&(bits >> 8)), "{}", std::net::Ipv4Addr::from(bits));
        inside += usize::from(has);
    }
    assert!(inside > edges.len());
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "lets everyone in"),
        ("{ allow: [10.0.0.0/33] }", "not an address or a network"),
        ("{ deny: [example.com] }", "not an address or a network"),
        ("{ block: [10.0.0.1] }", "block"),
        ("{ allow: { networks: [10.0.0.0/33] } }", "not an address or a network"),
        ("{ allow: { country: [DE] } }", "unknown key `country`"),
        ("{ allow: { countries: [DE] } }", "there is no database"),
        ("{ allow: { countries: [Germany] } }", "`Germany` is not a country"),
        ("{ allow: { asns: [AS1] } }", "AS1"),
        ("{ allow: 10.0.0.1 }", "a list of addresses and networks"),
    ] {
        let problems = try_program(&configuration("", policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}

/// A configuration with lists in a folder, and databases.
fn beside(policy: &str, lists: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    let (folder, geo) = crate::geo::tests::databases();
    for (name, text) in lists {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let policy = policy.replace("FOLDER", &folder.path().display().to_string());
    (folder, configuration("", &policy) + &geo)
}

#[test]
fn clients_are_let_in_by_country_and_network() {
    for (policy, clients) in [
        ("{ allow: { countries: [DE] } }", vec![("192.0.2.7", 200), ("198.51.100.1", 403), ("10.0.0.1", 403)]),
        ("{ allow: { countries: [DE] } }", vec![("2001:db8::1", 200), ("2001:db9::1", 403)]),
        ("{ deny: { countries: [DE, NL] } }", vec![("192.0.2.7", 403), ("203.0.113.1", 403), ("10.0.0.1", 200)]),
        ("{ allow: { asns: [64500] } }", vec![("192.0.2.7", 200), ("192.0.2.200", 403), ("10.0.0.1", 403)]),
        ("{ deny: { asns: [4200000000] } }", vec![("2001:db8::1", 403), ("2001:db8:1::1", 200)]),
        (
            "{ allow: { countries: [FR], networks: [10.0.0.0/8] }, deny: [10.1.0.0/16] }",
            vec![("198.51.100.1", 200), ("10.0.0.1", 200), ("10.1.0.1", 403), ("192.0.2.7", 403)],
        ),
    ] {
        let (_folder, yaml) = beside(policy, &[]);
        let (asked, expected): (Vec<_>, Vec<_>) = clients.into_iter().unzip();
        assert_eq!(statuses(&yaml, &asked), expected, "{policy} {asked:?}");
    }
}

#[test]
fn expressions_know_where_a_client_is() {
    let (_folder, geo) = crate::geo::tests::databases();
    let yaml = format!(
        "version: 1
listeners: [{{ name: public, address: '127.0.0.1:0' }}]
apis: [{{ name: a, to: {{ respond: {{ body: '{{{{ client.country }}}} {{{{ client.asn }}}}' }} }} }}]
{geo}"
    );
    let program = program(&yaml);
    for (client, says) in [("192.0.2.7", "DE 64500"), ("198.51.100.1", "FR "), ("10.0.0.1", " ")] {
        let mut x = exchange_of(&program, Request::get("/").body(Body::Empty).unwrap());
        x.client = client.parse().unwrap();
        assert_eq!(answer_to(x).body(), says, "{client}");
    }
    let yaml = configuration("", "{ deny: [10.0.0.1], when: 'client.country == \"DE\"' }");
    let problems = try_program(&yaml, &environment()).err().unwrap();
    assert!(problems.contains("there is no database"), "{problems}");
}

#[test]
fn what_asks_for_places_needs_a_database() {
    for (route, says) in [
        ("match: { when: 'client.country == \"DE\"' }, to: { respond: {} }", "apis[0].routes[0].match"),
        ("match: { when: 'client.asn > 1' }, to: { respond: {} }", "apis[0].routes[0].match"),
        ("to: { respond: { body: '{{ client.country }}' } }", "apis[0].routes[0].to"),
    ] {
        let yaml = |geo: &str| {
            format!(
                "version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\napis: [{{ name: a, routes: [{{ name: r, {route} }}] }}]\n{geo}"
            )
        };
        let problems = try_program(&yaml(""), &environment()).err().unwrap_or_default();
        assert!(problems.contains("there is no database") && problems.contains(says), "{route}: {problems}");
        let (_folder, geo) = crate::geo::tests::databases();
        assert!(try_program(&yaml(&geo), &environment()).is_ok(), "{route}");
    }
}

#[test]
fn lists_come_from_files() {
    let list = "# those we know\n192.0.2.7\n\n  198.51.100.0/24 ; a network\r\n2001:db8::/32 # another";
    let (_folder, yaml) = beside("{ allow: { files: FOLDER/list.txt, networks: [10.0.0.1] } }", &[("list.txt", list)]);
    let asked = ["192.0.2.7", "192.0.2.8", "198.51.100.77", "2001:db8::5", "10.0.0.1"];
    assert_eq!(statuses(&yaml, &asked), [200, 403, 200, 200, 200]);
    let (_folder, yaml) = beside("{ allow: { files: [FOLDER/empty.txt] } }", &[("empty.txt", "# nobody\n")]);
    assert_eq!(statuses(&yaml, &["10.0.0.1"]), [403], "an empty list allows nobody");
    for (list, says) in [
        ("10.0.0.1\n\nexample.com\n", "list.txt` line 3: `example.com` is not an address or a network"),
        ("10.0.0.1 10.0.0.2\n", "line 1: `10.0.0.1 10.0.0.2`"),
        ("\u{1b}[2J", "is not an address"),
        (&"x\n".repeat(30), "has 20 more such lines"),
    ] {
        let (_folder, yaml) = beside("{ deny: { files: FOLDER/list.txt } }", &[("list.txt", list)]);
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says) && !problems.contains('\u{1b}'), "{list:?}: {problems}");
    }
    let (_folder, yaml) = beside("{ deny: { files: FOLDER/none.txt } }", &[]);
    let online = crate::program::Environment { offline: false, ..environment() };
    assert!(try_program(&yaml, &online).err().unwrap().contains("none.txt` cannot be read"));
    assert_eq!(statuses(&yaml, &["10.0.0.1"]), [200], "offline it is only a warning");
}

#[test]
fn a_list_has_a_bound() {
    use std::fmt::Write as _;
    let mut list = String::new();
    for at in 0..1_000_001_u32 {
        let _ = writeln!(list, "{}", std::net::Ipv4Addr::from_bits(at * 2));
    }
    let (_folder, yaml) = beside("{ deny: { files: FOLDER/list.txt } }", &[("list.txt", &list)]);
    let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
    assert!(problems.contains("has more than 1000000 addresses"), "{problems}");
}

#[test]
fn a_shadow_lets_in_and_says_whom_not() {
    let (_folder, yaml) = beside("{ allow: { countries: [FR] }, mode: shadow }", &[]);
    let program = program(&yaml);
    let mut x = exchange_of(&program, Request::get("/").body(Body::Empty).unwrap());
    let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
    let passes =
        matches!(plan.steps[0].step.request(&mut x), crate::policies::Verdict::Done(crate::policies::Outcome::Next));
    assert!(passes);
    let why = x.record.shadow_denied.as_deref();
    assert_eq!(why, Some("ip: 192.0.2.7 is not among those allowed (country DE, ASN 64500)"));
}
