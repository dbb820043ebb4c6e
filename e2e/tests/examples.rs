//! Every example is good, and the one that `make run` starts does what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::client::{Client, get};
use e2e::{Gate, binary};

/// All of them, by name, so that a new one is not forgotten here.
const EXAMPLES: &[&str] = &[
    "minimal.yaml",
    "keys-and-limits.yaml",
    "tls.yaml",
    "routing.yaml",
    "error-pages.yaml",
    "identity.yaml",
    "tokens.yaml",
    "limits.yaml",
    "token-server.yaml",
    "login.yaml",
    "models.yaml",
    "upstreams.yaml",
    "shaping.yaml",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn examples_have_no_problems() {
    let mut paths: Vec<PathBuf> = EXAMPLES.iter().map(|name| root().join("examples").join(name)).collect();
    paths.push(root().join("tollgate.yaml"));
    for path in paths {
        let check = Command::new(binary()).args(["check", "--offline", "--config"]).arg(&path).output().unwrap();
        assert!(check.status.success(), "{}:\n{}", path.display(), String::from_utf8_lossy(&check.stderr));
    }
}

#[test]
fn what_make_run_starts_does_what_its_front_page_says() {
    let text = std::fs::read_to_string(root().join("tollgate.yaml")).unwrap();
    // The same file on free ports.
    let demo = [e2e::Upstream::text("from the first"), e2e::Upstream::text("from the second")];
    let text = text
        // One worker, so that the turns of the balance are those of one.
        .replace("version: 1\n", "version: 1\nworkers: 1\n")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9001", &demo[0].address.to_string())
        .replace("127.0.0.1:9002", &demo[1].address.to_string());
    let gate = Gate::start(&text);
    let address = gate.address("public");
    let front = get(address, "/", &[]);
    assert_eq!((front.status, front.header("content-type")), (200, Some("text/plain")));
    assert!(front.text().contains("curl -i http://gate.test:8080/echo/hello?x=1"), "{}", front.text());
    assert!(front.header("x-request-id").is_some());
    assert_eq!(get(address, "/echo/hello?x=1", &[]).json()["path"], "/echo/hello");
    let moved = get(address, "/old/stream", &[]);
    assert_eq!((moved.status, moved.header("location")), (308, Some("/demo/stream")));
    for _ in 0..30 {
        assert_eq!(get(address, "/demo/", &[]).status, 200);
    }
    assert_eq!([demo[0].seen().len(), demo[1].seen().len()], [20, 10], "weights 2 and 1, smoothly");
    assert_eq!(demo[0].seen()[0].header("x-gate"), Some("tollgate"));
    assert_eq!(get(address, "/private/", &[]).status, 401);
    let mut client = Client::connect(address);
    let keyed = "GET /private/ HTTP/1.1\r\nhost: a\r\nx-api-key: demo-key-0123456789\r\n\r\n";
    let statuses: Vec<u16> = (0..6).map(|_| client.call(keyed).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
}

#[test]
fn the_demo_upstream_answers() {
    let mut child =
        Command::new(binary()).args(["demo-upstream", "0"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stderr.take().unwrap()), &mut line).unwrap();
    let address = line.trim().rsplit('/').next().unwrap().parse().unwrap();
    for (path, status, part) in [
        ("/hello?x=1", 200, "\"path\": \"/hello\""),
        ("/status/418", 418, "\"status\": 418"),
        ("/status/1", 400, "/status/200"),
        ("/bytes/5", 200, "xxxxx"),
        ("/delay/1", 200, "\"delayed_ms\": 1"),
    ] {
        let answer = get(address, path, &[]);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
