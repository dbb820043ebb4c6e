use http::HeaderMap;

use super::Decision;
use super::grpc::check_response;
use super::proto::{Reader, Value, Writer};
use crate::exchange::testing::{environment, try_program};

#[test]
fn messages_are_written_and_read() {
    let mut writer = Writer::default();
    writer.number(1, 300).number(2, 0).bytes(3, b"text").entry(4, "k", "v").number(9, u64::MAX);
    let read: Vec<_> = Reader::new(&writer.bytes).collect();
    let entry = b"\x0a\x01k\x12\x01v";
    let expected =
        [(1, Value::Number(300)), (3, Value::Bytes(b"text")), (4, Value::Bytes(entry)), (9, Value::Number(u64::MAX))];
    assert_eq!(read, expected);
    for broken in [
        &b"\x0a"[..],
        b"\x0a\x05abc",
        b"\x08",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0b",
        b"\x02\x00",
    ] {
        let mut reader = Reader::new(broken);
        assert_eq!((reader.next(), reader.is_good()), (None, false), "{broken:?}");
    }
    let mut fixed = Reader::new(b"\x09\x00\x00\x00\x00\x00\x00\x00\x00\x0d\x00\x00\x00\x00\x08\x01");
    assert_eq!((fixed.next(), fixed.next(), fixed.is_good()), (Some((1, Value::Number(1))), None, true));
}

fn header(writer: &mut Writer, field: u32, name: &str, value: &str, append: u64) {
    writer.message(field, |option| {
        option.message(1, |header| {
            header.bytes(1, name.as_bytes()).bytes(2, value.as_bytes());
        });
        if append > 0 {
            option.message(2, |flag| {
                flag.number(1, append);
            });
        }
    });
}

#[test]
fn an_answer_of_the_contract_is_a_decision() {
    let written = |write: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.bytes
    };
    let ok = written(&|answer| {
        answer.message(1, |_| {}).message(3, |ok| {
            header(ok, 2, "x-user", "ann", 0);
            header(ok, 2, "x-more", "1", 1);
            ok.bytes(5, b"authorization");
            header(ok, 6, "x-served", "yes", 0);
        });
    });
    let Ok(Decision::Allow(allowed)) = check_response(&ok) else { panic!("refused") };
    assert_eq!(allowed.set, [("x-user".parse().unwrap(), "ann".parse().unwrap())]);
    assert_eq!(allowed.append, [("x-more".parse().unwrap(), "1".parse().unwrap())]);
    assert_eq!(allowed.remove, ["authorization"]);
    assert_eq!(allowed.reply, [("x-served".parse().unwrap(), "yes".parse().unwrap())]);
    // No status is the status 0, as the format has it.
    assert!(matches!(check_response(b""), Ok(Decision::Allow(_))));
    for (code, http, status) in
        [(7, 0, 403), (16, 401, 401), (7, 302, 302), (7, 200, 403), (7, 304, 403), (7, 99999, 403)]
    {
        let denied = written(&|answer| {
            answer
                .message(1, |status| {
                    status.number(1, code);
                })
                .message(2, |denied| {
                    denied.message(1, |status| {
                        status.number(1, http);
                    });
                    header(denied, 2, "www-authenticate", "Basic", 0);
                    denied.bytes(3, b"no");
                });
        });
        let Ok(Decision::Deny { status: told, headers, body }) = check_response(&denied) else { panic!("allowed") };
        assert_eq!((told.as_u16(), &body[..]), (status, &b"no"[..]));
        assert_eq!(headers, HeaderMap::from_iter([("www-authenticate".parse().unwrap(), "Basic".parse().unwrap())]));
    }
    // A refusal without anything more, and one beside an approval, are refusals.
    let refused = |status: &mut Writer| {
        status.number(1, 7);
    };
    let bare = written(&|answer| {
        answer.message(1, refused);
    });
    assert!(matches!(check_response(&bare), Ok(Decision::Deny { .. })));
    let both = written(&|answer| {
        answer.message(1, refused).message(3, |_| {});
    });
    assert!(matches!(check_response(&both), Ok(Decision::Deny { .. })));
    let bad_name = written(&|answer| {
        answer.message(3, |ok| header(ok, 2, "x user", "ann", 0));
    });
    for broken in [&bad_name[..], b"\x0a\x05abc", b"\x1a\x03\x12\x05a", b"hello"] {
        assert!(check_response(broken).is_err(), "{broken:?}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "url"),
        ("{ url: auth.test }", "not an HTTP URL"),
        ("{ url: 'h2c://auth.test/x', protocol: grpc }", "the path is the contract's"),
        ("{ url: 'http://127.0.0.1:1/', protocol: soap }", "unknown value"),
        ("{ url: 'http://127.0.0.1:1/', send: ['x y'] }", "not a header name"),
        ("{ url: 'http://127.0.0.1:1/', upstream: ['x y*'] }", "not a header name"),
        ("{ url: 'http://127.0.0.1:1/', identity: {} }", "names nobody"),
        ("{ url: 'http://127.0.0.1:1/', on_error: pass }", "unknown value"),
        ("{ url: 'http://127.0.0.1:1/', body: {} }", "max"),
        ("{ url: 'http://127.0.0.1:1/', body: { max: 0B } }", "from 1 byte to 16 MiB"),
        ("{ url: 'http://127.0.0.1:1/', body: { max: 17MiB } }", "from 1 byte to 16 MiB"),
        ("{ url: 'http://127.0.0.1:1/', calls: { timeout: 1ms } }", "from 10ms"),
    ] {
        let yaml = format!(
            "version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\napis: [{{ name: a, policies: {{ ext_auth: {policy} }}, to: {{ echo: {{}} }} }}]"
        );
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
