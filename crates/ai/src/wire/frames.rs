//! Binary streams as the lines of a text file, for the goldens.

pub(crate) fn of_lines(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub(crate) fn to_lines(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
