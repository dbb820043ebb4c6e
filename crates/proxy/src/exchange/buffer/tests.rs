use std::collections::VecDeque;

use http::{HeaderMap, Request, Response, response};

use super::*;
use crate::exchange::{BodyError, Transform, testing};

/// Doubles each chunk, and puts an end behind all.
struct Double;

impl Transform for Double {
    fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        out.extend([chunk.clone(), chunk]);
        Ok(())
    }
    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), BodyError> {
        out.push_back(Bytes::from_static(b"."));
        Ok(())
    }
}

fn parts(texts: &[&'static str], trailers: Option<HeaderMap>) -> Body {
    Body::Parts(texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect(), trailers)
}

fn text(body: &Body) -> String {
    match body {
        Body::Empty => String::new(),
        Body::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn exchange(fields: &[(&str, &str)], body: Body) -> Box<Exchange> {
    let request = fields.iter().fold(Request::post("/"), |request, (name, value)| request.header(*name, *value));
    testing::exchange(request.body(body).unwrap())
}

#[tokio::test]
async fn a_request_body_is_read_wholly() {
    for (texts, most, expected) in [
        (&["one"][..], 3, Ok("one")),
        (&["o", "", "n", "e"], 3, Ok("one")),
        (&["", "one"], 3, Ok("one")),
        (&[], 3, Ok("")),
        (&["o", "ne", "!"], 3, Err(413)),
    ] {
        let mut x = exchange(&[("transfer-encoding", "chunked")], parts(texts, None));
        let read = buffer(&mut x, most).await.map_err(|error| error.code.status);
        assert_eq!(read, expected.map(|_| ()));
        if let Ok(expected) = expected {
            assert_eq!(text(&x.request_body), expected);
            assert_eq!(x.request.headers.get("content-length").unwrap(), &expected.len().to_string());
            assert!(!x.request.headers.contains_key("transfer-encoding"));
            assert_eq!(x.bytes_in(), expected.len() as u64);
            // Read again, for a second step: nothing is counted twice.
            buffer(&mut x, most).await.unwrap();
            assert_eq!((text(&x.request_body).as_str(), x.bytes_in()), (expected, expected.len() as u64));
        }
    }
}

#[tokio::test]
async fn the_bound_of_the_exchange_holds_too() {
    let mut x = exchange(&[], parts(&["abc", "def"], None));
    x.body_limit = 5;
    assert_eq!(buffer(&mut x, 100).await.unwrap_err().code, &codes::BODY_TOO_LARGE);
    assert!(matches!(x.request_body, Body::Empty));
}

#[tokio::test]
async fn transforms_before_the_step_are_applied() {
    let mut x = exchange(&[("content-length", "2")], parts(&["a", "b"], None));
    x.request_transforms.push(Box::new(Double));
    buffer(&mut x, 5).await.unwrap();
    assert_eq!(text(&x.request_body), "aabb.");
    assert_eq!(x.request.headers["content-length"], "5");
    assert!(x.request_transforms.is_empty());
    assert_eq!(x.bytes_in(), 2);

    let mut x = exchange(&[], parts(&["a", "b"], None));
    x.request_transforms.push(Box::new(Double));
    assert_eq!(buffer(&mut x, 4).await.unwrap_err().code, &codes::BODY_TOO_LARGE);
}

#[tokio::test]
async fn trailers_stay() {
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", HeaderValue::from_static("1"));
    let mut x = exchange(&[("trailer", "checksum")], parts(&["a", "b"], Some(trailers)));
    buffer(&mut x, 5).await.unwrap();
    let Body::Parts(parts, Some(trailers)) = &x.request_body else { panic!("{:?}", x.request_body) };
    assert_eq!((parts.len(), &parts[0][..], &trailers["checksum"]), (1, &b"ab"[..], &HeaderValue::from_static("1")));
    assert!(!x.request.headers.contains_key("content-length"));
}

#[tokio::test]
async fn streams_are_left_alone() {
    for fields in [[("content-type", "application/grpc+proto")], [("upgrade", "websocket")]] {
        let mut x = exchange(&fields, parts(&["a", "b"], None));
        buffer(&mut x, 0).await.unwrap();
        assert!(matches!(&x.request_body, Body::Parts(parts, _) if parts.len() == 2), "{fields:?}");
    }
    for (status, kind) in [(200, "Text/Event-Stream; charset=utf-8"), (200, "application/grpc"), (304, "text/plain")] {
        let mut x = exchange(&[], Body::Empty);
        x.response = Some(answer(status, kind));
        x.response_body = parts(&["a", "b"], None);
        buffer_response(&mut x, 0).await.unwrap();
        assert!(matches!(&x.response_body, Body::Parts(parts, _) if parts.len() == 2), "{kind}");
    }
}

#[tokio::test]
async fn a_head_s_length_is_left_alone() {
    let mut x = testing::exchange(Request::head("/").body(Body::Empty).unwrap());
    let mut head = answer(200, "text/plain");
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("77"));
    x.response = Some(head);
    buffer_response(&mut x, 10).await.unwrap();
    assert_eq!(x.response.as_ref().unwrap().headers[CONTENT_LENGTH], "77");
}

fn answer(status: u16, kind: &str) -> response::Parts {
    Response::builder().status(status).header("content-type", kind).body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn a_response_body_is_read_wholly() {
    let mut x = exchange(&[], Body::Empty);
    x.response = Some(answer(200, "text/plain"));
    x.response_body = parts(&["a", "b"], None);
    x.response_transforms.push(Box::new(Double));
    buffer_response(&mut x, 5).await.unwrap();
    assert_eq!(text(&x.response_body), "aabb.");
    assert_eq!(x.response.as_ref().unwrap().headers["content-length"], "5");

    x.response_body = parts(&["abc", "def"], None);
    assert_eq!(buffer_response(&mut x, 5).await.unwrap_err().code, &codes::RESPONSE_TOO_LARGE);
}
