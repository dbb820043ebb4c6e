//! What lines hold.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::HeaderValue;
use model::resource::LogFormat;
use proptest::prelude::*;

use super::super::fields::{FIELDS, REQUEST_HEADER, reference};
use super::super::redact::Redact;
use super::super::write::Line;
use crate::clock::{Clock, Time};
use crate::exchange::testing::{environment, exchange_of, program_in, try_program};
use crate::exchange::{Attempt, Body, Error, Exchange, Finish, ModelCall, codes};
use crate::program::{Environment, Program, UpstreamId};
use crate::telemetry::Telemetry;

const GATEWAY: &str = "
version: 1
listeners: [{ name: public, address: '127.0.0.1:0' }]
upstreams: [{ name: users, targets: [{ url: 'http://127.0.0.1:1' }] }]
consumers: [{ name: mobile, credentials: [{ key: the-key-of-mobile }] }]
apis: [{ name: users, policies: { key_auth: { names: [{ query: entry }, x-door] } }, routes: [{ name: read, to: users }] }]
access_log:
  path: PATH
";

/// A program whose access log goes to a file, with these settings beside the path.
fn logging_to(path: &std::path::Path, settings: &str) -> (Arc<Program>, Environment) {
    let env = Environment { telemetry: Arc::new(Telemetry::new(1)), ..environment() };
    let yaml = GATEWAY.replace("PATH", &format!("'{}'\n  {settings}", path.display()));
    (program_in(&yaml, &env), env)
}

/// What is logged of one exchange, as `end` leaves it.
fn logged(settings: &str, request: http::request::Builder, end: impl FnOnce(&mut Exchange)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let (program, env) = logging_to(&path, settings);
    env.telemetry.prepare(&program).unwrap();
    let mut x = exchange_of(&program, request.body(Body::Empty).unwrap());
    let routes = program.routes.iter().position(|plan| &*plan.name == "read");
    x.route = crate::program::RouteId(u32::try_from(routes.unwrap()).unwrap());
    x.record.status = 200;
    x.record.finish = Finish::Complete;
    end(&mut x);
    drop(x);
    assert!(env.telemetry.flush(Duration::from_secs(10)));
    std::fs::read_to_string(path).unwrap()
}

/// As an upstream's answer leaves it: 2 ms to the upstream, 8 ms there, 1 ms back, over after 20 ms.
fn answered(x: &mut Exchange) {
    let at = |ms| Some(Time::default() + Duration::from_millis(ms));
    (x.record.forwarded, x.record.answered, x.record.responded) = (at(2), at(10), at(11));
    x.record.attempts = 1;
    x.record.attempt =
        Some(Attempt { upstream: UpstreamId(0), address: "10.0.0.1:9000".parse().unwrap(), reused: true });
    x.record.bytes_in = 12;
    x.record.bytes_out = 345;
    x.notes.request_id = Some(HeaderValue::from_static("id-1"));
    x.notes.traceparent = Some(HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    let Clock::Manual(hand) = &x.local.program.clock else { panic!("the clock is turned by hand") };
    hand.store(20_000_000, Relaxed);
}

fn get(target: &str) -> http::request::Builder {
    http::Request::get(target).header("host", "Example.com:8080").header("user-agent", "curl/8 \"x\"")
}

#[test]
fn the_default_line() {
    let line = logged("", get("/users/1?a=b&token=secret"), answered);
    let expected = concat!(
        r#"{"time":"1970-01-01T00:00:00.000000Z","request_id":"id-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#,
        r#""client":"192.0.2.7","listener":"public","api":"users","route":"read","method":"GET","scheme":"http","#,
        r#""host":"example.com","path":"/users/1","query":"a=b&token=***","protocol":"HTTP/1.1","status":200,"#,
        r#""duration":0.020000,"overhead":0.003000,"upstream":"users","upstream_address":"10.0.0.1:9000","#,
        r#""upstream_time":0.008000,"attempts":1,"bytes_in":12,"bytes_out":345,"user_agent":"curl/8 \"x\"","#,
        r#""finish":"complete"}"#,
        "\n"
    );
    assert_eq!(line, expected);
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["user_agent"], "curl/8 \"x\"");
}

