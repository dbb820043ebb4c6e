use http::Request;

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(matches: &str, redirect: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, routes: [{{ match: {matches}, to: {{ redirect: {redirect} }} }}] }}]
"#
    )
}

fn location(matches: &str, redirect: &str, target: &str) -> (u16, String) {
    let request = Request::get(target).header("host", "old.example.com:8080").body(Body::Empty).unwrap();
    let answer = answer(&program(&configuration(matches, redirect)), request);
    let location = answer.headers().get("location").map_or("", |value| value.to_str().unwrap());
    (answer.status().as_u16(), location.to_owned())
}

#[test]
fn it_sends_elsewhere() {
    for (redirect, target, status, expected) in [
        ("{ to: /new }", "/old", 302, "/new"),
        ("{ to: /new, status: 308 }", "/old?a=1", 308, "/new?a=1"),
        ("{ to: /new, query: drop }", "/old?a=1", 302, "/new"),
        ("{ to: '/new?b=2' }", "/old?a=1", 302, "/new?b=2&a=1"),
        ("{ to: '/new#top' }", "/old?a=1", 302, "/new?a=1#top"),
        ("{ to: 'https://example.com{request.path}', status: 301 }", "/a/b?c", 301, "https://example.com/a/b?c"),
        ("{ to: '{request.scheme}://www.{request.host}/' }", "/a", 302, "http://www.old.example.com/"),
        ("{ scheme: https }", "/a?b", 302, "https://old.example.com/a?b"),
        ("{ scheme: https, port: 8443, status: 307 }", "/a", 307, "https://old.example.com:8443/a"),
        ("{ host: new.example.com }", "/a", 302, "http://new.example.com/a"),
        ("{ host: new.example.com, path: /x, query: drop }", "/a?b", 302, "http://new.example.com/x"),
        ("{ path: '/v2{request.path}', status: 303 }", "/a", 303, "/v2/a"),
    ] {
        assert_eq!(location("{}", redirect, target), (status, expected.to_owned()), "{redirect} {target}");
    }
}

#[test]
fn captures_are_put_in_as_they_came() {
    for (matches, redirect, target, expected) in [
        ("{ path: '/old/{id}' }", "{ to: '/new/{id}' }", "/old/7?a=1", "/new/7?a=1"),
        ("{ path: '/old/{id}' }", "{ to: '/new/{id}/x' }", "/old/a%20b", "/new/a%20b/x"),
        (
            "{ path: '/old/{rest*}' }",
            "{ to: 'https://new.example.com/{rest}' }",
            "/old/a/b",
            "https://new.example.com/a/b",
        ),
        ("{ regex: '/(?P<y>[0-9]{4})/(?P<m>[0-9]+)' }", "{ to: '/{m}-{y}' }", "/2024/05", "/05-2024"),
        // A `Location` is ASCII, and so is what the client adds to it.
        ("{}", "{ to: /a }", "/b?c={d}|e\u{e9}", "/a?c=%7Bd%7D%7Ce%C3%A9"),
        ("{ path: '/u/{id}' }", "{ to: '/caf\u{e9}/{id} <x>' }", "/u/7", "/caf%C3%A9/7%20%3Cx%3E"),
    ] {
        assert_eq!(location(matches, redirect, target).1, expected, "{redirect} {target}");
    }
}

#[test]
fn a_location_never_leads_to_a_host_that_the_client_chose() {
    for (redirect, target, expected) in [
        ("{ path: '{request.path}' }", "//evil.example/x", "/evil.example/x"),
        ("{ path: '{request.path}' }", "/\\evil.example", "/%5Cevil.example"),
        ("{ to: '{request.path}/' }", "///evil.example", "/evil.example/"),
    ] {
        assert_eq!(location("{}", redirect, target).1, expected, "{redirect} {target}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (matches, redirect, says) in [
        ("{}", "{}", "leads back to where it came from"),
        ("{}", "{ to: /a, host: b }", "parts of one"),
        ("{}", "{ to: '' }", "not a URL"),
        ("{}", "{ to: 'a b' }", "not a URL"),
        ("{}", "{ to: 'https://caf\u{e9}.fr/{request.path}' }", "not ASCII"),
        ("{}", "{ host: 'caf\u{e9}.fr' }", "not a host"),
        ("{}", "{ to: /a, status: 304 }", "not a redirect"),
        ("{}", "{ to: '/{id}' }", "no route here captures `id`"),
        ("{ path: '/{id}' }", "{ to: '/{ip}' }", "did you mean `id`?"),
        ("{ path: '/{id}' }", "{ to: 'https://{id}/' }", "a capture names the host"),
        ("{ path: '/{id}' }", "{ to: '{id}' }", "a capture names the host"),
        ("{}", "{ to: '/{' }", "no partner"),
        ("{}", "{ path: a }", "begins with `/`"),
        ("{}", "{ host: 'a/b' }", "not a host"),
        ("{}", "{ host: 'user@b' }", "not a host"),
        ("{}", "{ port: 0, path: /a }", "port 0"),
        ("{}", "{ scheme: ftp }", "ftp"),
    ] {
        let problems = try_program(&configuration(matches, redirect), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{redirect}: {problems}");
    }
}
