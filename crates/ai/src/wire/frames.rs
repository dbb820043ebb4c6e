//! Binary streams as the lines of a text file, for the goldens: kind, name, payload.

use super::eventstream::{Reader, write};

pub(crate) fn of_lines(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut parts = line.splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_default();
        let (kind, name, payload) = (next(), next(), next());
        write(&mut out, kind, name, payload.as_bytes());
    }
    out
}

pub(crate) fn to_lines(bytes: &[u8]) -> String {
    let mut text = String::new();
    Reader::default()
        .push(bytes, |message| {
            let payload = String::from_utf8_lossy(message.payload);
            text.push_str(&format!("{} {} {payload}\n", message.kind, message.name));
        })
        .unwrap();
    text
}