#[test]
fn a_client_that_left_early_and_an_error() {
    let left = logged("", get("/"), |x| {
        x.record.status = 0;
        x.record.finish = Finish::Aborted;
    });
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    assert_eq!((&left["status"], &left["finish"]), (&0.into(), &"aborted".into()));
    assert!(left.get("overhead").is_none() && left.get("upstream").is_none() && left.get("query").is_none());

    let failed = logged("", get("/"), |x| {
        let refused = std::io::Error::from_raw_os_error(111);
        x.error = Some(Error::new(&codes::CONNECT, "The upstream cannot be reached.").because(refused));
    });
    let failed: serde_json::Value = serde_json::from_str(&failed).unwrap();
    assert_eq!(failed["error"], "upstream.connect");
    assert!(failed["error_cause"].as_str().unwrap().contains("os error 111"));
}

#[test]
fn a_call_of_a_model_tells_what_it_took() {
    let fields = "fields: [model, provider, provider_model, tokens_in, tokens_out, cost]";
    let call = || Arc::new(ModelCall::new("smart".into(), "openai".into(), "gpt-5".into()));
    let named = r#"{"model":"smart","provider":"openai","provider_model":"gpt-5""#;
    for (took, expected) in [
        (None, String::new()),
        (Some((10, 2, None)), ",\"tokens_in\":10,\"tokens_out\":2".to_owned()),
        (Some((10, 2, Some(0))), ",\"tokens_in\":10,\"tokens_out\":2,\"cost\":0.000000000".to_owned()),
        (Some((1, 0, Some(1_000_000_042))), ",\"tokens_in\":1,\"tokens_out\":0,\"cost\":1.000000042".to_owned()),
    ] {
        let line = logged(fields, get("/"), |x| {
            let call = call();
            if let Some((input, output, cost)) = took {
                call.took(input, output, cost);
            }
            x.record.model_call = Some(call);
        });
        assert_eq!(line, format!("{named}{expected}}}\n"));
    }
}

#[test]
fn every_field_can_be_chosen_alone_and_is_documented() {
    let all: Vec<&str> = FIELDS.iter().map(|row| row.name).collect();
    for name in &all {
        let line = logged(&format!("fields: [{name}]"), get("/?x=1"), answered);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<_> = read.as_object().unwrap().keys().collect();
        // Without a value nothing is written.
        assert!(keys == [name] || keys.is_empty(), "{line}");
    }
    let reference = reference();
    assert!(all.iter().all(|name| reference.contains(&format!("| `{name}` |"))));
}

#[test]
fn fields_and_templates_as_chosen() {
    let request = || {
        get("/a%20b?q=1")
            .header("referer", "https://user:pw@x.test/p?api_key=1&b=2#***")
            .header("x-many", "1")
            .header("x-many", "2")
            .header("x-odd", HeaderValue::from_bytes(b"caf\xe9").unwrap())
            .header("authorization", "Bearer secret")
            .header("x-tenant", "acme")
    };
    for (settings, expected) in [
        ("fields: [status, request.headers.x-tenant]", "{\"status\":200,\"request.headers.x-tenant\":\"acme\"}\n"),
        ("fields: [consumer, credential]", "{}\n"),
        (
            "fields: [request.headers.Authorization, request.headers.x-many]",
            "{\"request.headers.Authorization\":\"***\",\"request.headers.x-many\":\"1, 2\"}\n",
        ),
        ("fields: [request.headers.x-odd]", "{\"request.headers.x-odd\":\"caf\u{fffd}\"}\n"),
        ("fields: [referer]", "{\"referer\":\"https://***@x.test/p?api_key=***&b=2#***\"}\n"),
        ("fields: [response.headers.x-none, status]", "{\"status\":200}\n"),
        ("fields: [response.headers.location]", "{\"response.headers.location\":\"/in?code=***\"}\n"),
        (
            "format: template\n  template: '{client} - {consumer} \"{method} {path} {protocol}\" {status} {bytes_out} {{x}}'",
            "192.0.2.7 - - \"GET /a%20b HTTP/1.1\" 200 345 {x}\n",
        ),
        (
            "format: template\n  template: '{time} {duration} \"{user_agent}\" {request.headers.cookie}'",
            "1970-01-01T00:00:00.000000Z 0.020000 \"curl/8 \\x22x\\x22\" -\n",
        ),
    ] {
        let line = logged(settings, request(), |x| {
            answered(x);
            let mut response = http::HeaderMap::new();
            response.insert("location", HeaderValue::from_static("/in?code=1"));
            let program = x.local.program.clone();
            program.access_log.as_ref().unwrap().keep_response(&response, &mut x.record.kept);
        });
        assert_eq!(line, expected, "{settings}");
    }
}

