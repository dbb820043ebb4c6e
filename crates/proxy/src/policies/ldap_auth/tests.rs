use super::ber::{ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, Writer, whole};
use super::credentials;
use super::filter::{Filter, Holes, escaped};
use crate::exchange::testing::{environment, try_program};

#[test]
fn values_are_written_and_read() {
    let mut writer = Writer::default();
    for number in [0, 1, 127, 128, 255, 256, -1, -128, -129, i32::MAX, i32::MIN] {
        writer.number(INTEGER, number);
    }
    writer.bytes(OCTETS, &[7; 200]);
    writer.inside(SEQUENCE, |out| out.number(ENUMERATED, 49));
    let mut reader = Reader(&writer.0);
    for number in [0, 1, 127, 128, 255, 256, -1, -128, -129, i32::MAX, i32::MIN] {
        assert_eq!(reader.number(INTEGER), Some(number));
    }
    assert_eq!(reader.expect(OCTETS), Some(&[7; 200][..]));
    assert_eq!(Reader(reader.expect(SEQUENCE).unwrap()).number(ENUMERATED), Some(49));
    assert_eq!(reader.next(), None);
    // As X.690 section 8.3 has them.
    let written = |number| {
        let mut writer = Writer::default();
        writer.number(INTEGER, number);
        writer.0
    };
    for (number, bytes) in [(0, &[2, 1, 0][..]), (128, &[2, 2, 0, 128]), (-128, &[2, 1, 128]), (256, &[2, 2, 1, 0])] {
        assert_eq!(written(number), bytes, "{number}");
    }
}

#[test]
fn what_is_broken_is_not_read() {
    for broken in [
        &[][..],
        &[4],
        &[4, 2, 1],
        &[4, 0x80],
        &[4, 0x85, 0, 0, 0, 0, 1, 1],
        &[4, 0x84, 255, 255, 255, 255],
        &[0x1f, 1, 1],
    ] {
        assert_eq!(Reader(broken).next(), None, "{broken:?}");
    }
    assert_eq!(Reader(&[2, 5, 0, 0, 0, 0, 1]).number(INTEGER), None, "it has five bytes");
    assert_eq!(Reader(&[2, 0]).number(INTEGER), None);
    for (bytes, told) in [
        (&[][..], Ok(None)),
        (&[0x30], Ok(None)),
        (&[0x30, 5], Ok(Some(7))),
        (&[0x30, 0x84, 0, 0], Ok(None)),
        (&[0x30, 0x82, 1, 0], Ok(Some(260))),
        (b"H", Err(())),
        (b"HTTP/1.1", Err(())),
        (&[0x30, 0x84, 0x7f, 0, 0, 0], Err(())),
        (&[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 1], Err(())),
    ] {
        assert_eq!(whole(bytes).map_err(|_| ()), told, "{bytes:?}");
    }
}

fn written(filter: &str, user: &str) -> Vec<u8> {
    let mut out = Writer::default();
    Filter::parse(filter).unwrap_or_else(|why| panic!("{filter}: {why}")).write(&mut out, Holes { user, dn: "cn=x" });
    out.0
}

