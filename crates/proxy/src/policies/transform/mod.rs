//! Changes bodies: JSON by declared changes or a template, XML and forms to JSON, JSON to XML. What is not concerned stays
//! as it was written.

mod change;
mod dynamic;
mod filter;
mod form;
mod half;
mod parse;
mod path;
mod select;
mod spec;
mod tree;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_RANGE, RANGE,
};
use http::{HeaderMap, Method, StatusCode};

use self::half::{Half, Refused};
use self::spec::{Errors, Format, Spec};
use crate::exchange::{Blame, Body, Code, Error, Exchange, Upgraded, receive};
use crate::expr::Scope;
use crate::policies::{Merge, Need, Needs, Outcome, Policy, Scopes, Stage, Step, Verdict, decompress};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Changes bodies.
pub(crate) struct Transform;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal, $blame:ident, $proxy:expr;)*) => {
        $(static $name: Code =
            Code { name: $code, status: $status, title: $title, blame: Blame::$blame, proxy_status: $proxy };)*
    };
}

codes! {
    MALFORMED = "transform.malformed", 400, "Malformed content", Client, Some("http_request_error");
    UNREADABLE = "transform.unreadable", 415, "Content not readable", Client, None;
    TOO_LARGE = "transform.too_large", 413, "Content too large", Client, Some("http_request_error");
    BAD_ANSWER = "transform.bad_response", 502, "Upstream content not usable", Upstream, Some("http_protocol_error");
    LARGE_ANSWER = "transform.response_too_large", 502, "Upstream content too large", Upstream,
        Some("http_response_body_size");
}

impl Policy for Transform {
    type Spec = Spec;
    const KIND: &'static str = "transform";
    const ORDER: (Stage, u8) = (Stage::Prepare, 10);
    const MERGE: Merge = Merge::Append;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&MALFORMED, &UNREADABLE, &TOO_LARGE, &BAD_ANSWER, &LARGE_ANSWER];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.request.is_none() && spec.response.is_none() {
            cx.problem(cx.span, "nothing is changed", "say what becomes of `request` or `response`");
            return None;
        }
        let request = spec.request.as_ref().map(|side| Half::compile(side, Scope::Request, cx));
        let response = spec.response.as_ref().map(|side| Half::compile(side, Scope::Response, cx));
        let right = request.as_ref().is_none_or(Option::is_some) && response.as_ref().is_none_or(Option::is_some);
        let step = Changer { request: request.flatten(), response: response.flatten(), errors: spec.errors };
        right.then(|| Arc::new(step) as Arc<dyn Step>)
    }
}

struct Changer {
    request: Option<Half>,
    response: Option<Half>,
    errors: Errors,
}

impl Step for Changer {
    fn needs(&self) -> Needs {
        // A body of a kind that is not read streams, so all of it is asked for only once it is seen what it is.
        let of = |half: &Option<Half>| if half.is_some() { Need::Stream } else { Need::None };
        Needs { request: of(&self.request), response: of(&self.response), ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if self.response.is_some() {
            // What comes back is another document, of which the upstream knows no parts.
            x.request.headers.remove(RANGE);
            x.request.headers.remove(IF_RANGE);
        }
        let Some(half) = &self.request else { return Verdict::NEXT };
        if matches!(x.request_body, Body::Empty) && x.request_transforms.is_empty() {
            return Verdict::NEXT;
        }
        let Some(format) = half.format(&x.request.headers) else { return Verdict::NEXT };
        if !is_plain(&x.request.headers) {
            let detail = "The request body is in a content coding or a character encoding that is not read here.";
            return Verdict::fail(Error::new(&UNREADABLE, detail));
        }
        if x.request_transforms.is_empty() && whole(&x.request_body).is_some() {
            return Verdict::Done(half.request(x, format));
        }
        Verdict::Await(Box::pin(async move {
            match receive::buffer(x, half.most).await {
                Ok(()) => half.request(x, format),
                Err(error) => Outcome::Fail(Box::new(error)),
            }
        }))
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(half) = &self.response else { return Verdict::NEXT };
        let own = x.error.is_some() || x.notes.upgraded == Upgraded::Yes;
        let Some(response) = x.response.as_mut().filter(|_| !own) else { return Verdict::NEXT };
        let status = response.status;
        if status.as_u16() >= 400 && self.errors == Errors::Pass || status.is_informational() {
            return Verdict::NEXT;
        }
        let Some(format) = half.format(&response.headers) else { return Verdict::NEXT };
        if x.request.method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            half.mark(&mut response.headers, format);
            response.headers.remove(CONTENT_LENGTH);
            return Verdict::NEXT;
        }
        if status == StatusCode::PARTIAL_CONTENT || response.headers.contains_key(CONTENT_RANGE) {
            return Verdict::fail(Error::new(&BAD_ANSWER, "A part of an answer cannot be changed."));
        }
        match decompress::opened(&mut response.headers, half.most) {
            Ok(None) => {}
            Ok(Some(opener)) => x.response_transforms.push(opener),
            Err(error) => return Verdict::fail(of_upstream(error)),
        }
        if !is_plain(&response.headers) {
            return Verdict::fail(Error::new(
                &BAD_ANSWER,
                "The answer is in a character encoding that is not read here.",
            ));
        }
        if x.response_transforms.is_empty() && whole(&x.response_body).is_some() {
            return Verdict::Done(half.response(x, format));
        }
        Verdict::Await(Box::pin(async move {
            match receive::buffer_response(x, half.most).await {
                Ok(()) => half.response(x, format),
                Err(error) => Outcome::Fail(Box::new(of_upstream(error))),
            }
        }))
    }
}