#[test]
fn credentials_are_hidden_wherever_they_are_named() {
    let redact = Redact::new(["Mine", "my mine", "odd;name"]);
    for (query, expected) in [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("api_key=1", "api_key=***"),
        ("API_KEY=1&a=2", "API_KEY=***&a=2"),
        ("a=1&token=x=y&b", "a=1&token=***&b"),
        ("token", "token"),
        ("token=", "token=***"),
        ("a=1;key=2;b=3", "a=1;key=***;b=3"),
        ("api%5Fkey=1&%74oken=2", "api%5Fkey=***&%74oken=***"),
        ("x-amz-security-token=1&my_client_secret=2", "x-amz-security-token=***&my_client_secret=***"),
        ("my+mine=1;my%20mine=2&mine=3;4", "my+mine=***&mine=***"),
        ("odd;name=1&odd%3Bname=2", "odd;name=***&odd%3Bname=***"),
        ("mine=1&mines=2", "mine=***&mines=2"),
        ("keyword=1&monkey=2&tokens=3&page_token=4", "keyword=1&monkey=2&tokens=3&page_token=4"),
    ] {
        let mut out = Vec::new();
        redact.query(query, &mut Line { out: &mut out, format: LogFormat::Template });
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    for (url, expected) in [
        ("/a", "/a"),
        ("https://x.test/a/b", "https://x.test/a/b"),
        ("https://u:p@x.test", "https://***@x.test"),
        ("https://u:p@x@x.test/", "https://***@x.test/"),
        ("https://x.test/@a?b=1#access_token=2?", "https://x.test/@a?b=1#***"),
        ("https://x.test/?token=1", "https://x.test/?token=***"),
        ("https://x.test/#access_token=2", "https://x.test/#***"),
    ] {
        let mut out = Vec::new();
        redact.url(url, &mut Line { out: &mut out, format: LogFormat::Template });
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    // Where key_auth looks for keys is hidden without saying so again, whether a key was right or wrong.
    let line = logged("fields: [query, request.headers.x-door]", get("/?entry=k").header("x-door", "k"), |_| {});
    assert_eq!(line, "{\"query\":\"entry=***\",\"request.headers.x-door\":\"***\"}\n");
    let line =
        logged("redact: [x-tenant]\n  fields: [request.headers.x-tenant]", get("/").header("x-tenant", "a"), |_| {});
    assert_eq!(line, "{\"request.headers.x-tenant\":\"***\"}\n");
}

#[test]
fn samples_leave_errors_in() {
    let statuses = |share: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let (program, env) = logging_to(&path, &format!("sample: {share}\n  fields: [status]"));
        for at in 0..2000_u16 {
            let mut x = exchange_of(&program, get("/").body(Body::Empty).unwrap());
            x.record.status = if at % 10 == 0 { 503 } else { 200 };
        }
        assert!(env.telemetry.flush(Duration::from_secs(10)));
        let log = std::fs::read_to_string(path).unwrap();
        (log.matches("200").count(), log.matches("503").count())
    };
    assert_eq!(statuses("0%"), (0, 200));
    assert_eq!(statuses("100%"), (1800, 200));
    let (good, bad) = statuses("50%");
    // Ten standard deviations around 900.
    assert!((690..1110).contains(&good) && bad == 200, "{good} {bad}");
}

#[test]
fn what_is_wrong_is_said_with_its_remedy() {
    for (settings, expected) in [
        ("fields: [statsu]", "unknown field `statsu`; did you mean `status`?"),
        ("fields: [status, status]", "field `status` is there twice"),
        ("fields: ['request.headers.a b']", "names no header"),
        ("format: template", "`format: template` needs a template"),
        ("template: '{status}'", "JSON lines have no template"),
        ("format: template\n  template: 'x {nothing}'", "unknown field `nothing`"),
        ("format: template\n  template: 'x {status'", "a brace without its other half"),
        ("format: template\n  template: 'x status} y'", "a brace without its other half"),
        ("format: template\n  template: 'x'", "every line would be the same"),
        ("format: template\n  template: \"{status}\\n\"", "a template is one line"),
        ("format: template\n  fields: [status]\n  template: '{status}'", "a template names its fields itself"),
        ("rotate: { keep: 0 }", "from 1 to 100"),
        ("rotate: { size: 1KiB }", "at least 64KiB"),
        ("rotate: { every: 1s }", "from 1m to 366d"),
        ("rotate: { every: 400d }", "from 1m to 366d"),
    ] {
        let yaml = GATEWAY.replace("PATH", &format!("/tmp/none\n  {settings}"));
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(expected), "{settings}: {problems}");
        assert!(problems.contains("access_log"), "{problems}");
    }
    let yaml = GATEWAY.replace("path: PATH", "rotate: {}");
    assert!(try_program(&yaml, &environment()).is_err_and(|problems| problems.contains("not rotated")));
    // None of these opened anything.
    assert!(!std::path::Path::new("/tmp/none").exists());
}

