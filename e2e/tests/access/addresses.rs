//! `ip`: lists in files, which are read anew when they change.

use e2e::client::get;
use e2e::{Authority, Gate, until};

const CONFIGURATION: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
trusted_proxies: [127.0.0.1]
apis: [{ name: a, policies: { ip: { deny: { files: lists/blocked.txt } } }, to: { respond: { body: in } } }]
access_log: { fields: [client, status, error_cause] }
"#;

/// The status for a client at this address.
fn status(gate: &Gate, client: &str) -> u16 {
    get(gate.address("public"), "/", &[&format!("x-forwarded-for: {client}")]).status
}

#[test]
fn a_list_is_read_anew_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("blocked.txt");
    std::fs::write(&list, "192.0.2.0/24 # a network\n").unwrap();
    let gate = Gate::start(&CONFIGURATION.replace("lists/blocked.txt", list.to_str().unwrap()));
    assert_eq!((status(&gate, "192.0.2.7"), status(&gate, "198.51.100.1")), (403, 200));
    std::fs::write(&list, "198.51.100.0/24\n").unwrap();
    until("the new list holds", || status(&gate, "198.51.100.1") == 403);
    assert_eq!(status(&gate, "192.0.2.7"), 200);
    // A list with a mistake leaves the old one in place, and is read again once it is mended.
    std::fs::write(&list, "203.0.113.0/24\nexample.com\n").unwrap();
    let said = gate.until_said("line 2");
    assert!(said.contains("`example.com` is not an address or a network"), "{said}");
    assert_eq!((status(&gate, "198.51.100.1"), status(&gate, "203.0.113.1")), (403, 200));
    std::fs::write(&list, "203.0.113.0/24\n").unwrap();
    until("the mended list holds", || status(&gate, "203.0.113.1") == 403);
    let log = gate.leave().output;
    assert!(log.contains("192.0.2.7 is denied"), "{log}");
}

#[test]
fn a_path_starts_from_the_configurations_folder() {
    let files = [("blocked.txt", "192.0.2.7\n")];
    let gate = Gate::start_with(&CONFIGURATION.replace("lists/", ""), &files, &[]);
    assert_eq!((status(&gate, "192.0.2.7"), status(&gate, "192.0.2.8")), (403, 200));
}

/// A database in the MaxMind format 2.0 in which every IPv4 address is of this country.
fn everybody_in(country: &str) -> Vec<u8> {
    fn map(size: u8) -> Vec<u8> {
        vec![7 << 5 | size]
    }
    fn text(text: &str) -> Vec<u8> {
        [&[2 << 5 | text.len() as u8][..], text.as_bytes()].concat()
    }
    fn short(number: u8) -> Vec<u8> {
        vec![5 << 5 | 1, number]
    }
    // One node, whose sides both lead to the first record.
    let mut out = [17_u32.to_be_bytes(), 17_u32.to_be_bytes()].concat();
    out.extend([0; 16]);
    out.extend([map(1), text("country"), map(1), text("iso_code"), text(country)].concat());
    out.extend(b"\xab\xcd\xefMaxMind.com");
    out.extend(map(9));
    for (name, value) in [
        ("node_count", vec![6 << 5 | 1, 1]),
        ("record_size", short(32)),
        ("ip_version", short(4)),
        ("binary_format_major_version", short(2)),
        ("binary_format_minor_version", short(0)),
        ("build_epoch", vec![1, 2, 1]),
        ("database_type", text("Test")),
        ("languages", vec![0, 4]),
        ("description", map(0)),
    ] {
        out.extend([text(name), value].concat());
    }
    out
}

#[test]
fn a_database_of_places_is_read_anew_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("country.mmdb");
    std::fs::write(&file, everybody_in("DE")).unwrap();
    let policy = CONFIGURATION.replace("files: lists/blocked.txt", "countries: [FR]");
    let gate = Gate::start(&format!("{policy}geo: {{ country_db: \"{}\" }}\n", file.display()));
    assert_eq!(status(&gate, "192.0.2.7"), 200);
    // A new file in the place of the old one, as those who fetch databases do it.
    let next = folder.path().join("next");
    std::fs::write(&next, everybody_in("FR")).unwrap();
    std::fs::rename(&next, &file).unwrap();
    until("the new database holds", || status(&gate, "192.0.2.7") == 403);
    std::fs::write(&file, "no database").unwrap();
    gate.until_said("is no database of addresses");
    assert_eq!(status(&gate, "192.0.2.7"), 403, "the last good one stays");
}

#[test]
fn authorities_of_calls_stand_beside_the_configuration() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.sign("localhost", &["localhost", "127.0.0.1"]);
    let server = Gate::start_with(
        r#"
version: 1
listeners: [{ name: tls, address: "127.0.0.1:0", tls: { certificates: [{ certificate: c.pem, key: k.pem }] } }]
apis: [{ name: a, to: { respond: { status: 204 } } }]
"#,
        &[("c.pem", &certificate), ("k.pem", &key)],
        &[],
    );
    let asks = format!(
        "ext_auth: {{ url: 'https://127.0.0.1:{}/', calls: {{ tls: {{ ca: ca.pem }} }} }}",
        server.address("tls").port()
    );
    let configuration = CONFIGURATION.replace("ip: { deny: { files: lists/blocked.txt } }", &asks);
    let gate = Gate::start_with(&configuration, &[("ca.pem", &ours.pem())], &[]);
    assert_eq!(status(&gate, "192.0.2.7"), 200);
    for (authority, expected) in [(&other, 503), (&ours, 200)] {
        std::fs::write(gate.folder().join("ca.pem"), authority.pem()).unwrap();
        until("the authority is read anew", || status(&gate, "192.0.2.7") == expected);
    }
}
