//! Which content types are worth compressing.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use model::load::Spanned;

use crate::program::Compile;

/// What is text, or compresses like it.
pub(super) const USUAL: [&str; 11] = [
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

/// Content types to be compressed.
pub(super) struct Types(Box<[Type]>);

enum Type {
    /// This one.
    Exact(Box<str>),
    /// What begins so: `text/`.
    Kind(Box<str>),
    /// What ends so: `+json`.
    Suffix(Box<str>),
}

impl Types {
    pub(super) fn compile(written: &[Spanned<String>], cx: &mut Compile<'_>) -> Option<Self> {
        let types: Vec<_> = written.iter().filter_map(|text| Type::compile(text, cx)).collect();
        (types.len() == written.len()).then(|| Self(types.into()))
    }

    /// Whether an answer has one of them.
    pub(super) fn has(&self, headers: &HeaderMap) -> bool {
        let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.0.iter().any(|known| known.is(&kind))
    }
}

impl Type {
    fn compile(text: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let whole = |text: &str| text.split('/').count() == 2 && !text.contains([';', ' ', '*']);
        let made = match (lower.strip_prefix('*'), lower.strip_suffix('*')) {
            (Some(suffix), None) if suffix.starts_with('+') => Some(Type::Suffix(suffix.into())),
            (None, Some(kind)) if kind.ends_with('/') && kind.len() > 1 => Some(Type::Kind(kind.into())),
            (None, None) if whole(&lower) => Some(Type::Exact(lower.into())),
            _ => None,
        };
        if made.is_none() {
            let help = "write `text/html`, `text/*` or `*+json`";
            cx.problem(text.span, format!("`{}` is not a content type", **text), help);
        }
        made
    }

    fn is(&self, kind: &str) -> bool {
        match self {
            Type::Exact(exact) => kind == &**exact,
            Type::Kind(start) => kind.starts_with(&**start),
            Type::Suffix(end) => kind.ends_with(&**end),
        }
    }
}
