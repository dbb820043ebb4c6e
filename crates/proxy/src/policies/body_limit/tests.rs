use bytes::Bytes;
use http::Request;

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(listener: &str, api: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ {listener} }} }}]
apis: [{{ name: a, policies: {{ body_limit: {api} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

/// The status for a body of this many bytes, with or without saying so.
fn status(yaml: &str, bytes: usize, says: Option<usize>) -> u16 {
    let request = Request::post("/");
    let request = says.iter().fold(request, |request, length| request.header("content-length", *length));
    let body = Body::from(Bytes::from(vec![b'x'; bytes]));
    answer(&program(yaml), request.body(body).unwrap()).status().as_u16()
}

#[test]
fn a_body_is_bounded() {
    for (limit, bytes, says, expected) in [
        ("4B", 4, Some(4), 200),
        ("4B", 5, Some(5), 413),
        ("4B", 4, None, 200),
        ("4B", 5, None, 413),
        ("{ limit: 4B }", 5, None, 413),
        ("0B", 0, None, 200),
        ("0B", 1, None, 413),
        // What is said is enough: nothing is read.
        ("1KiB", 0, Some(1025), 413),
    ] {
        assert_eq!(status(&configuration("", limit), bytes, says), expected, "{limit} {bytes} {says:?}");
    }
}

#[test]
fn the_smallest_bound_of_all_levels_holds() {
    for (listener, api) in [("body_limit: 4B", "8B"), ("body_limit: 8B", "4B")] {
        let yaml = configuration(listener, api);
        assert_eq!([status(&yaml, 4, None), status(&yaml, 5, None)], [200, 413], "{listener} {api}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in
        [("10", "a size such as `10MiB`"), ("lots", "a size"), ("{}", "limit"), ("{ limit: 1MiB, max: 1 }", "max")]
    {
        let problems = try_program(&configuration("", policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
