use super::*;

fn shape(value: &str) -> Shape {
    let headers = vec![("X-A".into(), value.into())];
    Shape { scheme: "http", authority: "h".into(), path: "/p".into(), headers, body: String::new() }
}

#[test]
fn requests_as_bytes() {
    let text = "GET /p HTTP/1.1\r\nHost: h\r\nUser-Agent: bench\r\nAccept: */*\r\nX-A: v\r\n\r\n";
    assert_eq!(&*Request::new(Protocol::H1, &shape("v")).wire, text.as_bytes());
    let block = b"\x82\x86\x04\x02/p\x01\x01h\x00\x0auser-agent\x05bench\x00\x06accept\x03*/*\x00\x03x-a\x01v";
    assert_eq!(&*Request::new(Protocol::H2, &shape("v")).wire, block);
}

#[test]
fn posts_as_bytes() {
    let shape = Shape { body: "{}".into(), ..shape("v") };
    let text = "POST /p HTTP/1.1\r\nHost: h\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\nX-A: v\r\n\r\n{}";
    assert_eq!(&*Request::new(Protocol::H1, &shape).wire, text.as_bytes());
    let request = Request::new(Protocol::H2, &shape);
    assert!(request.wire.starts_with(b"\x83\x86\x04\x02/p") && &*request.body == b"{}");
}

#[test]
fn long_strings_carry_their_length_in_several_bytes() {
    for (length, expected) in [
        (126, &[126][..]),
        (127, &[127, 0]),
        (128, &[127, 1]),
        (254, &[127, 127]),
        (255, &[127, 128, 1]),
        (1337, &[127, 186, 9]),
    ] {
        let mut block = Vec::new();
        string(&mut block, &"x".repeat(length));
        assert_eq!(&block[..expected.len()], expected, "{length}");
        assert_eq!(block.len(), expected.len() + length);
    }
}