/// What is wrong with an answer is not the client's fault, whoever found it.
fn of_upstream(error: Error) -> Error {
    if error.code.blame != Blame::Client {
        return error;
    }
    match error.code.status {
        413 => Error::new(&LARGE_ANSWER, "The answer is larger than is read here."),
        _ => Error::new(&BAD_ANSWER, "The content coding of the answer cannot be taken off."),
    }
}

impl Half {
    /// Puts the changed request body in the place of that which came.
    fn request(&self, x: &mut Exchange, format: Format) -> Outcome {
        let Some(body) = whole(&x.request_body).filter(|body| !body.is_empty()) else { return Outcome::Next };
        let made = match self.make(&body, format, x) {
            Ok(made) => made,
            Err(Refused::Malformed(why)) => {
                return fail(Error::new(&MALFORMED, format!("The request body is not {}: {why}.", name(format))));
            }
            Err(Refused::Unfit(why)) => {
                return fail(Error::new(&MALFORMED, format!("The request body does not become XML: {why}.")));
            }
            Err(Refused::TooLarge) => {
                return fail(Error::new(&TOO_LARGE, "The request body is too large when changed."));
            }
            Err(Refused::Failed(error)) => return Outcome::Fail(error),
        };
        self.mark(&mut x.request.headers, format);
        place(&mut x.request_body, &mut x.request.headers, made);
        x.found = None;
        Outcome::Next
    }

    /// Puts the changed answer in the place of that which came.
    fn response(&self, x: &mut Exchange, format: Format) -> Outcome {
        let Some(body) = whole(&x.response_body).filter(|body| !body.is_empty()) else { return Outcome::Next };
        let made = match self.make(&body, format, x) {
            Ok(made) => made,
            Err(Refused::Malformed(why)) => {
                return fail(Error::new(&BAD_ANSWER, format!("The answer is not {}: {why}.", name(format))));
            }
            Err(Refused::Unfit(why)) => {
                return fail(Error::new(&BAD_ANSWER, format!("The answer does not become XML: {why}.")));
            }
            Err(Refused::TooLarge) => return fail(Error::new(&LARGE_ANSWER, "The answer is too large when changed.")),
            Err(Refused::Failed(error)) => return Outcome::Fail(error),
        };
        if let Some(response) = &mut x.response {
            self.mark(&mut response.headers, format);
            place(&mut x.response_body, &mut response.headers, made);
        }
        Outcome::Next
    }

    /// Makes the head that of the changed body, but for its length.
    fn mark(&self, headers: &mut HeaderMap, format: Format) {
        if let Some(kind) = self.content_type(format) {
            headers.insert(CONTENT_TYPE, kind);
        }
        headers.remove(ACCEPT_RANGES);
        for name in &OF_THE_BYTES {
            headers.remove(name);
        }
        // The same document in other bytes: a strong tag would promise the bytes (RFC 9110 section 8.8.1).
        if let Some(tag) = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
            && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
        {
            headers.insert(ETAG, weak);
        }
    }
}

fn fail(error: Error) -> Outcome {
    Outcome::Fail(Box::new(error))
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Json => "JSON",
        Format::Xml => "XML",
        Format::Form => "a form",
    }
}

/// Fields that tell of the very bytes, which are others now.
static OF_THE_BYTES: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Whether a body is in no content coding, and in UTF-8 as far as its head says.
fn is_plain(headers: &HeaderMap) -> bool {
    let identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let charset =
        kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
    let known = |charset: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known));
    headers.get_all(http::header::CONTENT_ENCODING).iter().all(identity) && charset.is_none_or(known)
}

/// All of a body that is here in one piece.
fn whole(body: &Body) -> Option<Bytes> {
    match body {
        Body::Full(bytes) => Some(bytes.clone()),
        Body::Parts(parts, _) if parts.len() == 1 => parts.front().cloned(),
        _ => None,
    }
}

/// Puts a body in the place of another. Trailers stay.
fn place(body: &mut Body, headers: &mut HeaderMap, made: Vec<u8>) {
    let made = Bytes::from(made);
    match body {
        Body::Parts(parts, Some(_)) => {
            headers.remove(CONTENT_LENGTH);
            *parts = [made].into();
        }
        _ => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(made.len()));
            *body = Body::from(made);
        }
    }
}
