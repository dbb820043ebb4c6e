//! Forms of several parts (RFC 7578), read as far as routing asks: where the model's name stands.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

/// A form, and where it names the model.
pub(super) struct Form {
    body: Bytes,
    model: Option<Range<usize>>,
}

/// Most parts of a form.
const PARTS: usize = 256;

impl Form {
    /// Reads a form whose parts are divided by this boundary, or says why it cannot be read.
    pub(super) fn read(body: Bytes, boundary: &str) -> Result<Self, &'static str> {
        let broken = "The body is not the form that its content type says.";
        let mut model = None;
        let open = format!("--{boundary}");
        let divide = format!("\r\n--{boundary}");
        // What stands before the first boundary means nothing.
        let mut at = if body.starts_with(open.as_bytes()) {
            open.len()
        } else {
            end_of(&body, divide.as_bytes()).ok_or(broken)? + divide.len()
        };
        for _ in 0..PARTS {
            let rest = body.get(at..).ok_or(broken)?;
            if rest.starts_with(b"--") {
                return Ok(Self { body, model });
            }
            let head = memmem::find(rest, b"\r\n").ok_or(broken)? + 2;
            let fields = rest.get(head..).ok_or(broken)?;
            // A part without fields begins with the empty line.
            let (fields, content) = if fields.starts_with(b"\r\n") {
                (&b""[..], head + 2)
            } else {
                let end = memmem::find(fields, b"\r\n\r\n").ok_or(broken)?;
                (fields.get(..end).ok_or(broken)?, head + end + 4)
            };
            let length = end_of(rest.get(content..).ok_or(broken)?, divide.as_bytes()).ok_or(broken)?;
            if is_model(fields) {
                if model.is_some() {
                    return Err("The form names its `model` twice.");
                }
                model = Some(at + content..at + content + length);
            }
            at += content + length + divide.len();
        }
        Err("The form has more than 256 parts.")
    }

    /// All of it.
    pub(super) const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The model's name.
    pub(super) fn model(&self) -> Option<&str> {
        std::str::from_utf8(self.body.get(self.model.clone()?)?).ok()
    }

    /// The same with another model's name.
    pub(super) fn for_model(&self, name: &str) -> Bytes {
        let Some(range) = &self.model else { return self.body.clone() };
        let (Some(before), Some(after)) = (self.body.get(..range.start), self.body.get(range.end..)) else {
            return self.body.clone();
        };
        // A name with a line break would be able to say more than a name.
        let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
        [before, name.as_bytes(), after].concat().into()
    }
}

/// Where a part ends: before a boundary that is not the beginning of other text.
fn end_of(rest: &[u8], divide: &[u8]) -> Option<usize> {
    memmem::find_iter(rest, divide).find(|at| {
        let after = rest.get(at + divide.len()..).unwrap_or_default();
        after.starts_with(b"\r\n") || after.starts_with(b"--") || after.starts_with(b" ") || after.starts_with(b"\t")
    })
}

/// Whether these fields are those of a part that is named `model`.
fn is_model(fields: &[u8]) -> bool {
    fields.split(|byte| *byte == b'\n').any(|line| {
        let Ok(line) = std::str::from_utf8(line) else { return false };
        let Some((name, value)) = line.split_once(':') else { return false };
        name.trim().eq_ignore_ascii_case("content-disposition")
            && value.split(';').map(str::trim).any(|word| {
                let named = word.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case("name"));
                named.is_some_and(|(_, value)| value.trim().trim_matches('"') == "model")
            })
    })
}

/// The boundary that a content type names.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = named.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty() && value.len() <= 70).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"model\"\r\n\
                        content-type: audio/wav\r\n\r\n\r\n--bx\r\nname=model\r\n\
                        --b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nsmart\r\n\
                        --b\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\n\r\n--b--\r\n";

    #[test]
    fn only_the_model_changes() {
        let form = Form::read(FORM.into(), "b").unwrap();
        assert_eq!(form.model(), Some("smart"));
        assert_eq!(form.for_model("whisper-1"), FORM.replace("smart", "whisper-1"));
        assert_eq!(form.for_model("a\r\n--b"), FORM.replace("smart", "a--b"));
        assert_eq!(form.body(), FORM);
        let preamble = format!("what stands before\r\n{FORM}");
        assert_eq!(Form::read(preamble.into(), "b").unwrap().model(), Some("smart"));
    }

    #[test]
    fn what_is_no_form_says_so() {
        let twice = FORM.replace("name=\"note\"", "name=model");
        for (text, says) in
            [("", "not the form"), ("--b", "not the form"), (&*twice, "twice"), ("--b\r\n\r\nx", "form")]
        {
            let said = Form::read(text.to_owned().into(), "b").err().unwrap();
            assert!(said.contains(says), "{text}: {said}");
        }
        let many = format!("{}--b--", "--b\r\n\r\nx\r\n".repeat(300));
        assert!(Form::read(many.into(), "b").err().unwrap().contains("256"));
    }

    #[test]
    fn boundaries() {
        for (kind, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data; charset=x; Boundary=\"a b\"", Some("a b")),
            ("multipart/mixed; boundary=abc", None),
            ("multipart/form-data; boundary=", None),
            ("application/json", None),
        ] {
            assert_eq!(boundary(kind), expected, "{kind}");
        }
    }
}
