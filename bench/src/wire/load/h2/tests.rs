use super::*;
use crate::wire::load::{Protocol, Shape};

const EXPECT: Expect = Expect { length: Some(3), marker: None, says: None };

fn begun(streams: usize) -> (Client, Vec<u8>) {
    let shape =
        Shape { scheme: "https", authority: "h".into(), path: "/p".into(), headers: vec![], body: String::new() };
    let request = Request::new(Protocol::H2, &shape);
    let mut out = Vec::new();
    let mut client = Client::new(streams, &mut out);
    (0..streams as u64).for_each(|at| client.begin(&request, at, &mut out));
    (client, out)
}

#[test]
fn what_is_sent_is_what_the_protocol_asks_for() {
    let (client, out) = begun(2);
    let mut rest = out.strip_prefix(PREFACE).unwrap();
    let mut frames = Vec::new();
    while let Some((frame, after)) = split(rest).unwrap() {
        frames.push((frame.kind, frame.flags, frame.stream));
        rest = after;
    }
    assert_eq!(frames, [(SETTINGS, 0, 0), (WINDOW_UPDATE, 0, 0), (HEADERS, 5, 1), (HEADERS, 5, 3)]);
    assert_eq!((rest.len(), client.free()), (0, 0));
}

#[test]
fn answers_are_the_same_however_they_are_cut() {
    let mut bytes = Vec::new();
    frame(&mut bytes, SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]);
    frame(&mut bytes, PING, 0, 0, b"12345678");
    frame(&mut bytes, HEADERS, END_HEADERS, 3, &[0x3f, 0xe1, 0x1f, 0x88]);
    frame(&mut bytes, HEADERS, END_HEADERS, 1, &[0x8d]);
    frame(&mut bytes, DATA, 0, 3, b"a");
    frame(&mut bytes, DATA, PADDED | END_STREAM, 3, b"\x02bc\0\0");
    frame(&mut bytes, DATA, END_STREAM, 1, b"abc");
    frame(&mut bytes, HEADERS, END_HEADERS, 5, &[0x88]);
    frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, 5, &[0x40]);
    frame(&mut bytes, RST_STREAM, 0, 7, &[0, 0, 0, 8]);
    frame(&mut bytes, GOAWAY, 0, 0, &[0; 8]);
    for cut in 0..=bytes.len() {
        let (one, other) = bytes.split_at(cut);
        let (mut client, _) = begun(4);
        let (mut done, mut out) = (Vec::new(), Vec::new());
        client.receive(one, &EXPECT, &mut done, &mut out).unwrap();
        client.receive(other, &EXPECT, &mut done, &mut out).unwrap();
        let found: Vec<_> = done.iter().map(|done| (done.intended, done.fault)).collect();
        let expected = [(1, None), (0, Some(Fault::Status)), (2, Some(Fault::Length)), (3, Some(Fault::Reset))];
        assert_eq!(found, expected, "cut at {cut}");
        assert!(client.last() && client.free() == 0);
        // The settings and the ping are answered.
        assert_eq!(out, [&[0, 0, 0, 4, 1, 0, 0, 0, 0][..], &[0, 0, 8, 6, 1, 0, 0, 0, 0], b"12345678"].concat());
    }
}

#[test]
fn the_connections_window_is_given_back() {
    let (mut client, _) = begun(1);
    let mut data = Vec::new();
    frame(&mut data, DATA, 0, 1, &[0; 16 << 10]);
    let (mut done, mut out) = (Vec::new(), Vec::new());
    for _ in 0..1024 {
        client.receive(&data, &EXPECT, &mut done, &mut out).unwrap();
    }
    assert_eq!(out, [0, 0, 4, WINDOW_UPDATE, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn a_frame_out_of_all_proportion_is_refused() {
    let (mut client, _) = begun(1);
    let result = client.receive(&[0xff; 9], &EXPECT, &mut Vec::new(), &mut Vec::new());
    assert_eq!(result, Err(Fault::Malformed));
}
