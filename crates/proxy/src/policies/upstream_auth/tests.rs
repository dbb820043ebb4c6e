use http::Request;

use crate::exchange::Body;
use crate::exchange::testing::{environment, exchange_of, program, try_program};
use crate::policies::{Outcome, Verdict};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ upstream_auth: {policy} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

#[test]
fn what_is_fixed_replaces_what_the_client_shows() {
    for (policy, name, value) in [
        ("{ header: { name: x-key, value: s3cret } }", "x-key", "s3cret"),
        ("{ basic: { username: gate, password: 'a:b' } }", "authorization", "Basic Z2F0ZTphOmI="),
        ("{ bearer: t0ken }", "authorization", "Bearer t0ken"),
    ] {
        let program = program(&configuration(policy));
        let request = Request::get("/").header(name, "forged").header(name, "twice").body(Body::Empty).unwrap();
        let mut x = exchange_of(&program, request);
        let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
        assert!(matches!(plan.steps[0].step.request(&mut x), Verdict::Done(Outcome::Next)));
        let shown: Vec<_> = x.request.headers.get_all(name).iter().collect();
        assert_eq!(shown, [value]);
        assert!(shown[0].is_sensitive());
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    let server = "{ url: 'https://id.test/token', client: { id: a, secret: b } }";
    for (policy, says) in [
        ("{}".to_owned(), "one of `header`"),
        (format!("{{ bearer: a, client_credentials: {server} }}"), "one of `header`"),
        ("{ header: { name: 'x y', value: a } }".to_owned(), "not a header name"),
        ("{ header: { name: content-length, value: a } }".to_owned(), "set by the gateway itself"),
        ("{ header: { name: x, value: \"a\\nb\" } }".to_owned(), "control characters"),
        ("{ bearer: '' }".to_owned(), "the secret is empty"),
        ("{ basic: { username: 'a:b', password: c } }".to_owned(), "no colon"),
        ("{ client_credentials: { url: id.test, client: { id: a, secret: b } } }".to_owned(), "not an HTTP URL"),
        (
            "{ exchange: { url: 'https://id.test', client: { id: '', secret: b } } }".to_owned(),
            "an `id` and a `secret`",
        ),
        ("{ client_credentials: { url: 'https://id.test' } }".to_owned(), "client"),
    ] {
        let problems = try_program(&configuration(&policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
        assert!(!problems.contains("s3cret"));
    }
}

/// What AWS's published test suite has (the first two, `get-vanilla` and `get-vanilla-query-order-key-case`), and what
/// botocore 1.44 signs.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of signatures")]
fn signatures_are_those_of_aws() {
    use std::sync::atomic::Ordering::Relaxed;

    use crate::exchange::testing::program_in;
    use crate::program::Environment;

    let (service, s3) = ("service: service", "service: s3");
    let token = ", session_token: a-session-token";
    let short = "host;x-amz-date";
    for (service, token, method, target, body, fields, names, signature) in [
        (
            service,
            "",
            "GET",
            "/",
            "",
            &[][..],
            short,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            service,
            "",
            "GET",
            "/?Param2=value2&Param1=value1",
            "",
            &[],
            short,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            service,
            token,
            "POST",
            "/a%20b/%C3%BC/c",
            "{\"a\":1}",
            &[("x-amz-target", "T.Do  it"), ("x-amz-security-token", "forged"), ("x-amz-date", "19990101T000000Z")],
            "host;x-amz-date;x-amz-security-token;x-amz-target",
            "26a61f909a1f323cc22927eb2d33f1b9d0ed9f9abda76331d59551e5b1ad50f1",
        ),
        (
            "service: execute-api",
            "",
            "PUT",
            "/x?b=%20&a=1&a=0&c",
            "hello",
            &[("authorization", "Bearer of-the-client")],
            short,
            "5770656d3e820c30a0f225fcfcb93312eda2317dcefd9b25099b0c58377b43c5",
        ),
        (
            s3,
            "",
            "GET",
            "/bucket/a%20b/%C3%BC%2Bc",
            "",
            &[],
            "host;x-amz-content-sha256;x-amz-date",
            "d01132cc7868144ffff20e3ab00a85707314121a4e15c683d211f4c6f896f022",
        ),
        (
            s3,
            token,
            "PUT",
            "/bucket/key~1?partNumber=1&uploadId=x",
            "hello",
            &[("x-amz-meta-a", "b"), ("x-amz-content-sha256", "forged")],
            "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-security-token",
            "16e35df9ca1bd4c361d9a82deecd9e636b94a964ea3bf119d8d1a0a4a3a83ce5",
        ),
    ] {
        let (clock, hand) = crate::clock::Clock::manual();
        hand.store(1_440_938_160 * 1_000_000_000, Relaxed);
        let policy = format!(
            "{{ aws: {{ access_key: AKIDEXAMPLE, secret_key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY, region: us-east-1, {service}, host: example.amazonaws.com{token} }} }}"
        );
        let program = program_in(&configuration(&policy), &Environment { clock, ..environment() });
        let request = fields.iter().fold(Request::builder().method(method).uri(target), |request, (name, value)| {
            request.header(*name, *value)
        });
        let mut x = exchange_of(&program, request.body(Body::from(body.to_owned())).unwrap());
        let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
        assert!(matches!(plan.steps[0].step.request(&mut x), Verdict::Done(Outcome::Next)));
        let scope = format!("20150830/us-east-1/{}/aws4_request", service.trim_start_matches("service: "));
        let expected =
            format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}");
        let shown: Vec<_> = x.request.headers.get_all("authorization").iter().collect();
        assert_eq!(shown, [expected.as_str()], "{method} {target}");
        assert!(shown[0].is_sensitive());
        assert_eq!(x.request.headers["x-amz-date"], "20150830T123600Z");
        assert_eq!(x.request.headers.get_all("x-amz-date").iter().count(), 1);
    }
}

#[test]
fn a_signature_that_cannot_be_made_is_a_problem() {
    let aws = "access_key: a, secret_key: b, region: r, service: s3, host: h.test";
    for (policy, says) in [
        ("{ aws: { access_key: a } }".to_owned(), "secret_key"),
        (format!("{{ aws: {{ {} }} }}", aws.replace("region: r", "region: 'r/x'")), "is not a region"),
        (format!("{{ aws: {{ {} }} }}", aws.replace("service: s3", "service: ''")), "is not a service"),
        (format!("{{ aws: {{ {} }} }}", aws.replace("host: h.test", "host: 'https://h.test'")), "is not a host"),
        (format!("{{ aws: {{ {} }} }}", aws.replace("secret_key: b", "secret_key: ''")), "an id and a secret"),
        (format!("{{ aws: {{ {} }} }}", aws.replace("access_key: a", "access_key: 'a, b'")), "an id and a secret"),
        (format!("{{ bearer: x, aws: {{ {aws} }} }}"), "one of `header`"),
    ] {
        let problems = try_program(&configuration(&policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
