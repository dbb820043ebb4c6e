use http::HeaderValue;
use http::header::COOKIE;
use proptest::prelude::*;

use super::*;

#[test]
fn reads_query_parameters() {
    let values = |text: &'static str| -> Vec<String> {
        query(text, "a").map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
    };
    assert_eq!(values("a=1&b=2&a=%41+%2B&&%61=x&a&aa=3&a="), ["1", "A +", "x", "", ""]);
    assert_eq!(values("a=%zz"), ["%zz"]);
    assert_eq!(values(""), Vec::<String>::new());
}

#[test]
fn reads_cookies() {
    let mut headers = HeaderMap::new();
    headers.append(COOKIE, HeaderValue::from_static("a=1;b=2; a = x y ;a"));
    headers.append(COOKIE, HeaderValue::from_static("A=3; a=\"q\"; aa=4"));
    let values: Vec<&[u8]> = cookies(&headers, "a").collect();
    assert_eq!(values, [&b"1"[..], b"x y", b"q"]);
}

proptest! {
    #[test]
    fn never_panics(text in "[ -~]{0,40}", name in "[a-z]{0,3}") {
        let _ = query(&text, &name).count();
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&text).unwrap();
        headers.append(COOKIE, value.clone());
        headers.append(ACCEPT, value);
        let _ = cookies(&headers, &name).count();
        let _ = accepts(&headers, &name);
    }
}
