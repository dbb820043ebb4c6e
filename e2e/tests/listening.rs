//! Listeners: address families, protocols by choice, sessions that are resumed, streams that are held back.

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::client::{Client, get};
use e2e::frames::{Frames, kind};
use e2e::{Authority, Gate, Held, Upstream, response};

#[test]
fn ipv6_and_both_families_at_once() {
    let upstream = Upstream::text("in");
    let gate = |address: &str| {
        Gate::start(&format!(
            r#"
version: 1
listeners: [{{ name: public, address: "{address}" }}]
trusted_proxies: ["::1/128"]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - {{ name: who, path: /who, to: {{ respond: {{ status: 200, body: "{{{{ client.address }}}}" }} }} }}
  - {{ name: a, to: u }}
"#,
            upstream.address
        ))
    };
    let six = gate("[::1]:0");
    let address = six.address("public");
    assert_eq!(address.ip(), Ipv6Addr::LOCALHOST);
    assert_eq!(get(address, "/who", &[]).text(), "::1");
    assert_eq!(get(address, "/who", &["x-forwarded-for: 2001:db8::7"]).text(), "2001:db8::7");
    assert_eq!(get(address, "/", &["host: [::1]:80", "forwarded: for=\"[2001:db8::7]:4711\""]).text(), "in");
    let seen = upstream.seen().remove(0);
    assert_eq!((seen.header("x-forwarded-for"), seen.header("x-forwarded-host")), (Some("::1"), Some("[::1]:80")));
    let forwarded = seen.header("forwarded").expect("it is added to");
    assert!(forwarded.contains("for=\"[2001:db8::7]:4711\", for=\"[::1]\""), "{forwarded}");

    // The unspecified IPv6 address takes IPv4 too, whose clients look like what they are.
    let any = gate("[::]:0");
    let port = any.address("public").port();
    for (address, client) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1")] {
        let address = SocketAddr::new(address.parse().unwrap(), port);
        assert_eq!(get(address, "/who", &[]).text(), client);
    }
}

#[test]
fn a_listener_speaks_its_protocols_and_no_others() {
    let only = |protocols: &str| {
        Gate::start(&format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", protocols: [{protocols}] }}]
apis: [{{ name: a, to: {{ respond: {{ status: 200, body: "{{{{ request.version }}}}" }} }} }}]
"#
        ))
    };
    let h1 = only("h1");
    assert_eq!(get(h1.address("public"), "/", &[]).text(), "1.1");
    let mut client = Frames::connect(h1.address("public"));
    assert!(client.until(kind::SETTINGS).is_none(), "no HTTP/2");
    let h2 = only("h2");
    let mut client = Frames::connect(h2.address("public"));
    client.ask(1, "GET", "/");
    assert_eq!(client.until(kind::DATA).map(|data| data.payload), Some(b"2".to_vec()));
    let mut client = Client::connect(h2.address("public"));
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.read().is_none(), "no HTTP/1");
    // An upgrade to h2c is not taken up (RFC 9113 section 3.1): the request is answered as it is.
    let both = only("h1, h2");
    let upgrade = ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA"];
    let answer = get(both.address("public"), "/", &upgrade);
    assert_eq!((answer.status, answer.text().as_str()), (200, "1.1"));
}

/// What openssl says of two handshakes, the second with the session of the first.
fn handshakes(gate: &Gate, version: &str, between: impl FnOnce()) -> [bool; 2] {
    let address = gate.address("public").to_string();
    let session = gate.folder().join("session");
    let shake = |words: [&str; 2]| {
        let mut openssl = Command::new("openssl")
            .args(["s_client", "-connect", &address, "-servername", "a.test", "-CAfile", "ca.pem", "-ign_eof", version])
            .args(words)
            .current_dir(gate.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed (`cargo xtask need openssl`)");
        // A whole exchange, as TLS 1.3 gives tickets after the handshake.
        let mut input = openssl.stdin.take().expect("it is piped");
        input.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").unwrap();
        let output = openssl.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("HTTP/1.1 200 OK") && said.contains("Verify return code: 0 (ok)"), "{said}");
        said.contains("Reused, TLSv")
    };
    let path = session.to_str().expect("a plain path");
    let first = shake(["-sess_out", path]);
    between();
    [first, shake(["-sess_in", path])]
}

