//! Bodies that are changed and checked on their way, as a client and an upstream see them.

use e2e::client::{Client, call, get};
use e2e::{Gate, Upstream, response};

fn gate(upstream: &Upstream, api: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, {api}, to: u }}]
"#,
        upstream.address
    ))
}

const JSON: &str = "content-type: application/json";

#[test]
fn both_sides_of_an_exchange_are_changed() {
    let upstream = Upstream::start(|seen| {
        let kind = if seen.line.contains(" /plain") { "text/plain" } else { "application/json" };
        let body =
            if seen.line.contains(" /broken") { "{\"a\":" } else { r#"{"n": 1.0, "secret": 2, "list": [{"a": 1}]}"# };
        Some(response("200 OK", &format!("content-type: {kind}\r\netag: \"x\"\r\n"), body))
    });
    let gate = gate(
        &upstream,
        "policies: { transform: { request: { from: [json, xml, form], map: [{ rename: { old: new } }] },
                                  response: { map: [{ remove: [secret] }, { rename: { 'list.*.a': b } }] } } }",
    );
    let address = gate.address("public");
    let answer = call(address, "POST", "/", &[JSON, "range: bytes=0-1"], r#"{"x": 1e2, "old": "a"}"#);
    assert_eq!(answer.text(), r#"{"n":1.0,"list":[{"b":1}]}"#);
    assert_eq!((answer.header("etag"), answer.header("content-length")), (Some("W/\"x\""), Some("26")));
    call(address, "POST", "/", &["content-type: application/xml"], "<r><a>1</a></r>");
    call(address, "POST", "/", &["content-type: application/x-www-form-urlencoded"], "old=1&b=2");
    let seen = upstream.seen();
    let bodies: Vec<_> = seen.iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
    assert_eq!(bodies, [r#"{"x":1e2,"new":"a"}"#, r#"{"r":{"a":"1"}}"#, r#"{"new":"1","b":"2"}"#]);
    assert_eq!((seen[0].header("range"), seen[1].header("content-type")), (None, Some("application/json")));

    let bad = call(address, "POST", "/", &[JSON], "{\"a\":\n  nil}");
    assert_eq!((bad.status, bad.json()["code"].as_str()), (400, Some("transform.malformed")));
    assert!(bad.json()["detail"].as_str().unwrap().contains("line 2, column 3"), "{}", bad.text());
    assert_eq!(upstream.seen().len(), 3, "what is refused does not reach the upstream");
    let broken = get(address, "/broken", &[]);
    assert_eq!((broken.status, broken.json()["code"].as_str()), (502, Some("transform.bad_response")));
    assert!(get(address, "/plain", &[]).text().contains("secret"), "what is not JSON passes");
}

#[test]
fn a_body_in_pieces_is_changed_like_one_in_one() {
    let upstream = Upstream::start(|seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        let chunks: String = body.split_inclusive(',').map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        Some(format!("{head}{chunks}0\r\n\r\n").into_bytes())
    });
    let gate = gate(
        &upstream,
        "policies: { compress: { min_size: 1B }, transform: { request: { map: [set: { a: 1 }] }, response: { map: [set: { b: 2 }] } } }",
    );
    let mut client = Client::connect(gate.address("public"));
    client.send(
        "POST / HTTP/1.1\r\nhost: gate.test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for part in ["{\"x\": [1, ", "2], ", "\"y\": 3}"] {
        client.send(format!("{:x}\r\n{part}\r\n", part.len()));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.read().unwrap().text(), r#"{"x":[1,2],"y":3,"a":1,"b":2}"#);
}
