//! Signed requests, by tools that sign: curl as AWS has it, openssl for HTTP Message Signatures.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use e2e::client::call;
use e2e::{Gate, Upstream};

/// What a program prints, given this.
fn run(folder: &Path, program: &str, words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {words:?}");
    output.stdout
}

/// Base64 by openssl.
fn base64(folder: &Path, bytes: &[u8]) -> String {
    String::from_utf8(run(folder, "openssl", &["base64", "-A"], bytes)).unwrap()
}

#[test]
fn curl_signs_as_aws_has_it() {
    let upstream = Upstream::text("in");
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, access: identified, policies: {{ hmac_auth: {{}} }}, to: u }}]
consumers: [{{ name: shop, credentials: [{{ hmac: {{ id: SHOPKEY, secret: a-secret-of-the-shop }} }}] }}]
"#,
        upstream.address
    ));
    let url = |path: &str| format!("http://{}{path}", gate.address("public"));
    let curl = |secret: &str, words: &[&str]| {
        let user = format!("SHOPKEY:{secret}");
        // Without a name of its own, some versions of curl sign the host without its port, and send it with.
        let common =
            ["--header", "host: shop.test", "--silent", "--max-time", "20", "--write-out", " %{response_code}"];
        let signing = ["--aws-sigv4", "aws:amz:eu-1:shop", "--user", &user];
        let words: Vec<&str> = common.iter().chain(&signing).chain(words).copied().collect();
        String::from_utf8(run(gate.folder(), "curl", &words, b"")).unwrap()
    };
    assert_eq!(curl("a-secret-of-the-shop", &[&url("/orders/7")]), "in 200");
    assert_eq!(curl("a-secret-of-the-shop", &[&url("/orders?a=1%20x&b=2")]), "in 200");
    assert_eq!(curl("a-secret-of-the-shop", &["--data", "{\"a\":1}", &url("/orders")]), "in 200");
    assert!(upstream.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert_eq!(upstream.seen().last().unwrap().body, b"{\"a\":1}");
    let wrong = curl("another-secret-of-the-shop", &[&url("/orders/7")]);
    assert!(wrong.contains("hmac_auth.invalid") && wrong.ends_with(" 401"), "{wrong}");
    let said = gate.leave();
    assert!(!said.said.contains("a-secret") && !said.output.contains("a-secret"));
    assert!(said.output.contains("the signature is not of this request by this key"), "{}", said.output);
}

#[test]
fn a_message_signature_holds_for_this_request_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |words: &[&str], input: &[u8]| run(folder.path(), "openssl", words, input);
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"], b"");
    let public = String::from_utf8(openssl(&["pkey", "-in", "key.pem", "-pubout"], b"")).unwrap();
    let gate = Gate::start_with(
        r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis:
  - name: a
    access: identified
    policies: { hmac_auth: { required: ["@method", "@path", "@query"], nonce: required, digest: required } }
    to: { respond: { body: "{{ auth.consumer.name }}" } }
consumers: [{ name: partner, credentials: [{ public_key: { id: partner-1, pem: "${file:public.pem}" } }] }]
"#,
        &[("public.pem", &public)],
        &[],
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let body = r#"{"pay":7}"#;
    let digest = base64(folder.path(), &openssl(&["dgst", "-sha256", "-binary"], body.as_bytes()));
    let digest = format!("sha-256=:{digest}:");
    let list = format!(
        r#"("@method" "@path" "@query" "content-digest");created={now};keyid="partner-1";nonce="n-1";alg="ed25519""#
    );
    let base = format!(
        "\"@method\": POST\n\"@path\": /pay\n\"@query\": ?a=1\n\"content-digest\": {digest}\n\"@signature-params\": {list}"
    );
    std::fs::write(folder.path().join("base"), base).unwrap();
    let value = openssl(&["pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "base"], b"");
    let fields = [
        format!("content-digest: {digest}"),
        format!("signature-input: pay={list}"),
        format!("signature: pay=:{}:", base64(folder.path(), &value)),
    ];
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let ask = |path: &str, body: &str| {
        let answer = call(gate.address("public"), "POST", path, &fields, body);
        if answer.status == 200 { answer.text() } else { answer.json()["code"].as_str().unwrap().to_owned() }
    };
    assert_eq!(ask("/pay?a=2", body), "hmac_auth.invalid");
    assert_eq!(ask("/pay?a=1", body), "partner");
    assert_eq!(ask("/pay?a=1", body), "hmac_auth.replayed");
    assert_eq!(call(gate.address("public"), "POST", "/pay?a=1", &[], body).json()["code"], "auth.missing");
}
