//! Databases are written here, in the MaxMind format 2.0, so that tests know what stands in them.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use model::load::Spanned;
use model::problem::Problems;
use model::resource::Geo as Written;

use super::Geo;

/// A value of a record.
pub(crate) enum Field<'a> {
    Text(&'a str),
    Number(u32),
    Short(u16),
    Long(u64),
    Map(Vec<(&'a str, Field<'a>)>),
}

/// A control byte and what follows it: the type and the size, which is small here.
fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    assert!(size < 29);
    if kind > 7 {
        out.extend([u8::try_from(size).unwrap(), kind - 7]);
    } else {
        out.push(kind << 5 | u8::try_from(size).unwrap());
    }
}

fn write(out: &mut Vec<u8>, field: &Field<'_>) {
    match field {
        Field::Text(text) => {
            control(out, 2, text.len());
            out.extend(text.as_bytes());
        }
        Field::Number(number) => {
            control(out, 6, 4);
            out.extend(number.to_be_bytes());
        }
        Field::Short(number) => {
            control(out, 5, 2);
            out.extend(number.to_be_bytes());
        }
        Field::Long(number) => {
            control(out, 9, 8);
            out.extend(number.to_be_bytes());
        }
        Field::Map(entries) => {
            control(out, 7, entries.len());
            for (name, value) in entries {
                write(out, &Field::Text(name));
                write(out, value);
            }
        }
    }
}

/// A database of IPv6 with these networks and what is known of each; IPv4 lies under `::/96`.
pub(crate) fn database(networks: &[(&str, Field<'_>)]) -> Vec<u8> {
    #[derive(Clone, Copy)]
    enum To {
        Nothing,
        Node(usize),
        Data(usize),
    }
    let mut nodes = vec![[To::Nothing; 2]];
    let mut data = Vec::new();
    for (network, field) in networks {
        let (bits, length) = match network.parse::<IpNet>().unwrap() {
            IpNet::V4(net) => (u128::from(net.network().to_bits()), 96 + net.prefix_len()),
            IpNet::V6(net) => (net.network().to_bits(), net.prefix_len()),
        };
        let at = data.len();
        write(&mut data, field);
        let mut node = 0;
        for place in 0..length {
            let side = usize::from(bits >> (127 - place) & 1 == 1);
            if place + 1 == length {
                nodes[node][side] = To::Data(at);
                break;
            }
            node = match nodes[node][side] {
                To::Node(next) => next,
                _ => {
                    nodes.push([To::Nothing; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = To::Node(next);
                    next
                }
            };
        }
    }
    let count = nodes.len();
    let mut out = Vec::new();
    for to in nodes.iter().flatten() {
        let record = match to {
            To::Nothing => count,
            To::Node(node) => *node,
            To::Data(at) => count + 16 + at,
        };
        out.extend(u32::try_from(record).unwrap().to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(&data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    control(&mut out, 7, 9);
    let mut entry = |name: &str, value: &dyn Fn(&mut Vec<u8>)| {
        write(&mut out, &Field::Text(name));
        value(&mut out);
    };
    let short = |number: u16| move |out: &mut Vec<u8>| write(out, &Field::Short(number));
    entry("node_count", &|out| write(out, &Field::Number(u32::try_from(count).unwrap())));
    entry("record_size", &short(32));
    entry("ip_version", &short(6));
    entry("binary_format_major_version", &short(2));
    entry("binary_format_minor_version", &short(0));
    entry("build_epoch", &|out| write(out, &Field::Long(1_767_225_600)));
    entry("database_type", &|out| write(out, &Field::Text("Test")));
    entry("languages", &|out| control(out, 11, 0));
    entry("description", &|out| control(out, 7, 0));
    out
}

/// A folder with databases of countries and networks, and how a configuration names them.
pub(crate) fn databases() -> (tempfile::TempDir, String) {
    let country = |code| Field::Map(vec![("country", Field::Map(vec![("iso_code", Field::Text(code))]))]);
    let number = |number| Field::Map(vec![("autonomous_system_number", Field::Number(number))]);
    let countries = database(&[
        ("192.0.2.0/24", country("DE")),
        ("198.51.100.0/24", country("FR")),
        ("2001:db8::/32", country("DE")),
        ("203.0.113.0/25", Field::Map(vec![("country_code", Field::Text("NL"))])),
        ("203.0.113.128/25", Field::Map(vec![("continent", Field::Text("EU"))])),
    ]);
    let networks = database(&[("192.0.2.0/25", number(64_500)), ("2001:db8::/48", number(4_200_000_000))]);
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("country.mmdb", countries), ("asn.mmdb", networks)] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let at = folder.path().display();
    let geo = format!("geo: {{ country_db: {at}/country.mmdb, asn_db: {at}/asn.mmdb }}\n");
    (folder, geo)
}

fn geo(folder: &std::path::Path, country: &str, offline: bool) -> (Geo, Vec<String>) {
    let path = |name: &str| Some(Spanned::from(folder.join(name).to_str().unwrap().to_owned()));
    let written = Written { country_db: path(country), asn_db: path("asn.mmdb") };
    let mut problems = Problems::new();
    let geo = Geo::open(&written, offline, &mut problems);
    let said = problems.iter().map(|problem| format!("{:?}: {}", problem.severity, problem.message));
    (geo, said.collect())
}

#[test]
fn addresses_are_where_the_files_say() {
    let (folder, _) = databases();
    let (geo, problems) = geo(folder.path(), "country.mmdb", false);
    assert!(problems.is_empty(), "{problems:?}");
    for (address, country, asn) in [
        ("192.0.2.7", Some("DE"), Some(64_500)),
        ("192.0.2.130", Some("DE"), None),
        ("198.51.100.1", Some("FR"), None),
        ("2001:db8::1", Some("DE"), Some(4_200_000_000)),
        ("2001:db8:1::1", Some("DE"), None),
        ("203.0.113.1", Some("NL"), None),
        ("203.0.113.200", None, None),
        ("10.0.0.1", None, None),
        ("2001:db9::1", None, None),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!((geo.country(address), geo.asn(address)), (country, asn), "{address}");
    }
    assert_eq!(geo.country(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), None);
}

#[test]
fn what_is_no_database_is_a_problem() {
    let (folder, _) = databases();
    let (_, problems) = geo(folder.path(), "none.mmdb", false);
    assert!(problems[0].starts_with("Error") && problems[0].contains("cannot be read"), "{problems:?}");
    let (unknown, problems) = geo(folder.path(), "none.mmdb", true);
    assert!(problems[0].starts_with("Warning"), "{problems:?}");
    assert_eq!(unknown.country("192.0.2.7".parse().unwrap()), None);
    std::fs::write(folder.path().join("text.mmdb"), "a,b,c").unwrap();
    let (_, problems) = geo(folder.path(), "text.mmdb", true);
    assert!(problems[0].starts_with("Error") && problems[0].contains("is no database"), "{problems:?}");
}

/// Whatever is wrong in a file, asking it is safe.
#[test]
fn a_broken_database_knows_less() {
    let (folder, _) = databases();
    let good = std::fs::read(folder.path().join("country.mmdb")).unwrap();
    let mut opened = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        std::fs::write(folder.path().join("bad.mmdb"), &bad).unwrap();
        let (geo, problems) = geo(folder.path(), "bad.mmdb", false);
        opened += usize::from(problems.is_empty());
        for address in ["192.0.2.7", "2001:db8::1", "203.0.113.1", "10.0.0.1"] {
            let _ = geo.country(address.parse().unwrap());
        }
    }
    assert!(opened > 0 && opened < good.len());
}