#[test]
fn only_wanted_headers_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (program, _) = logging_to(&folder.path().join("a"), "fields: [status]");
    assert!(exchange_of(&program, get("/").body(Body::Empty).unwrap()).record.kept.is_none());
    let (program, _) = logging_to(&folder.path().join("b"), &format!("fields: [{REQUEST_HEADER}accept, user_agent]"));
    let x = exchange_of(&program, get("/").body(Body::Empty).unwrap());
    let kept = x.record.kept.as_ref().unwrap();
    assert_eq!(kept.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
}

proptest! {
    #[test]
    fn text_is_escaped_as_serde_does(text in "\\PC*|[\\x00-\\x7f]*") {
        let mut out = Vec::new();
        Line { out: &mut out, format: LogFormat::Json }.text(&text);
        prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn bytes_of_any_kind_make_valid_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut out = Vec::new();
        Line { out: &mut out, format: LogFormat::Json }.bytes(&bytes);
        let read: String = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_template_value_never_breaks_its_line(text in "\\PC*|[\\x00-\\x7f]*") {
        let mut out = Vec::new();
        Line { out: &mut out, format: LogFormat::Template }.text(&text);
        prop_assert!(out.iter().all(|&byte| byte >= 0x20 && byte != b'"'));
    }

    #[test]
    fn times_are_written_to_the_microsecond(nanoseconds in 0_u64..1_000_000_000_000_000) {
        let mut out = Vec::new();
        let time = Duration::from_nanos(nanoseconds);
        Line { out: &mut out, format: LogFormat::Json }.seconds(time);
        let expected = format!("{}.{:06}", nanoseconds / 1_000_000_000, nanoseconds / 1000 % 1_000_000);
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn addresses_are_written_as_the_library_does(address: std::net::SocketAddr) {
        let mut out = Vec::new();
        Line { out: &mut out, format: LogFormat::Template }.socket(address);
        let plain = std::net::SocketAddr::new(address.ip(), address.port());
        prop_assert_eq!(String::from_utf8(out).unwrap(), plain.to_string());
    }
}
