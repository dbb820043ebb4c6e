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
            assert!(all.contains(&config.port.to_string()) && all.contains("4711"), "{} {setup:?}", spec.name);
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
    let error = find(&["nginks".to_owned()], None).unwrap_err().to_string();
    assert!(error.contains("nginks") && error.contains("haproxy"), "{error}");
}
