//! URLs of targets: the parts say what the whole says.

use proxy::fuzzing::target;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (host, port, authority) = match target(text) {
        Ok(parts) => parts,
        Err(problems) => return assert!(problems.has_errors()),
    };
    assert!(!host.is_empty() && port > 0, "{text}");
    assert!(
        !host.contains(['/', '?', '#', '@', '[', ']']) && !host.bytes().any(|byte| byte.is_ascii_control()),
        "{text}"
    );
    let scheme = text.split_once("://").expect("a scheme").0;
    let again = target(&format!("{scheme}://{authority}"));
    assert!(again.is_ok_and(|again| again == (host.clone(), port, authority)), "{text}");
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let (same, of, _) = target(&format!("{scheme}://{bracketed}:{port}")).unwrap_or_else(|_| panic!("{text}"));
    assert_eq!((same, of), (host, port), "{text}");
}
