//! Compresses answers as they stream.

mod encoder;
mod negotiate;

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName,
    HeaderValue,
};
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use model::load::Spanned;
use model::value::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::encoder::Encoder;
use self::negotiate::choose;
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::media_types::MediaTypes;
use crate::policies::{Merge, Need, Needs, Policy, Scopes, Stage, Step, Verdict, vary};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Compresses answers as they stream.
pub(crate) struct Compress;

/// Compresses answers for clients that accept it, as they stream: what an upstream sends before it pauses is passed on at
/// once. Answers that are compressed already, parts of one (206), and those with `Cache-Control: no-transform` are left
/// alone. An answer that holds a secret beside text that others choose should not be compressed (BREACH).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Which algorithms, the preferred one first where a client likes several equally.
    #[schemars(length(min = 1, max = 3), extend("default" = ["zstd", "br", "gzip"]))]
    algorithms: Vec<Algorithm>,
    /// How much effort each takes.
    levels: Levels,
    /// Answers that say that they are smaller are left alone.
    min_size: Spanned<ByteSize>,
    /// Content types: `text/html`, all of a kind (`text/*`), or all with a suffix (`*+json`).
    #[schemars(extend("default" = USUAL))]
    types: Vec<Spanned<String>>,
}

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CompressAlgorithm")]
pub(crate) enum Algorithm {
    /// Zstandard (RFC 8878): quick and small.
    Zstd,
    /// Brotli (RFC 7932): the smallest for text.
    Br,
    /// gzip (RFC 1952): what every client knows.
    Gzip,
}

/// How much effort each algorithm takes: the higher, the smaller and slower.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CompressLevels")]
pub(crate) struct Levels {
    /// From 1 to 12.
    #[schemars(range(min = 1, max = 12), extend("default" = 3))]
    zstd: Spanned<u32>,
    /// From 0 to 9.
    #[schemars(range(min = 0, max = 9), extend("default" = 4))]
    br: Spanned<u32>,
    /// From 1 to 9.
    #[schemars(range(min = 1, max = 9), extend("default" = 5))]
    gzip: Spanned<u32>,
}

impl Default for Levels {
    fn default() -> Self {
        Self { zstd: Spanned::from(3), br: Spanned::from(4), gzip: Spanned::from(5) }
    }
}

/// What is text, or compresses like it.
const USUAL: [&str; 11] = [
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/wasm",
    "application/x-ndjson",
    "application/yaml",
    "image/svg+xml",
    "font/ttf",
    "*+json",
    "*+xml",
];

impl Default for Spec {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Zstd, Algorithm::Br, Algorithm::Gzip],
            levels: Levels::default(),
            min_size: Spanned::from(ByteSize::kib(1)),
            types: USUAL.map(|kind| Spanned::from(kind.to_owned())).into(),
        }
    }
}

impl Algorithm {
    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Algorithm::Zstd => "zstd",
            Algorithm::Br => "br",
            Algorithm::Gzip => "gzip",
        }
    }
}

/// The encoding that a client likes best, of all that there are.
pub(crate) fn encoding(accepted: &HeaderValue) -> Option<&'static str> {
    choose(accepted, &[Algorithm::Zstd, Algorithm::Br, Algorithm::Gzip]).map(Algorithm::as_str)
}

static FAILED: Code = Code {
    name: "compress.failed",
    status: 500,
    title: "Compression failed",
    blame: Blame::Gateway,
    proxy_status: None,
};

impl Policy for Compress {
    type Spec = Spec;
    const KIND: &'static str = "compress";
    const ORDER: (Stage, u8) = (Stage::Deliver, 10);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&FAILED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let algorithms = algorithms(&spec.algorithms, cx);
        let levels = levels(&spec.levels, cx);
        let types = MediaTypes::compile(&spec.types, cx);
        let min_size = spec.min_size.get();
        Some(Arc::new(Compressor { algorithms: algorithms?, levels: levels?, min_size, types: types? }))
    }
}

