//! Client certificates as curl shows them.

use std::process::Command;

use e2e::client::get;
use e2e::{Authority, Gate};

#[test]
fn machines_are_known_by_their_certificates() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let (server, server_key) = servers.sign("gate", &["gate.test"]);
    let (robot, robot_key) = clients.sign("robot", &["spiffe://example.com/robot"]);
    let (meter, meter_key) = clients.sign("meter", &["meter.example.com"]);
    let (stranger, stranger_key) = clients.sign("stranger", &["stranger.example.com"]);
    let (forged, forged_key) = servers.sign("robot", &["spiffe://example.com/robot"]);
    let (server_ca, client_ca) = (servers.pem(), clients.pem());
    let gate = Gate::start_with(
        r#"
version: 1
listeners:
  - name: secure
    address: "127.0.0.1:0"
    tls:
      certificates: [{ certificate: gate.pem, key: gate.key }]
      client_certificates: { ca: clients.pem, mode: requested }
  - { name: plain, address: "127.0.0.1:0" }
apis:
  - name: a
    access: identified
    policies: { mtls: {} }
    to: { respond: { body: "{{ auth.consumer.name }} by {{ auth.method }}" } }
consumers:
  - { name: robot, credentials: [{ certificate: { spiffe: "spiffe://example.com/robot" } }] }
  - { name: meter, credentials: [{ certificate: { subject: CN=meter } }] }
"#,
        &[
            ("ca.pem", &server_ca),
            ("clients.pem", &client_ca),
            ("gate.pem", &server),
            ("gate.key", &server_key),
            ("robot.pem", &robot),
            ("robot.key", &robot_key),
            ("meter.pem", &meter),
            ("meter.key", &meter_key),
            ("stranger.pem", &stranger),
            ("stranger.key", &stranger_key),
            ("forged.pem", &forged),
            ("forged.key", &forged_key),
        ],
        &[],
    );
    let port = gate.address("secure").port();
    let curl = |words: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "20", "--cacert", "ca.pem", "--write-out", " %{response_code}"])
            .args(["--resolve", &format!("gate.test:{port}:127.0.0.1")])
            .args(words)
            .arg(format!("https://gate.test:{port}/"))
            .current_dir(gate.folder())
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(curl(&["--cert", "robot.pem", "--key", "robot.key"]), "robot by mtls 200");
    assert_eq!(curl(&["--http1.1", "--cert", "meter.pem", "--key", "meter.key"]), "meter by mtls 200");
    let unknown = curl(&["--cert", "stranger.pem", "--key", "stranger.key"]);
    assert!(unknown.contains("mtls.unknown") && unknown.ends_with(" 401"), "{unknown}");
    let none = curl(&[]);
    assert!(none.contains("auth.missing") && none.ends_with(" 401"), "{none}");
    // One that another authority signed does not get through the handshake.
    assert_eq!(curl(&["--cert", "forged.pem", "--key", "forged.key"]), " 000");
    // What a client writes is not a certificate.
    let lie = get(gate.address("plain"), "/", &["client-cert: :AAAA:", "x-client-cert: robot"]);
    assert_eq!(lie.json()["code"], "auth.missing");
}
