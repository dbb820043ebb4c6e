//! Cookies: a list that is written in the plainest way reads back, and expressions and policies read the same.

use proxy::fuzzing::cookies;

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([lines, name]) = kit::parts(input) else { return };
    let request = kit::with_field("cookie", lines);
    let read = cookies(request.headers());
    let mut again = http::HeaderMap::new();
    for (name, value) in &read {
        let crumb = [name, &b"=\""[..], value, b"\""].concat();
        again.append("cookie", http::HeaderValue::from_bytes(&crumb).expect("a field"));
    }
    assert_eq!(cookies(&again), read, "{lines}");

    let named = read.iter().find(|(known, _)| String::from_utf8_lossy(known) == name);
    let first = named.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    let source = format!("request.cookies[{}]", kit::literal(name));
    let x = kit::exchange(request);
    let Some(expression) = kit::expression(&source) else { return };
    assert_eq!(expression.text(&x).as_deref(), first.as_deref(), "{source} of {lines}");
}
