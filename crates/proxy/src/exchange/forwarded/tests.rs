use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const PROXIES: [&str; 2] = ["10.0.0.0/8", "2001:db8:1::/48"];

fn learn(peer: &str, fields: &[(&'static str, &str)]) -> Result<Option<(String, Option<Scheme>)>, Malformed> {
    let trusted: Vec<IpNet> = PROXIES.iter().map(|net| net.parse().unwrap()).collect();
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let learnt = origin(peer.parse().unwrap(), &headers, &trusted)?;
    Ok(learnt.map(|origin| (origin.client.to_string(), origin.scheme)))
}

type Fields = &'static [(&'static str, &'static str)];

#[test]
fn finds_the_first_that_is_not_trusted() {
    let http = Some(Scheme::Http);
    let https = Some(Scheme::Https);
    let cases: &[(Fields, &str, Option<Scheme>)] = &[
        (&[], "10.0.0.1", None),
        (&[("x-forwarded-for", "192.0.2.1")], "192.0.2.1", None),
        (&[("x-forwarded-for", "203.0.113.9, 192.0.2.1")], "192.0.2.1", None),
        (&[("x-forwarded-for", "203.0.113.9, 192.0.2.1, 10.1.1.1,, 10.2.2.2")], "192.0.2.1", None),
        (&[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.1, 10.1.1.1")], "192.0.2.1", None),
        (&[("x-forwarded-for", "10.9.9.9, 10.1.1.1")], "10.9.9.9", None),
        (&[("x-forwarded-for", "192.0.2.1:5000")], "192.0.2.1", None),
        (&[("x-forwarded-for", "2001:db8:2::1")], "2001:db8:2::1", None),
        (&[("x-forwarded-for", "[2001:db8:2::1]:5000, [2001:db8:1::5]")], "2001:db8:2::1", None),
        (&[("x-forwarded-for", "::ffff:192.0.2.1")], "192.0.2.1", None),
        (&[("x-forwarded-for", "192.0.2.1, unknown, 10.1.1.1")], "10.1.1.1", None),
        (&[("x-forwarded-for", "192.0.2.1, \u{e9}")], "10.0.0.1", None),
        // What the client sent first does not hide what the proxy knows.
        (&[("x-forwarded-for", "\u{e9}, 192.0.2.1")], "192.0.2.1", None),
        (&[("x-forwarded-for", "unknown")], "10.0.0.1", None),
        (&[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")], "192.0.2.1", https),
        (&[("x-forwarded-for", "192.0.2.1, 10.1.1.1"), ("x-forwarded-proto", "https, http")], "192.0.2.1", https),
        (&[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https, http")], "192.0.2.1", http),
        (&[("x-forwarded-for", "192.0.2.1, 10.1.1.1"), ("x-forwarded-proto", "wss")], "192.0.2.1", https),
        (&[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "gopher")], "192.0.2.1", None),
        (&[("x-forwarded-proto", "HTTPS")], "10.0.0.1", https),
        (&[("forwarded", "for=192.0.2.1;proto=https;by=10.0.0.1")], "192.0.2.1", https),
        (&[("forwarded", "For=\"[2001:db8:2::1]:4711\"; Proto=http")], "2001:db8:2::1", http),
        (&[("forwarded", "for=[2001:db8:2::1]")], "2001:db8:2::1", None),
        (&[("forwarded", "for=203.0.113.9, for=192.0.2.1;proto=https, for=10.1.1.1;proto=http")], "192.0.2.1", https),
        (&[("forwarded", "for=192.0.2.1"), ("forwarded", " , for=10.1.1.1 ;host=\"a,b;c\"")], "192.0.2.1", None),
        (&[("forwarded", "for=_hidden, for=10.1.1.1")], "10.1.1.1", None),
        (&[("forwarded", "for=\"192.0\\.2.1\"")], "192.0.2.1", None),
        (&[("forwarded", "proto=https")], "10.0.0.1", https),
        (&[("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1", None),
    ];
    for (fields, client, scheme) in cases {
        assert_eq!(learn("10.0.0.1", fields), Ok(Some(((*client).to_owned(), *scheme))), "{fields:?}");
    }
}

#[test]
fn believes_nobody_else() {
    assert_eq!(learn("192.0.2.9", &[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")]), Ok(None));
}

#[test]
fn does_not_guess() {
    for value in
        ["for", "for=", "for=\"192.0.2.1", "=x", "for=a for=b", "for=1.1.1.1;for=2.2.2.2", "for=\"a\\", "a b=c"]
    {
        assert_eq!(learn("10.0.0.1", &[("forwarded", value)]), Err(Malformed), "{value}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in prop_oneof!["\\PC{0,40}", "((for|proto|by)=(\"|)(\\[::1\\]|1\\.2\\.3\\.4|\\\\)(\"|)[,; ]?){0,5}"]) {
        let _ = parse(&text);
        let _ = address(&text);
    }

    #[test]
    fn reads_what_it_is_given(hops in prop::collection::vec(("[0-9]{1,3}", prop::bool::ANY), 1..5)) {
        let line = hops.iter().map(|(name, quoted)| if *quoted { format!("for=\"{name}\"") } else { format!("for={name}") });
        let line = line.collect::<Vec<_>>().join(", ");
        let read: Vec<_> = parse(&line).unwrap().into_iter().map(|element| element.client.unwrap().into_owned()).collect();
        prop_assert_eq!(read, hops.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
}
