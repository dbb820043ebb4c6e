//! `ip`: lists in files, which are read anew when they change.

use e2e::client::get;
use e2e::{Gate, until};

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