#[test]
fn filters_are_those_of_the_rfc() {
    for (filter, bytes) in [
        ("(uid={user})", &b"\xa3\x0a\x04\x03uid\x04\x03ann"[..]),
        ("(objectClass=*)", b"\x87\x0bobjectClass"),
        ("(!(uid={user}))", b"\xa2\x0c\xa3\x0a\x04\x03uid\x04\x03ann"),
        ("(&(a=1)(b=2))", b"\xa0\x10\xa3\x06\x04\x01a\x04\x011\xa3\x06\x04\x01b\x04\x012"),
        (
            "(|(a>=1)(b<=2)(c~=3))",
            b"\xa1\x18\xa5\x06\x04\x01a\x04\x011\xa6\x06\x04\x01b\x04\x012\xa8\x06\x04\x01c\x04\x013",
        ),
        ("(cn=a*b*c)", b"\xa4\x0f\x04\x02cn\x30\x09\x80\x01a\x81\x01b\x82\x01c"),
        ("(cn=*b*)", b"\xa4\x09\x04\x02cn\x30\x03\x81\x01b"),
        ("(member={dn})", b"\xa3\x0e\x04\x06member\x04\x04cn=x"),
        ("(cn=\\2a\\28)", b"\xa3\x08\x04\x02cn\x04\x02*("),
        ("(m:1.2:={dn})", b"\xa9\x0e\x81\x031.2\x82\x01m\x83\x04cn=x"),
        ("(m:dn:=x)", b"\xa9\x09\x82\x01m\x83\x01x\x84\x01\xff"),
    ] {
        assert_eq!(written(filter, "ann").escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{filter}");
    }
    for broken in [
        "",
        "uid=a",
        "(uid=a",
        "(uid=a))",
        "(uid)",
        "(=a)",
        "(u d=a)",
        "(&)",
        "(&uid=a)",
        "(uid={name})",
        "(uid=a{)",
        "(uid=\\2)",
        "(uid=\\zz)",
        "(a:b:c:d:=x)",
        "(!)",
        "(uid=(a)",
    ] {
        assert!(Filter::parse(broken).is_err(), "{broken}");
    }
    assert!(Filter::parse(&format!("{}(a=b){}", "(!".repeat(20), ")".repeat(20))).is_err(), "too deep");
}

#[test]
fn what_a_client_sends_is_a_value_and_nothing_else() {
    for user in ["*", "*)(uid=*", "ann)(|(uid=*", "\\2a", "a\0b", "(", "ann*", "ünï", "x)(&(uid=root"] {
        let mut expected = Writer::default();
        expected.inside(0xa3, |out| {
            out.bytes(OCTETS, b"uid");
            out.bytes(OCTETS, user.as_bytes());
        });
        assert_eq!(written("(uid={user})", user), expected.0, "{user}");
    }
    // The examples of RFC 4514 section 4, and what the section before asks for.
    for (user, name) in [
        ("ann", "ann"),
        ("Before\rAfter", "Before\\0dAfter"),
        ("James \"Jim\" Smith, III", "James \\\"Jim\\\" Smith\\, III"),
        ("ann,ou=admins", "ann\\,ou\\=admins"),
        ("#1", "\\#1"),
        (" a ", "\\ a\\ "),
        ("a+b;c<d>e\\f", "a\\+b\\;c\\<d\\>e\\\\f"),
        ("a\0b", "a\\00b"),
        ("Lučić", "Lučić"),
    ] {
        assert_eq!(escaped(user), name);
    }
    for (shown, good) in [
        (&b"ann:secret"[..], true),
        (b"ann:se:cret", true),
        (b"ann:", false),
        (b":secret", false),
        (b":", false),
        (b"ann", false),
        (b"a\0n:secret", false),
        (b"a\nn:secret", false),
        (b"\xff:secret", false),
    ] {
        assert_eq!(credentials(shown).is_some(), good, "{}", shown.escape_ascii());
    }
    let long = format!("{}:secret", "a".repeat(257));
    assert!(credentials(long.as_bytes()).is_none());
}

#[test]
fn wrong_configuration_is_a_problem() {
    let bind = "bind: { dn: 'uid={user},o=x' }";
    for (policy, says) in [
        ("{}".to_owned(), "url"),
        ("{ url: 'ldap://127.0.0.1' }".to_owned(), "one of `bind` and `search`"),
        (format!("{{ url: 'http://127.0.0.1', {bind} }}"), "not the URL of a directory"),
        (format!("{{ url: 'ldap://127.0.0.1/o=x', {bind} }}"), "not the URL of a directory"),
        (format!("{{ url: 'ldap://a:b@127.0.0.1', {bind} }}"), "not the URL of a directory"),
        (format!("{{ url: [], {bind} }}"), "there is no directory"),
        ("{ url: 'ldap://127.0.0.1', bind: { dn: 'uid=ann' } }".to_owned(), "no single `{user}`"),
        ("{ url: 'ldap://127.0.0.1', bind: { dn: 'uid={user},o={user}' } }".to_owned(), "no single `{user}`"),
        ("{ url: 'ldap://127.0.0.1', bind: { dn: 'uid={user}', filter: 'x' } }".to_owned(), "not a filter"),
        ("{ url: 'ldap://127.0.0.1', search: { base: x, filter: '(uid=a)' } }".to_owned(), "the same for everybody"),
        (
            "{ url: 'ldap://127.0.0.1', search: { base: x, filter: '(uid={user})', account: { dn: a, password: '' } } }".to_owned(),
            "without a name or password",
        ),
        (format!("{{ url: 'ldap://127.0.0.1', {bind}, timeout: 2m }}"), "from 10ms to 60s"),
        (format!("{{ url: 'ldap://127.0.0.1', {bind}, cache: 2d }}"), "a day at most"),
        (format!("{{ url: 'ldap://127.0.0.1', {bind}, connections: 0 }}"), "from 1 to 256"),
        (format!("{{ url: 'ldap://127.0.0.1', {bind}, attributes: dn }}"), "the gateway's own word"),
    ] {
        let yaml = format!(
            "version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\napis: [{{ name: a, policies: {{ ldap_auth: {policy} }}, to: {{ echo: {{}} }} }}]"
        );
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
