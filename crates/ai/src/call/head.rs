//! The few fields of a request that choose where it goes, read without reading the rest of it.

use std::borrow::Cow;

use bytes::Bytes;

use super::asked::Turn;
use super::form::Form;
use crate::translate::Refused;
use crate::wire::scan::Scan;

/// The body.
enum Said {
    Json(Scan),
    Form(Form),
    Nothing(Bytes),
}

/// What a request says of itself.
pub(crate) struct Head {
    said: Said,
    /// The model that is asked for.
    pub(crate) model: String,
    /// Whether the body names it, and not the path.
    in_body: bool,
    /// Whether the answer is to come as a stream.
    pub(crate) stream: bool,
    /// Whether usage is asked for in the stream, in OpenAI's way.
    pub(crate) include_usage: bool,
}

impl Head {
    /// Reads it, or says why it cannot be read. What the path says counts.
    pub(crate) fn read(body: Bytes, turn: &Turn) -> Result<Self, String> {
        Self::read_or(body, turn, None)
    }

    /// The same; where the request names no model, this one is meant.
    pub(crate) fn read_or(body: Bytes, turn: &Turn, fallback: Option<&str>) -> Result<Self, String> {
        let scan = Scan::of(body).map_err(|refused| format!("The body is not the JSON it should be: {refused}."))?;
        let named = scan.raw("model").filter(|raw| fallback.is_none() || *raw != "null");
        let model = match (&turn.model, named, fallback) {
            (Some(model), ..) => model.to_string(),
            (None, Some(raw), _) => serde_json::from_str(raw).map_err(|_| "`model` is not a text.".to_owned())?,
            (None, None, Some(fallback)) => fallback.to_owned(),
            (None, None, None) => return Err("The request names no `model`.".to_owned()),
        };
        let in_body = turn.model.is_none() && named.is_some();
        let stream = match scan.raw("stream") {
            None | Some("false" | "null") => false,
            Some("true") => true,
            Some(_) => return Err("`stream` is neither true nor false.".to_owned()),
        };
        let include_usage = scan.include_usage();
        Ok(Self { said: Said::Json(scan), model, in_body, stream: turn.stream.unwrap_or(stream), include_usage })
    }

    /// Reads a form whose parts are divided by this boundary.
    pub(crate) fn form(body: Bytes, boundary: &str) -> Result<Self, &'static str> {
        let form = Form::read(body, boundary)?;
        let model = form.model().ok_or("The form names no `model`.")?.to_owned();
        Ok(Self { said: Said::Form(form), model, in_body: true, stream: false, include_usage: false })
    }

    /// A request that says nothing but its model, and that not in a body.
    pub(crate) fn bare(model: &str) -> Self {
        let said = Said::Nothing(Bytes::new());
        Self { said, model: model.to_owned(), in_body: false, stream: false, include_usage: false }
    }

    /// A field of it, as it is written.
    pub(crate) fn raw(&self, key: &str) -> Option<&str> {
        match &self.said {
            Said::Json(scan) => scan.raw(key),
            Said::Form(_) | Said::Nothing(_) => None,
        }
    }

    /// The request as it came.
    pub(crate) const fn body(&self) -> &Bytes {
        match &self.said {
            Said::Json(scan) => scan.body(),
            Said::Form(form) => form.body(),
            Said::Nothing(none) => none,
        }
    }

    /// Whether the body is JSON.
    pub(crate) const fn is_json(&self) -> bool {
        matches!(self.said, Said::Json(_))
    }

    /// A field that is a text.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        match &self.said {
            Said::Json(scan) => scan.string(key),
            Said::Form(_) | Said::Nothing(_) => None,
        }
    }

    /// Puts another body in the place of the one that came; what was read of it stays.
    pub(crate) fn replace(&mut self, body: Bytes) -> Result<(), Refused> {
        self.said = Said::Json(Scan::of(body)?);
        Ok(())
    }

    /// The same request for a model of this name, every other byte as it came, or as it was shaped; where usage is to be asked for, that too.
    pub(crate) fn with_model(&self, shaped: Option<Bytes>, model: &str, ask_usage: bool) -> Result<Bytes, Refused> {
        if let Some(shaped) = shaped {
            return Ok(if self.in_body { Scan::of(shaped)?.for_model(model, ask_usage).into() } else { shaped });
        }
        Ok(self.own_with_model(model, ask_usage))
    }

    fn own_with_model(&self, model: &str, ask_usage: bool) -> Bytes {
        if !self.in_body || self.model == model && !ask_usage {
            return self.body().clone();
        }
        match &self.said {
            Said::Json(scan) => scan.for_model(model, ask_usage).into(),
            Said::Form(form) => form.for_model(model),
            Said::Nothing(none) => none.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::asked::{Asked, asked};

    fn turn() -> Turn {
        static URI: std::sync::OnceLock<http::Uri> = std::sync::OnceLock::new();
        let uri = URI.get_or_init(|| http::Uri::from_static("/v1/chat/completions"));
        let Some(Asked::Turn(turn)) = asked(&http::Method::POST, uri) else { panic!("a turn") };
        turn
    }

    #[test]
    fn only_the_model_changes() {
        let body = "{ \"x\": [1, {\"model\": \"no\"}],\n\"model\" : \"a\\u0062\" , \"stream\":true}";
        let head = Head::read(body.into(), &turn()).ok().unwrap();
        assert_eq!((head.model.as_str(), head.stream, head.include_usage), ("ab", true, false));
        let other = head.own_with_model("c\"d", false);
        assert_eq!(&other[..], b"{ \"x\": [1, {\"model\": \"no\"}],\n\"model\" : \"c\\\"d\" , \"stream\":true}");
        assert_eq!(head.own_with_model("ab", false), body);
        let asking = head.own_with_model("ab", true);
        assert!(asking.ends_with(b"\"stream\":true,\"stream_options\":{\"include_usage\":true}}"), "{asking:?}");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (body, says) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{}", "names no `model`"),
            (r#"{"model": 1}"#, "`model` is not a text"),
            (r#"{"model": "a", "model": "b"}"#, "stands twice"),
            (r#"{"model": "a", "Model": "b"}"#, "stands twice"),
            (r#"{"model": "a", "stream": "yes"}"#, "`stream` is neither"),
            (r#"{"model": "a"} x"#, "not a JSON object"),
        ] {
            let said = Head::read(body.into(), &turn()).err().unwrap();
            assert!(said.contains(says), "{body}: {said}");
        }
    }
}
