//! The operations port: what it shows, whom it answers, and what it changes where.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output};

use e2e::client;
use e2e::{Gate, PATIENCE, Upstream};

use super::{configuration, metric, operations, until};

/// What the socket answers to these bytes, until it closes.
pub(super) fn over(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("it connects");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_is_read_only_over_tcp_and_says_what_there_is() {
    let upstream = Upstream::text("hello");
    let more = "operations: { address: '127.0.0.1:0', hosts: [Gate.internal] }\n";
    let gate = Gate::start(&configuration(upstream.address, more));
    let port = gate.address("operations");
    for (host, status) in [
        ("127.0.0.1", 200),
        ("localhost:9901", 200),
        ("gate.Internal", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ] {
        assert_eq!(client::get(port, "/metrics", &[&format!("host: {host}")]).status, status, "{host}");
    }
    for path in ["/healthz", "/readyz", "/healthz?verbose"] {
        for header in ["host: balancer.example", "host: x\r\naccept: application/json"] {
            let answer = client::get(port, path, &[header]);
            assert_eq!(answer.status, 200, "{path}");
            assert!(["ok\n", "ready\n"].contains(&answer.text().as_str()), "{}", answer.text());
        }
    }
    for (method, path, status, allow) in [
        ("GET", "/", 200, None),
        ("GET", "/healthz", 200, None),
        ("GET", "/readyz", 200, None),
        ("POST", "/metrics", 405, Some("GET, HEAD")),
        ("DELETE", "/config", 405, Some("GET, HEAD")),
        ("PUT", "/upstreams", 405, Some("GET, HEAD")),
        ("POST", "/log/level", 405, Some("GET, HEAD, PUT")),
        ("PUT", "/log/level", 403, None),
        ("GET", "/nothing", 404, None),
        ("POST", "/nothing", 404, None),
        ("GET", "/metrics/", 404, None),
        ("GET", "/explain", 400, None),
        ("GET", "/explain?url=http://x/&verb=GET", 400, None),
    ] {
        let answer = client::call(port, method, path, &["host: localhost"], "");
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
        if status >= 400 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.json()["status"], status);
        }
        if status == 404 {
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            let index = operations(&gate, "/", &[]).text();
            let paths = index.split_whitespace().filter(|word| word.starts_with('/') && word.len() > 1);
            for path in paths {
                assert!(detail.contains(path), "{path} is not in {detail}");
            }
        }
    }
    // The list of hosts follows a reload.
    let text = configuration(upstream.address, &more.replace("Gate.internal", "other.internal"));
    gate.reload(&text);
    assert_eq!(client::get(port, "/metrics", &["host: gate.internal"]).status, 403);
    assert_eq!(client::get(port, "/metrics", &["host: other.internal"]).status, 200);
}

