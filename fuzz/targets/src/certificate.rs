//! Client certificates: no value of a name can look like a part of it (RFC 4514).

use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

pub(crate) fn run(input: &[u8]) {
    let said = proxy::fuzzing::certificate(input);
    let Ok((_, parsed)) = X509Certificate::from_der(input) else {
        assert!(said.is_none());
        return;
    };
    let said = said.expect("what the certificate says");
    check(&said.subject, parsed.subject());
    check(&said.issuer, parsed.issuer());
    assert!(said.serial.len() >= 2 && said.serial.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

fn check(text: &str, name: &X509Name<'_>) {
    assert!(!text.contains(char::is_control), "{text:?}");
    let attributes: Vec<usize> = name.iter_rdn().map(|part| part.iter().count()).filter(|count| *count > 0).collect();
    let parts = split(text, ',');
    let parts: Vec<usize> = parts.iter().filter(|part| !part.is_empty()).map(|part| split(part, '+').len()).collect();
    assert_eq!(parts, attributes.into_iter().rev().collect::<Vec<_>>(), "{text}");
}

/// The parts between separators that are not escaped.
fn split(text: &str, by: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                let last = parts.last_mut().expect("a part");
                last.push(char);
                last.extend(chars.next());
            }
            _ if char == by => parts.push(String::new()),
            _ => parts.last_mut().expect("a part").push(char),
        }
    }
    parts
}
