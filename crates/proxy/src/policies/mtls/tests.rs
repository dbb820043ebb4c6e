use http::Request;
use serde_json::Value;

use crate::exchange::testing::{LOCAL, PEER, answer_to, environment, exchange_by, program_in, try_program};
use crate::exchange::{Body, ClientCertificate, Connection, Tls};
use crate::program::ListenerSlot;

/// One listener with certificates of its own would need files; the policy only asks that one is asked for.
fn configuration(policy: &str, identify: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policies/mtls");
    format!(
        r#"
version: 1
listeners:
  - {{ name: public, address: "127.0.0.1:0" }}
  - name: machines
    address: "127.0.0.1:0"
    tls:
      certificates: [{{ certificate: "{folder}/absent.pem", key: "{folder}/absent.key" }}]
      client_certificates: {{ ca: "{folder}/absent.pem" }}
apis:
  - {{ name: a, access: identified, identify: {{ mode: {identify} }}, policies: {{ mtls: {policy}, key_auth: {{}} }}, to: {{ echo: {{}} }} }}
consumers:
  - {{ name: robot, credentials: [{{ certificate: {{ spiffe: "spiffe://example.com/robot" }} }}, {{ key: robot-key }}] }}
  - {{ name: meter, credentials: [{{ certificate: {{ san: meter.example.com }} }}, {{ certificate: {{ san: meter.local }} }}] }}
  - {{ name: press, credentials: [{{ certificate: {{ subject: "CN=press,O=Example" }} }}] }}
  - {{ name: kiosk, credentials: [{{ certificate: {{ fingerprint: "{}" }} }}] }}
  - {{ name: late, credentials: [{{ expires: "1970-01-01T00:00:00Z", certificate: {{ san: late.example.com }} }}] }}
  - {{ name: revoked, credentials: [{{ enabled: false, certificate: {{ san: revoked.example.com }} }}] }}
"#,
        "AB".repeat(32)
    )
}

fn shown(subject: &str, names: &[&str], fingerprint: &str) -> Option<ClientCertificate> {
    Some(ClientCertificate {
        der: bytes::Bytes::new(),
        subject: subject.to_owned(),
        issuer: "CN=ca".to_owned(),
        serial: "0a".to_owned(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        fingerprint: fingerprint.to_owned(),
    })
}

fn ask(policy: &str, identify: &str, client: Option<ClientCertificate>, key: Option<&str>) -> (u16, String) {
    let env = crate::program::Environment { offline: true, ..environment() };
    let program = program_in(&configuration(policy, identify), &env);
    let tls = Tls { version: "TLSv1.3", cipher: String::new(), server_name: None, client };
    let connection = Connection::new(ListenerSlot(0), PEER, LOCAL, Some(Box::new(tls)));
    let request = key.iter().fold(Request::get("/"), |request, key| request.header("x-api-key", *key));
    let x = exchange_by(&program, connection, request.body(Body::Empty).unwrap());
    let (head, body) = answer_to(x).into_parts();
    let body: Value = serde_json::from_slice(&body).unwrap();
    (head.status.as_u16(), body["consumer"].as_str().or(body["code"].as_str()).unwrap().to_owned())
}

#[test]
fn a_certificate_names_its_consumer() {
    let fingerprint = "ab".repeat(32);
    for (policy, client, key, expected) in [
        ("{}", shown("CN=r", &["spiffe://example.com/robot"], "00"), None, (200, "robot")),
        ("{}", shown("CN=r", &["x", "meter.local", "meter.example.com"], "00"), None, (200, "meter")),
        ("{}", shown("CN=press,O=Example", &[], "00"), None, (200, "press")),
        // A name says more than the subject, and the fingerprint more than both.
        ("{}", shown("CN=press,O=Example", &["meter.local"], "00"), None, (200, "meter")),
        ("{}", shown("CN=press,O=Example", &["meter.local"], &fingerprint), None, (200, "kiosk")),
        ("{}", shown("CN=r", &["meter.local", "spiffe://example.com/robot"], "00"), None, (400, "mtls.ambiguous")),
        ("{}", shown("CN=press", &["spiffe://example.com/robot/2"], "00"), None, (401, "mtls.unknown")),
        ("{}", shown("CN=r", &["revoked.example.com"], "00"), None, (401, "mtls.unknown")),
        ("{}", shown("CN=r", &["late.example.com"], "00"), None, (401, "auth.credential_expired")),
        ("{ unknown: ignore }", shown("CN=press", &[], "00"), None, (401, "auth.missing")),
        ("{ unknown: ignore }", shown("CN=press", &[], "00"), Some("robot-key"), (200, "robot")),
        ("{}", None, None, (401, "auth.missing")),
        ("{}", None, Some("robot-key"), (200, "robot")),
        ("{}", shown("CN=press,O=Example", &[], "00"), Some("robot-key"), (400, "auth.conflict")),
    ] {
        let (status, what) = ask(policy, "any", client, key);
        assert_eq!((status, &*what), expected, "{policy} {key:?}");
    }
    let robot = || shown("CN=r", &["spiffe://example.com/robot"], "00");
    assert_eq!(ask("{}", "all", robot(), None), (401, "auth.missing".to_owned()));
    assert_eq!(ask("{}", "all", robot(), Some("robot-key")), (200, "robot".to_owned()));
}

#[test]
fn certificates_that_nobody_asks_for_are_a_problem() {
    let yaml = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis: [{ name: a, policies: { mtls: {} }, to: { echo: {} } }]
"#;
    let problems = try_program(yaml, &environment()).err().unwrap_or_default();
    assert!(problems.contains("no listener asks clients for a certificate"), "{problems}");
}