#[test]
fn sessions_are_resumed_by_tickets_unless_these_are_off() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("a", &["a.test"]);
    let ca = authority.pem();
    let files = [("ca.pem", ca.as_str()), ("a.pem", &certificate), ("a.key", &key)];
    let text = |tickets: &str, body: &str| {
        format!(
            r#"
version: 1
listeners:
  - name: public
    address: "127.0.0.1:0"
    tls: {{ certificates: [{{ certificate: a.pem, key: a.key }}], session_tickets: {tickets} }}
apis: [{{ name: a, to: {{ respond: {{ status: 200, body: "{body}" }} }} }}]
"#
        )
    };
    let on = Gate::start_with(&text("on", "one"), &files, &[]);
    for version in ["-tls1_2", "-tls1_3"] {
        assert_eq!(handshakes(&on, version, || {}), [false, true], "{version}");
    }
    // Over a reload too, which changes nothing of TLS.
    assert_eq!(handshakes(&on, "-tls1_3", || on.reload(&text("on", "two"))), [false, true]);
    let off = Gate::start_with(&text("off", "one"), &files, &[]);
    for version in ["-tls1_2", "-tls1_3"] {
        // Without a ticket there may be no session to keep at all: then openssl has no file to read.
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handshakes(&off, version, || {})));
        assert_ne!(made.ok(), Some([false, true]), "{version}");
    }
}

#[test]
fn a_slow_upstream_holds_the_client_back() {
    let upstream = Held::start();
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u }}]
"#,
        upstream.address
    ));
    const LENGTH: usize = 256 << 20;
    let mut client = std::net::TcpStream::connect(gate.address("public")).unwrap();
    client.write_all(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n").as_bytes()).unwrap();
    let (mut stream, _) = upstream.accept();
    // The upstream reads nothing. What the gate and the kernel take must stop well short of the whole.
    client.set_nonblocking(true).unwrap();
    let chunk = vec![b'x'; 64 << 10];
    let (mut sent, mut idle_since) = (0, Instant::now());
    while sent < LENGTH && idle_since.elapsed() < Duration::from_millis(500) {
        match client.write(&chunk[..chunk.len().min(LENGTH - sent)]) {
            Ok(count) => {
                sent += count;
                idle_since = Instant::now();
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken although nobody reads");
    client.set_nonblocking(false).unwrap();
    let writer = std::thread::spawn(move || {
        while sent < LENGTH {
            let count = chunk.len().min(LENGTH - sent);
            client.write_all(&chunk[..count]).unwrap();
            sent += count;
        }
        Client::over(client)
    });
    let (mut read, mut buffer) = (0, vec![0; 256 << 10]);
    while read < LENGTH {
        read += stream.read(&mut buffer).expect("it goes on");
    }
    stream.write_all(&response("200 OK", "", "all of it")).unwrap();
    let answer = writer.join().unwrap().read().expect("an answer");
    assert_eq!(answer.text(), "all of it");
}

#[test]
fn apis_are_reached_by_their_listeners_only() {
    let gate = Gate::start(
        r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }, { name: inner, address: "127.0.0.1:0" }]
apis:
  - { name: everywhere, path: /all, to: { respond: { status: 200, body: "{{ connection.listener }}" } } }
  - { name: inside, path: /in, listeners: [inner], to: { respond: { status: 200, body: inside } } }
"#,
    );
    for (listener, path, status, body) in [
        ("public", "/all", 200, Some("public")),
        ("inner", "/all", 200, Some("inner")),
        ("inner", "/in", 200, Some("inside")),
        ("public", "/in", 404, None),
    ] {
        let answer = get(gate.address(listener), path, &[]);
        assert_eq!(answer.status, status, "{listener} {path}");
        assert!(body.is_none_or(|body| answer.text() == body), "{listener} {path}");
    }
}
