//! Takes request bodies of some content types alone, and tells at once those whose client takes none of the answers.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use model::load::Spanned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::{Blame, Body, Code, Error, Exchange};
use crate::policies::media_types::{MediaTypes, essence};
use crate::policies::quality::items;
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Takes request bodies of some content types alone.
pub(crate) struct ContentTypes;

/// Takes request bodies of some content types alone: others are refused with 415, which says what is taken. Where it is
/// said what answers there are, clients that accept none of them are told so with 406 before anything is done.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "ContentTypes")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// What request bodies may be: `application/json`, all of a kind (`text/*`), or all with a suffix (`*+json`). None
    /// means anything.
    #[schemars(extend("default" = []))]
    request: Vec<Spanned<String>>,
    /// What becomes of a body that does not say what it is.
    untyped: Untyped,
    /// What answers may be, each whole: `application/json`. None means that it is not looked at.
    #[schemars(extend("default" = []))]
    response: Vec<Spanned<String>>,
}

/// What becomes of a body that does not say what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "UntypedBody")]
#[serde(rename_all = "snake_case")]
enum Untyped {
    /// It is refused.
    #[default]
    Deny,
    /// It passes.
    Allow,
}

static UNSUPPORTED: Code = Code {
    name: "content_types.unsupported",
    status: 415,
    title: "Unsupported content type",
    blame: Blame::Client,
    proxy_status: None,
};

static NOT_ACCEPTABLE: Code = Code {
    name: "content_types.not_acceptable",
    status: 406,
    title: "Not acceptable",
    blame: Blame::Client,
    proxy_status: None,
};

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

impl Policy for ContentTypes {
    type Spec = Spec;
    const KIND: &'static str = "content_types";
    const ORDER: (Stage, u8) = (Stage::Validate, 5);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&UNSUPPORTED, &NOT_ACCEPTABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.request.is_empty() && spec.response.is_empty() {
            cx.problem(cx.span, "the policy takes everything", "give `request` or `response` a content type");
            return None;
        }
        let mut right = true;
        for wide in spec.response.iter().filter(|kind| kind.contains('*')) {
            cx.problem(wide.span, format!("`{}` is not one content type", **wide), "write each answer's own");
            right = false;
        }
        let request = MediaTypes::compile(&spec.request, cx);
        let response = MediaTypes::compile(&spec.response, cx).filter(|_| right);
        let names: Vec<&str> =
            spec.request.iter().map(|kind| kind.as_str()).filter(|kind| !kind.starts_with('*')).collect();
        let step = Types {
            anything: spec.request.is_empty(),
            request: request?,
            taken: HeaderValue::try_from(names.join(", ")).ok().filter(|_| !names.is_empty()),
            untyped: spec.untyped,
            response: spec.response.iter().map(|kind| essence(kind).into()).collect(),
        };
        response.map(|_| Arc::new(step) as Arc<dyn Step>)
    }
}

struct Types {
    anything: bool,
    request: MediaTypes,
    /// The same as a list for clients. What goes by suffix has no form there.
    taken: Option<HeaderValue>,
    untyped: Untyped,
    response: Box<[Box<str>]>,
}

impl Step for Types {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if !self.anything && has_body(x) && !self.takes(&x.request.headers) {
            return Verdict::fail(self.unsupported(&x.request.method));
        }
        if !self.response.is_empty() && !self.answers(&x.request.headers) {
            let detail = format!("The answer is one of: {}.", self.response.join(", "));
            return Verdict::fail(Error::new(&NOT_ACCEPTABLE, detail));
        }
        Verdict::NEXT
    }
}

impl Types {
    fn takes(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(CONTENT_TYPE).iter();
        match (lines.next(), lines.next()) {
            (None, _) => self.untyped == Untyped::Allow,
            // Of two, the upstream may read the other.
            (Some(_), Some(_)) => false,
            (Some(_), None) => self.request.has(headers),
        }
    }

    /// The refusal, which says what is taken (RFC 9110 section 15.5.16; RFC 5789 section 2.2 for PATCH).
    fn unsupported(&self, method: &Method) -> Error {
        let error = Error::new(&UNSUPPORTED, "A body of this content type is not taken here.");
        let Some(taken) = self.taken.clone() else { return error };
        let error = error.header(ACCEPT, taken.clone());
        match *method {
            Method::POST => error.header(ACCEPT_POST, taken),
            Method::PATCH => error.header(ACCEPT_PATCH, taken),
            _ => error,
        }
    }

    /// Whether the client accepts one of the answers (RFC 9110 section 12.5.1).
    fn answers(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(ACCEPT).iter().peekable();
        if lines.peek().is_none() {
            return true;
        }
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        self.response.iter().any(|kind| weight(&lines, kind) > 0)
    }
}

/// What a client says of a content type: of itself, else of its kind, else of all.
fn weight(accepted: &[&str], kind: &str) -> u16 {
    let of = |wanted: &dyn Fn(&str) -> bool| {
        accepted.iter().flat_map(|line| items(line)).find(|(item, _)| wanted(item)).map(|(_, weight)| weight)
    };
    let family = kind.split_once('/').map_or(kind, |(family, _)| family);
    of(&|item| item.eq_ignore_ascii_case(kind))
        .or_else(|| of(&|item| item.strip_suffix("/*").is_some_and(|of| of.eq_ignore_ascii_case(family))))
        .or_else(|| of(&|item| item == "*/*"))
        .unwrap_or(0)
}

fn has_body(x: &Exchange) -> bool {
    let said = x.request.headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    said || !matches!(x.request_body, Body::Empty)
}
