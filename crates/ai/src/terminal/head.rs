//! The few fields of a request that choose where it goes, read without reading the rest of it.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::door::Turn;

/// What a request says of itself.
pub(super) struct Head {
    /// The model that is asked for.
    pub(super) model: String,
    /// Where its name stands in the body, quotes included.
    place: Option<(usize, usize)>,
    /// Whether the answer is to come as a stream.
    pub(super) stream: bool,
    /// Whether usage is asked for in the stream, in OpenAI's way.
    pub(super) include_usage: bool,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl Head {
    /// Reads it, or says why it cannot be read. What the path says counts.
    pub(super) fn read(body: &[u8], turn: &Turn<'_>) -> Result<Self, String> {
        let fields: Fields<'_> =
            serde_json::from_slice(body).map_err(|error| format!("The body is not the JSON it should be: {error}."))?;
        let (model, place) = match (&turn.model, fields.model) {
            (Some(model), _) => (model.clone().into_owned(), None),
            (None, Some(raw)) => {
                let model = serde_json::from_str(raw.get()).map_err(|_| "`model` is not a text.".to_owned())?;
                let start = (raw.get().as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
                (model, Some((start, start + raw.get().len())))
            }
            (None, None) => return Err("The request names no `model`.".to_owned()),
        };
        Ok(Self {
            model,
            place,
            stream: turn.stream.or(fields.stream).unwrap_or_default(),
            include_usage: fields.stream_options.and_then(|options| options.include_usage).unwrap_or_default(),
        })
    }

    /// The same request for a model of this name, every other byte as it came.
    pub(super) fn with_model(&self, body: &Bytes, model: &str) -> Bytes {
        let Some((start, end)) = self.place.filter(|_| self.model != model) else { return body.clone() };
        let (Some(before), Some(after)) = (body.get(..start), body.get(end..)) else { return body.clone() };
        let name = serde_json::to_vec(model).unwrap_or_default();
        let mut out = BytesMut::with_capacity(before.len() + name.len() + after.len());
        out.extend_from_slice(before);
        out.extend_from_slice(&name);
        out.extend_from_slice(after);
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::door::{Asked, asked};

    fn turn() -> Turn<'static> {
        static URI: std::sync::OnceLock<http::Uri> = std::sync::OnceLock::new();
        let uri = URI.get_or_init(|| http::Uri::from_static("/v1/chat/completions"));
        let Some(Asked::Turn(turn)) = asked(&http::Method::POST, uri) else { panic!("a turn") };
        turn
    }

    #[test]
    fn only_the_model_changes() {
        let body =
            Bytes::from_static(b"{ \"x\": [1, {\"model\": \"no\"}],\n\"model\" : \"a\\u0062\" , \"stream\":true}");
        let head = Head::read(&body, &turn()).ok().unwrap();
        assert_eq!((head.model.as_str(), head.stream, head.include_usage), ("ab", true, false));
        let other = head.with_model(&body, "c\"d");
        assert_eq!(&other[..], b"{ \"x\": [1, {\"model\": \"no\"}],\n\"model\" : \"c\\\"d\" , \"stream\":true}");
        assert_eq!(head.with_model(&body, "ab"), body);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (body, says) in [
            ("", "EOF"),
            ("[]", "JSON"),
            ("{}", "names no `model`"),
            (r#"{"model": 1}"#, "`model` is not a text"),
            (r#"{"model": "a", "model": "b"}"#, "duplicate field `model`"),
            (r#"{"model": "a", "stream": "yes"}"#, "line 1"),
            (r#"{"model": "a"} x"#, "trailing"),
        ] {
            let said = Head::read(body.as_bytes(), &turn()).err().unwrap();
            assert!(said.contains(says), "{body}: {said}");
        }
    }
}
