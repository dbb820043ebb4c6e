use super::*;
use crate::wire::load::{Protocol, Shape};

fn request() -> Request {
    let shape =
        Shape { scheme: "http", authority: "h".into(), path: "/p".into(), headers: vec![], body: String::new() };
    Request::new(Protocol::H1, &shape)
}

#[test]
fn an_answer_is_the_same_however_it_is_cut() {
    // Answer; fault for an expected length of 3; whether the marker `x: 1` was seen; whether the connection ends.
    let table = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", None, false, false),
        ("HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length:3\r\nConnection: Close\r\n\r\nabc", None, true, true),
        ("HTTP/1.1 103 Hint\r\nx: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", None, false, false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", None, false, false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", Some(Fault::Length), false, false),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc", Some(Fault::Status), false, false),
        ("HTTP/1.1 204 No Content\r\n\r\n", Some(Fault::Status), false, false),
    ];
    let expect = Expect { length: Some(3), marker: Some(memmem::Finder::new(b"x: 1")), says: None };
    for (text, fault, marked, last) in table {
        for cut in 0..=text.len() {
            let (one, other) = text.as_bytes().split_at(cut);
            let (mut client, mut out, mut got) = (Client::new(), Vec::new(), Got::default());
            client.begin(&request(), 7, &mut out);
            assert_eq!(client.free(), 0);
            client.receive(one, &expect, &mut got).unwrap();
            client.receive(other, &expect, &mut got).unwrap();
            let found: Vec<_> = got.done.iter().map(|done| (done.intended, done.fault, done.marked)).collect();
            assert_eq!(found, [(7, fault, marked)], "{text:?} cut at {cut}");
            assert_eq!((client.last(), client.free()), (last, usize::from(!last)), "{text:?} cut at {cut}");
        }
    }
}

#[test]
fn what_nobody_asked_for_ends_the_connection() {
    let expect = Expect { length: None, marker: None, says: None };
    let mut client = Client::new();
    let answer = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(client.receive(answer, &expect, &mut Got::default()), Err(Fault::Closed));
}

#[test]
fn what_a_stream_says_is_heard_however_it_is_cut() {
    let token = |due: u64| format!("data: {{\"content\":\" at {due:016}\"}}\n\n");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let says = || Some(memmem::Finder::new(b"[DONE]"));
    let expect = Expect { length: None, marker: None, says: says() };
    for (end, fault) in [("data: [DONE]\n\n", None), ("data: [DO", Some(Fault::Words))] {
        let body = [token(7), token(8) + &token(9), end.to_owned()].map(|text| chunk(&text)).concat();
        let text = format!("{head}{body}0\r\n\r\n");
        for cut in 0..=text.len() {
            let (one, other) = text.as_bytes().split_at(cut);
            let (mut client, mut out) = (Client::new(), Vec::new());
            let mut got = Got { now: 1, ..Got::default() };
            client.begin(&request(), 0, &mut out);
            client.receive(one, &expect, &mut got).unwrap();
            got.now = 2;
            client.receive(other, &expect, &mut got).unwrap();
            // The body's first byte stands behind the head and the chunk's size.
            let first = if cut > head.len() + "2a\r\n".len() { 1 } else { 2 };
            let found: Vec<_> = got.done.iter().map(|done| (done.fault, done.first)).collect();
            assert_eq!((found, got.tokens.as_slice()), (vec![(fault, Some(first))], &[7, 8, 9][..]), "cut at {cut}");
        }
    }
}
