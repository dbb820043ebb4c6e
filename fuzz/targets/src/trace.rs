//! `traceparent`: what is passed on is what W3C Trace Context section 3.2 calls valid.

use std::sync::LazyLock;

use regex::bytes::Regex;

pub(crate) fn run(input: &[u8]) {
    static VALID: LazyLock<Regex> = LazyLock::new(|| {
        let known = "00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}";
        let later = "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(?s:.)*)?";
        Regex::new(&format!("^(?-u:{known}|{later})$")).expect("a pattern")
    });
    let zeros =
        |from: usize, count: usize| input.get(from..from + count).is_some_and(|id| id.iter().all(|b| *b == b'0'));
    let more = input.starts_with(b"00") && input.len() > 55;
    let valid = VALID.is_match(input) && !more && !input.starts_with(b"ff") && !zeros(3, 32) && !zeros(36, 16);
    assert_eq!(proxy::fuzzing::is_traceparent(input), valid, "{}", input.escape_ascii());
}
