//! A request on an HTTP/1.1 connection: it is read the same however its bytes are cut, in one framing alone, and written
//! anew it is the same request.

use proxy::fuzzing::messages::{Request, request};

pub(crate) fn run(input: &[u8]) {
    let whole = request(input, usize::MAX);
    for size in [1, 2, 7, 64] {
        let cut = request(input, size);
        assert_eq!(shown(cut), shown(request(input, usize::MAX)), "in pieces of {size}");
    }
    let Some(Ok(read)) = whole else { return };
    let count = |name: &str| read.fields.iter().filter(|(known, _)| known == name).count();
    let (lengths, encodings) = (count("content-length"), count("transfer-encoding"));
    assert!(lengths + encodings < 2, "two framings: {:?}", read.fields);
    let Ok(body) = &read.body else { return };
    assert!(lengths + encodings == 1 || body.is_empty(), "a body without a framing");
    let again = written(&read, body);
    let Some(Ok(second)) = request(&again, usize::MAX) else { panic!("not read again: {}", again.escape_ascii()) };
    assert_eq!((&second.line, &second.fields, &second.body), (&read.line, &read.fields, &read.body));
    assert!(second.rest.is_empty());
}

/// What of a reading must not depend on how its bytes were cut: where a refusal stands, not which it is, as a head that is
/// too large and wrong is either.
fn shown(read: Option<Result<Request, &'static str>>) -> Option<Option<Request>> {
    read.map(Result::ok)
}

fn written(read: &Request, body: &[u8]) -> Vec<u8> {
    let version = if read.fields.iter().any(|(name, _)| name == "transfer-encoding") { "1.1" } else { "1.0" };
    let mut text = format!("{} {} HTTP/{version}\r\n", read.line.0, read.line.1).into_bytes();
    for (name, value) in &read.fields {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    if read.fields.iter().any(|(name, _)| name == "transfer-encoding") {
        if !body.is_empty() {
            text.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            text.extend_from_slice(body);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"0\r\n\r\n");
    } else {
        text.extend_from_slice(body);
    }
    text
}
