use super::config::{Config, Plan, Site, route_paths};
use super::*;

fn certificate(dir: &Path) -> certificate::Files {
    certificate::make(dir).unwrap()
}

#[test]
fn every_template_can_be_filled_in() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certificate(dir.path());
    let token = token::make().unwrap();
    let upstream = "127.0.0.1:4711".parse().unwrap();
    let site = Site { upstream, certificate: &certificate, token: &token, redis: 4712 };
    for spec in &PEERS {
        for (setup, files) in spec.files {
            let plan = Plan { setup: *setup, routes: 25 };
            let config = Config::write(spec, plan, site, &dir.path().join(spec.name)).unwrap();
            let texts = files.iter().map(|(name, _)| std::fs::read_to_string(config.dir.join(name)).unwrap());
            let all = texts.collect::<String>();
            assert!(!all.contains("{{"), "{} {setup:?}", spec.name);
            let port = spec.args.iter().any(|arg| arg.contains("{port}")) || all.contains(&config.port.to_string());
            assert!(port && all.contains("4711"), "{} {setup:?}", spec.name);
            if *setup == Routes {
                assert!(config.text(3).unwrap().contains("\"r3\""), "{}", spec.name);
            }
        }
    }
}

#[test]
fn routes_and_the_paths_asked_for_agree() {
    let paths: Vec<String> = route_paths(12).collect();
    assert_eq!((paths.len(), paths[0].as_str(), paths[11].as_str()), (12, "/a0/r0/42", "/a1/r1/42"));
    let dir = tempfile::tempdir().unwrap();
    let certificate = certificate(dir.path());
    let token = token::make().unwrap();
    let upstream = "127.0.0.1:4711".parse().unwrap();
    let site = Site { upstream, certificate: &certificate, token: &token, redis: 4712 };
    for spec in PEERS.iter().filter(|spec| spec.files(Routes).is_some()) {
        let config = Config::write(spec, Plan { setup: Routes, routes: 12 }, site, dir.path()).unwrap();
        let text = config.text(0).unwrap();
        assert!(text.contains("/a1") && text.contains("/r1/") && !text.contains("/a2"), "{}", spec.name);
    }
}

#[test]
fn versions() {
    for (text, expected) in [
        ("nginx version: nginx/1.22.1\n", "1.22.1"),
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", "2.6.12-1+deb12u4"),
        ("envoy  version: 3f2a/1.39.0/Clean/RELEASE/BoringSSL", "1.39.0"),
        ("Version:      3.7.1\nCodename: x", "3.7.1"),
        ("v2.11.7 h1:abc=", "2.11.7"),
        ("", "version unknown"),
    ] {
        assert_eq!(number_in(text), expected);
    }
}

#[test]
fn an_unknown_peer_is_refused() {
    let error = find(Suite::Proxy, &["nginks".to_owned()], None).unwrap_err().to_string();
    assert!(error.contains("nginks") && error.contains("haproxy"), "{error}");
}

#[test]
fn a_suite_has_its_own_peers() {
    for (suite, has, has_not) in [(Suite::Proxy, "nginx", "litellm"), (Suite::Ai, "litellm", "nginx")] {
        let peers: Vec<&str> = PEERS.iter().filter(|spec| spec.has(suite)).map(|spec| spec.name).collect();
        assert!(peers.contains(&has) && peers.contains(&"tollgate") && !peers.contains(&has_not), "{peers:?}");
    }
}

#[test]
fn what_callers_send_stands_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, token) = (certificate(dir.path()), token::make().unwrap());
    let site =
        Site { upstream: "127.0.0.1:4711".parse().unwrap(), certificate: &certificate, token: &token, redis: 4712 };
    let spec = PEERS.iter().find(|spec| spec.name == "portkey").unwrap();
    for (setup, vendor) in [(Chat, "openai"), (Translate, "anthropic")] {
        let config = Config::write(spec, Plan { setup, routes: 0 }, site, dir.path()).unwrap();
        assert!(config.headers.iter().any(|(name, value)| name == "x-portkey-provider" && value == vendor));
    }
}

#[test]
fn the_version_of_a_package() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("build/start.js");
    std::fs::create_dir(dir.path().join("build")).unwrap();
    std::fs::write(&program, "").unwrap();
    std::fs::write(dir.path().join("package.json"), "{\n  \"name\": \"x\",\n  \"version\": \"1.15.2\"\n}").unwrap();
    assert_eq!(package_version(&program).as_deref(), Some("1.15.2"));
}
