//! Bounds what JSON and XML in request bodies may ask of whoever reads them: depth, sizes, names given twice, control
//! characters, entities. A scanner sees each byte once and keeps no tree; where it is asked for, nothing is held.

mod json;
mod scan;
mod spec;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};

use self::scan::{Scan, Scanner};
use self::spec::{Control, JsonSpec, Read, Spec, XmlSpec};
use crate::exchange::{Blame, Body, Code, Error, Exchange, Transform};
use crate::policies::media_types::MediaTypes;
use crate::policies::{Merge, Need, Needs, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Bounds what JSON and XML in request bodies may ask of whoever reads them.
pub(crate) struct Sanitize;

static REFUSED: Code = Code {
    name: "sanitize.refused",
    status: 400,
    title: "Content refused",
    blame: Blame::Client,
    proxy_status: Some("http_request_error"),
};

static UNREADABLE: Code = Code {
    name: "sanitize.unreadable",
    status: 415,
    title: "Content not readable",
    blame: Blame::Client,
    proxy_status: None,
};

impl Policy for Sanitize {
    type Spec = Spec;
    const KIND: &'static str = "sanitize";
    const ORDER: (Stage, u8) = (Stage::Validate, 8);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&REFUSED, &UNREADABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let json = MediaTypes::compile(&spec.json.types, cx);
        let xml = MediaTypes::compile(&spec.xml.types, cx);
        let right = spec.check(cx);
        let need = match spec.read {
            Read::Whole => Need::Buffer(spec.max_size.get()),
            Read::Stream => Need::Stream,
        };
        let rules = Rules { json: spec.json, xml: spec.xml, control: spec.control };
        let step = Cleaner { json: json?, xml: xml?, rules: Arc::new(rules), need };
        right.then(|| Arc::new(step) as Arc<dyn Step>)
    }
}

/// What is held against each body.
struct Rules {
    json: JsonSpec,
    xml: XmlSpec,
    control: Control,
}

struct Cleaner {
    json: MediaTypes,
    xml: MediaTypes,
    rules: Arc<Rules>,
    need: Need,
}

impl Step for Cleaner {
    fn needs(&self) -> Needs {
        Needs { request: self.need, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if matches!(x.request_body, Body::Empty) && x.request_transforms.is_empty() {
            return Verdict::NEXT;
        }
        let scanner = match self.scanner(&x.request.headers) {
            Ok(Some(scanner)) => scanner,
            Ok(None) => return Verdict::NEXT,
            Err(detail) => return Verdict::fail(Error::new(&UNREADABLE, detail)),
        };
        let mut scan = Scan::new(scanner);
        let whole = match &x.request_body {
            Body::Full(bytes) if x.request_transforms.is_empty() => bytes.clone(),
            Body::Parts(parts, _) if x.request_transforms.is_empty() && parts.len() == 1 => {
                parts.front().cloned().unwrap_or_default()
            }
            // To be scanned as it streams.
            _ => {
                if self.rules.control == Control::Strip {
                    x.request.headers.remove(CONTENT_LENGTH);
                    unmark(&mut x.request.headers);
                }
                x.request_transforms.push(Box::new(scan));
                return Verdict::NEXT;
            }
        };
        let mut out = std::collections::VecDeque::new();
        let length = whole.len();
        if let Err(error) = scan.push(whole, &mut out).and_then(|()| scan.finish(&mut out)) {
            return Verdict::fail(*error);
        }
        if out.iter().map(Bytes::len).sum::<usize>() != length {
            replace(x, out.into_iter().flatten().collect());
        }
        Verdict::NEXT
    }
}

impl Cleaner {
    /// What reads a body of this kind, if any does.
    fn scanner(&self, headers: &HeaderMap) -> Result<Option<Scanner>, &'static str> {
        let rules = &self.rules;
        let scanner = match () {
            () if self.json.has(headers) => Scanner::Json(json::Json::new(rules.clone())),
            () if self.xml.has(headers) => Scanner::Xml(xml::Xml::new(rules.clone())),
            () => return Ok(None),
        };
        let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
            return Err("The request body is in a content coding, so that it cannot be looked into.");
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if charset(kind).is_some_and(|charset| !xml::is_known(charset)) {
            return Err("The request body is in a character encoding that is not known here.");
        }
        Ok(Some(scanner))
    }
}

/// The parameter `charset` of a content type.
fn charset(kind: &str) -> Option<&str> {
    let mut parameters = kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"'))
}

/// Puts the body without what was stripped in the place of that which came.
fn replace(x: &mut Exchange, clean: Vec<u8>) {
    unmark(&mut x.request.headers);
    let clean = Bytes::from(clean);
    if let Body::Parts(parts, _) = &mut x.request_body {
        *parts = [clean].into();
        return;
    }
    x.request.headers.insert(CONTENT_LENGTH, HeaderValue::from(clean.len()));
    x.request_body = Body::from(clean);
}

/// Takes out the fields that tell of the very bytes, which are others now.
fn unmark(headers: &mut HeaderMap) {
    for name in ["content-digest", "repr-digest", "digest", "content-md5"] {
        headers.remove(HeaderName::from_static(name));
    }
}