#[test]
fn the_socket_belongs_to_its_user_and_goes_with_the_process() {
    let upstream = Upstream::text("hello");
    let folder = tempfile::tempdir().unwrap();
    // A gateway that was killed left it behind.
    drop(UnixListener::bind(folder.path().join("tollgate.sock")).unwrap());
    let operations_at = format!("{{ address: '127.0.0.1:0', socket: {}/tollgate.sock }}", folder.path().display());
    let more = format!("operations: {operations_at}\nlog: {{ level: warn }}\n");
    let gate = Gate::start(&configuration(upstream.address, &more));
    let socket = folder.path().join("tollgate.sock");
    let about = std::fs::metadata(&socket).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    let answer = over(&socket, "GET /readyz HTTP/1.1\r\nhost: anything\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ready\n"), "{answer}");
    let answer =
        over(&socket, "PUT /log/level HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: close\r\n\r\ndebug");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("debug\n"), "{answer}");
    assert_eq!(operations(&gate, "/log/level", &[]).text(), "debug\n");
    assert_eq!(gate.leave().status.code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn no_secret_is_shown_anywhere() {
    let upstream = Upstream::text("hello");
    let more = "  - name: headed
    path: /headed
    tags: ['${env:TAG}', '${file:tag}']
    policies: { headers: { request: { set: { authorization: s3cret-of-header, x-gate: tollgate } } } }
    to: up
consumers: [{ name: mobile, credentials: [{ key: s3cret-of-mobile }] }]
";
    let good = configuration(upstream.address, more);
    let gate = Gate::start_with(&good, &[("tag", "s3cret-of-file")], &[("TAG", "s3cret-of-env")]);
    assert_eq!(client::get(gate.address("public"), "/headed", &["x-api-key: s3cret-of-mobile"]).status, 200);
    let shown = operations(&gate, "/config", &[]).json();
    assert_eq!(shown["revision"], 1);
    assert_eq!(shown["hash"], operations(&gate, "/healthz?verbose", &[]).json()["hash"]);
    let written = &shown["configuration"];
    assert_eq!(written["consumers"][0]["credentials"][0]["key"], "***");
    assert_eq!(written["apis"][1]["tags"], serde_json::json!(["***", "***"]));
    let set = &written["apis"][1]["policies"]["headers"]["request"]["set"];
    assert_eq!((&set["authorization"], &set["x-gate"]), (&"***".into(), &"tollgate".into()));
    assert_eq!(written["upstreams"][0]["targets"][0]["url"], format!("http://{}", upstream.address));

    // What is wrong stands in the very line that has the key.
    gate.rewrite(&good.replace("s3cret-of-mobile }", "s3cret-of-mobile, colour: red }"));
    gate.until_said("not reloaded");
    until("the refusal is known", || metric(&gate, r#"tollgate_reloads_total{result="refused"}"#) == 1.0);
    for path in ["/healthz?verbose", "/config", "/metrics", "/upstreams", "/explain?url=http://x/headed"] {
        let text = operations(&gate, path, &[]).text();
        assert!(!text.contains("s3cret"), "{path}: {text}");
    }
    let left = gate.leave();
    assert!(left.said.contains("colour"), "{}", left.said);
    assert!(!left.said.contains("s3cret"), "{}", left.said);
}

#[test]
fn a_refused_reload_is_seen_in_log_metric_and_health() {
    let upstream = Upstream::text("hello");
    let good = configuration(upstream.address, "");
    let gate = Gate::start(&good);
    gate.rewrite(&good.replace("to: up }", "to: ups }"));
    gate.until_said("not reloaded");
    until("it is counted", || metric(&gate, r#"tollgate_reloads_total{result="refused"}"#) == 1.0);
    let problem = "unknown upstream `ups`";
    until("it is said", || gate.said().contains(problem));
    let health = operations(&gate, "/healthz?verbose", &[]).json();
    assert_eq!((&health["status"], &health["revision"]), (&"ok".into(), &1.into()));
    assert_eq!(health["reload"]["status"], "refused");
    let problems = health["reload"]["problems"].as_str().unwrap();
    assert!(problems.contains(problem) && problems.contains("tollgate.yaml:10:"), "{problems}");
    assert!(problems.contains("did you mean `up`?"), "{problems}");
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);

    gate.reload(&configuration(upstream.address, "x-turn: 1\n"));
    let health = operations(&gate, "/healthz", &["accept: application/json"]).json();
    assert_eq!((&health["revision"], &health["reload"]["status"]), (&2.into(), &"ok".into()));
    assert_eq!(health["reload"].get("problems"), None);
    assert_eq!(metric(&gate, r#"tollgate_reloads_total{result="applied"}"#), 2.0);
    assert_eq!(metric(&gate, "tollgate_config_revision"), 2.0);
    let shown = operations(&gate, "/config", &[]).json();
    assert_eq!((&shown["revision"], &shown["hash"]), (&2.into(), &health["hash"]));
    assert_eq!(metric(&gate, &format!("tollgate_config_info{{hash={}}}", health["hash"])), 1.0);

    gate.rewrite(&configuration(upstream.address, "").replace("workers: 2", "workers: 1"));
    gate.until_said("these are taken at the next start");
    let health = operations(&gate, "/healthz?verbose", &[]).json();
    assert_eq!(health["needs_restart"], serde_json::json!(["workers"]));
}

#[test]
fn upstreams_are_shown_as_they_stand() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, ""));
    let addresses = || operations(&gate, "/upstreams", &[]).json()["upstreams"][0]["targets"][0]["addresses"].clone();
    assert_eq!(addresses()[0]["address"], upstream.address.to_string());
    (0..3).for_each(|_| assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200));
    until("the connections are idle", || addresses()[0]["idle"] == addresses()[0]["connections"]);
    let shown = addresses();
    assert_eq!((&shown[0]["requests"], &shown[0]["in_flight"]), (&3.into(), &0.into()));
    assert_eq!((&shown[0]["errors"], &shown[0]["connect_errors"]), (&0.into(), &0.into()));
    assert_eq!(shown[0]["connects"], upstream.connections());
    assert_eq!(operations(&gate, "/upstreams", &[]).json()["upstreams"][0]["name"], "up");
}

#[test]
fn explain_says_the_same_on_the_running_gateway() {
    let upstream = Upstream::text("hello");
    let text = configuration(upstream.address, "").replace("route_", "");
    let gate = Gate::start(&text.replace("path: /web\n", "path: /web\n    policies: { request_id: {} }\n"));
    let gateway = format!("http://{}", gate.address("operations"));
    let run = |words: &[&str]| -> Output {
        let mut command = Command::new(e2e::binary());
        command.current_dir(gate.folder()).arg("explain").args(words);
        command.output().expect("the binary runs")
    };
    for question in [
        &["GET", "http://any.test/web/call?q=1", "-H", "x-a: b & c=d"][..],
        &["POST", "http://any.test/web/no", "--client", "10.1.2.3", "--listener", "public"],
        &["GET", "http://any.test/nothing"],
    ] {
        for json in [&[][..], &["--json"]] {
            let offline = run(&[question, json].concat());
            assert_eq!(offline.status.code(), Some(0), "{offline:?}");
            let running = run(&[question, json, &["--gateway", &gateway]].concat());
            assert_eq!(running.status.code(), Some(0), "{running:?}");
            assert_eq!(String::from_utf8_lossy(&running.stdout), String::from_utf8_lossy(&offline.stdout));
            assert!(!running.stdout.is_empty());
        }
    }
    for (words, code, why) in [
        (&["GET", "http://x/", "--gateway", "http://127.0.0.1:1"][..], 1, "cannot reach 127.0.0.1:1"),
        (&["GET", "http://x/", "--listener", "none", "--gateway", &gateway], 2, "none"),
        (&["GET", "no url", "--gateway", &gateway], 2, "is not a URL"),
    ] {
        let wrong = run(words);
        let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(wrong.status.code() == Some(code) && said.contains(why), "{words:?}: {said}");
    }
    // It is the program that runs, and not the file: a file with a problem changes nothing.
    std::fs::write(gate.folder().join("tollgate.yaml"), "version: 2\n").unwrap();
    gate.until_said("not reloaded");
    assert_eq!(run(&["GET", "http://x/web/call"]).status.code(), Some(1));
    let running = run(&["GET", "http://x/web/call", "--gateway", &gateway]);
    assert!(String::from_utf8_lossy(&running.stdout).contains("call"), "{running:?}");
}

#[test]
fn readiness_ends_before_accepting_does() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "drain: { delay: 20s }\n"));
    assert_eq!(operations(&gate, "/readyz", &[]).status, 200);
    gate.signal("TERM");
    until("it is not ready any more", || operations(&gate, "/readyz", &[]).status == 503);
    assert_eq!(operations(&gate, "/readyz", &[]).json()["code"], "operations.draining");
    assert_eq!(operations(&gate, "/healthz", &[]).status, 200);
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    // A second signal cuts the delay short.
    assert_eq!(gate.leave().status.code(), Some(0));
}
