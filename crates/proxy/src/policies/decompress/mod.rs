//! Takes the coding off request bodies as they stream, so that what follows, and the upstream, reads them as they are.

mod decoder;

use std::sync::Arc;

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue, UPGRADE};
use model::load::Spanned;
use model::value::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::decoder::Decoder;
use crate::exchange::{Blame, Body, Code, Error, Exchange, Transform};
use crate::policies::{Merge, Need, Needs, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Takes the coding off request bodies.
pub(crate) struct Decompress;

/// Takes the coding (`Content-Encoding`) off request bodies as they stream, for policies that look into them and upstreams
/// that know none. What it comes to is bounded, in bytes and by how much larger it is than what was sent: a body over a
/// bound is cut off with 413. Signatures of bodies are checked before, as the client made them of the coded bytes.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Decompress")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Which codings are taken off.
    #[schemars(length(min = 1, max = 4), extend("default" = ["gzip", "deflate", "br", "zstd"]))]
    algorithms: Vec<Coding>,
    /// The most bytes of a body without its coding.
    #[schemars(extend("default" = "10MiB"))]
    max_size: Spanned<ByteSize>,
    /// How many times larger than what was sent a body may come out, once it is over 64 KiB; from 1 to 10,000.
    #[schemars(range(min = 1, max = 10_000), extend("default" = 100))]
    max_ratio: Spanned<u32>,
    /// What becomes of bodies in other codings, or several.
    other: Other,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            algorithms: vec![Coding::Gzip, Coding::Deflate, Coding::Br, Coding::Zstd],
            max_size: Spanned::from(ByteSize::mib(10)),
            max_ratio: Spanned::from(100),
            other: Other::default(),
        }
    }
}

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "ContentCoding")]
#[serde(rename_all = "snake_case")]
enum Coding {
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), which HTTP calls so.
    Deflate,
    /// Brotli (RFC 7932).
    Br,
    /// Zstandard (RFC 8878), with a window of at most 8 MiB.
    Zstd,
}

impl Coding {
    fn as_str(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Br => "br",
            Coding::Zstd => "zstd",
        }
    }

    fn is(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.as_str()) || self == Coding::Gzip && name.eq_ignore_ascii_case("x-gzip")
    }
}

/// What becomes of bodies in other codings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "OtherCodings")]
#[serde(rename_all = "snake_case")]
enum Other {
    /// They are refused with 415.
    #[default]
    Deny,
    /// They are passed on as they are.
    Pass,
}

static UNSUPPORTED: Code = Code {
    name: "decompress.unsupported",
    status: 415,
    title: "Unsupported content coding",
    blame: Blame::Client,
    proxy_status: None,
};

static TOO_LARGE: Code = Code {
    name: "decompress.too_large",
    status: 413,
    title: "Content too large",
    blame: Blame::Client,
    proxy_status: Some("http_request_error"),
};

static MALFORMED: Code = Code {
    name: "decompress.malformed",
    status: 400,
    title: "Malformed content coding",
    blame: Blame::Client,
    proxy_status: Some("http_request_error"),
};

impl Policy for Decompress {
    type Spec = Spec;
    const KIND: &'static str = "decompress";
    // After signatures of bodies (Identify), before all that reads what a body says.
    const ORDER: (Stage, u8) = (Stage::Authorize, 0);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&UNSUPPORTED, &TOO_LARGE, &MALFORMED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let mut right = true;
        if spec.algorithms.is_empty() {
            cx.problem(cx.span, "no algorithm is named", "leave `algorithms` out for all");
            right = false;
        }
        if !(1..=10_000).contains(&*spec.max_ratio) {
            cx.problem(spec.max_ratio.span, "`max_ratio` is from 1 to 10000", "mend the number");
            right = false;
        }
        let names: Vec<&str> = spec.algorithms.iter().map(|coding| coding.as_str()).collect();
        let accepted = HeaderValue::try_from(names.join(", ")).ok()?;
        let bounds = Bounds { size: spec.max_size.get(), ratio: u64::from(*spec.max_ratio) };
        let step = Opener { algorithms: spec.algorithms.into(), accepted, bounds, other: spec.other };
        right.then(|| Arc::new(step) as Arc<dyn Step>)
    }
}

/// What a body may come to.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    size: u64,
    ratio: u64,
}

struct Opener {
    algorithms: Box<[Coding]>,
    /// The same as clients are told (RFC 7694 section 3).
    accepted: HeaderValue,
    bounds: Bounds,
    other: Other,
}

/// How a body is coded.
enum Coded {
    Plain,
    As(Coding),
    Otherwise,
}

impl Step for Opener {
    fn needs(&self) -> Needs {
        Needs { request: Need::Stream, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if matches!(x.request_body, Body::Empty) || x.request.headers.contains_key(UPGRADE) {
            return Verdict::NEXT;
        }
        let coding = match coded(&self.algorithms, &x.request.headers) {
            Coded::As(coding) => coding,
            Coded::Otherwise if self.other == Other::Deny => {
                let error = Error::new(&UNSUPPORTED, "A body in this content coding is not taken here.");
                return Verdict::fail(error.header(ACCEPT_ENCODING, self.accepted.clone()));
            }
            Coded::Plain | Coded::Otherwise => return Verdict::NEXT,
        };
        match Decoder::new(coding, self.bounds) {
            Ok(decoder) => {
                unmark(&mut x.request.headers);
                x.request_transforms.push(Box::new(decoder));
                Verdict::NEXT
            }
            Err(error) => Verdict::fail(decoder::malformed(error)),
        }
    }
}

/// What takes the coding off a body that is to have at most so many bytes without it, where its head says that it has one.
/// The head says nothing of it then.
pub(crate) fn opened(headers: &mut HeaderMap, most: u64) -> Result<Option<Box<dyn Transform>>, Error> {
    match coded(&[Coding::Gzip, Coding::Deflate, Coding::Br, Coding::Zstd], headers) {
        Coded::Plain => Ok(None),
        Coded::Otherwise => Err(Error::new(&UNSUPPORTED, "The body is in a content coding that is not known here.")),
        Coded::As(coding) => {
            let decoder = Decoder::new(coding, Bounds { size: most, ratio: u64::MAX }).map_err(decoder::malformed)?;
            unmark(headers);
            Ok(Some(Box::new(decoder)))
        }
    }
}

/// How a body is coded, as far as these algorithms go.
fn coded(algorithms: &[Coding], headers: &HeaderMap) -> Coded {
    let mut found = Coded::Plain;
    for line in headers.get_all(CONTENT_ENCODING) {
        let Ok(line) = line.to_str() else { return Coded::Otherwise };
        for name in line.split(',').map(str::trim) {
            if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                continue;
            }
            let known = algorithms.iter().copied().find(|coding| coding.is(name));
            // Of several the bounds would multiply.
            found = match (known, found) {
                (Some(coding), Coded::Plain) => Coded::As(coding),
                _ => return Coded::Otherwise,
            };
        }
    }
    found
}

/// Fields that tell of the very bytes, which are others now.
static OF_THE_BYTES: [HeaderName; 6] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

pub(crate) fn unmark(headers: &mut HeaderMap) {
    for name in &OF_THE_BYTES {
        headers.remove(name);
    }
}