fn algorithms(written: &[Algorithm], cx: &mut Compile<'_>) -> Option<Box<[Algorithm]>> {
    let again = written.iter().enumerate().find(|(at, one)| written.iter().take(*at).any(|other| other == *one));
    match again {
        Some((_, again)) => cx.problem(cx.span, format!("`{}` is named twice", again.as_str()), "name it once"),
        None if written.is_empty() => {
            cx.problem(cx.span, "no algorithm is named", "leave `algorithms` out for all");
        }
        None => return Some(written.into()),
    }
    None
}

fn levels(written: &Levels, cx: &mut Compile<'_>) -> Option<Levels> {
    let mut right = true;
    for (level, name, range) in
        [(written.zstd, "zstd", 1..=12), (written.br, "br", 0..=9), (written.gzip, "gzip", 1..=9)]
    {
        if !range.contains(&*level) {
            let message = format!("the level of {name} is from {} to {}", range.start(), range.end());
            cx.problem(level.span, message, "mend the number");
            right = false;
        }
    }
    right.then(|| written.clone())
}

struct Compressor {
    algorithms: Box<[Algorithm]>,
    levels: Levels,
    min_size: u64,
    types: MediaTypes,
}

impl Step for Compressor {
    fn needs(&self) -> Needs {
        Needs { response: Need::Stream, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        x.notes.accept_encoding = x.request.headers.get(ACCEPT_ENCODING).cloned();
        Verdict::NEXT
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if !self.may(x) {
            return Verdict::NEXT;
        }
        let Some(response) = &mut x.response else { return Verdict::NEXT };
        // Whoever keeps the answer must know that others get other bytes.
        vary::add(&mut response.headers, "accept-encoding");
        // Where a refusal came first the request side did not run, but the request is still here.
        let accepted = x.notes.accept_encoding.as_ref().or_else(|| x.request.headers.get(ACCEPT_ENCODING));
        let Some(algorithm) = accepted.and_then(|accepted| choose(accepted, &self.algorithms)) else {
            return Verdict::NEXT;
        };
        if x.request.method == Method::HEAD {
            mark(&mut response.headers, algorithm);
            return Verdict::NEXT;
        }
        let level = match algorithm {
            Algorithm::Zstd => *self.levels.zstd,
            Algorithm::Br => *self.levels.br,
            Algorithm::Gzip => *self.levels.gzip,
        };
        match Encoder::new(algorithm, level) {
            Ok(encoder) => {
                mark(&mut response.headers, algorithm);
                x.response_transforms.push(Box::new(encoder));
                Verdict::NEXT
            }
            Err(error) => Verdict::fail(Error::new(&FAILED, "The answer could not be compressed.").because(error)),
        }
    }
}

impl Compressor {
    /// Whether the answer is one to be compressed for clients that accept it.
    fn may(&self, x: &Exchange) -> bool {
        let Some(response) = &x.response else { return false };
        let (status, headers) = (response.status, &response.headers);
        let no_body = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
        let part = status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_RANGE);
        !no_body && !part && self.is_large(x, headers) && self.types.has(headers) && is_plain(headers)
    }

    /// Whether it is, or may turn out to be, as large as is worth it.
    fn is_large(&self, x: &Exchange, headers: &HeaderMap) -> bool {
        let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let known = said.or_else(|| x.response_body.size_hint().exact().filter(|_| x.request.method != Method::HEAD));
        known.is_none_or(|length| length >= self.min_size.max(1))
    }
}

/// Whether an answer is neither compressed already nor to be left as it is.
fn is_plain(headers: &HeaderMap) -> bool {
    let coding = headers.get(CONTENT_ENCODING);
    let encoded = coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let kept = headers.get_all(CACHE_CONTROL).iter().any(|value| {
        let mut directives = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
    });
    !encoded && !kept
}

/// Fields that tell of the very bytes, which are others now.
static OF_THE_BYTES: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Makes the head that of the compressed answer.
fn mark(headers: &mut HeaderMap, algorithm: Algorithm) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(algorithm.as_str()));
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    for name in &OF_THE_BYTES {
        headers.remove(name);
    }
    // The same meaning in other bytes: a strong tag would promise the bytes (RFC 9110 section 8.8.1).
    if let Some(tag) = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}
