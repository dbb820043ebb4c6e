use super::*;

#[test]
fn urls() {
    let table = [
        ("http://127.0.0.1:8080/a/b?c", Some(("http", "127.0.0.1:8080", "127.0.0.1", 8080, "/a/b?c"))),
        ("http://example.test", Some(("http", "example.test", "example.test", 80, "/"))),
        ("https://example.test/", Some(("https", "example.test", "example.test", 443, "/"))),
        ("https://[::1]:8443/x", Some(("https", "[::1]:8443", "::1", 8443, "/x"))),
        ("http://[::1]/", Some(("http", "[::1]", "::1", 80, "/"))),
        ("ftp://example.test/", None),
        ("http:///", None),
        ("http://host:port/", None),
        ("host:80", None),
    ];
    for (text, expected) in table {
        let url = Url::parse(text).ok();
        let found = url.as_ref().map(|url| (url.scheme, &*url.authority, &*url.host, url.port, &*url.path));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn headers() {
    assert_eq!(header("X-Api-Key:  a:b ").unwrap(), ("X-Api-Key".to_owned(), "a:b".to_owned()));
    for bad in ["none", "a: b\r\nc: d"] {
        assert!(header(bad).is_err(), "{bad:?}");
    }
}
