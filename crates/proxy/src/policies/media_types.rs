//! Sets of content types: `text/html`, all of a kind (`text/*`), or all with a suffix (`*+json`).

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use model::load::Spanned;

use crate::program::Compile;

/// A set of content types.
#[derive(Default)]
pub(crate) struct MediaTypes(Box<[Type]>);

/// A content type without its parameters, in lower case.
pub(crate) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

enum Type {
    /// This one.
    Exact(Box<str>),
    /// What begins so: `text/`.
    Kind(Box<str>),
    /// What ends so: `+json`.
    Suffix(Box<str>),
}

impl MediaTypes {
    /// Reads what a user wrote; `None` with a problem.
    pub(crate) fn compile(written: &[Spanned<String>], cx: &mut Compile<'_>) -> Option<Self> {
        let types: Vec<_> = written.iter().filter_map(|text| Type::compile(text, cx)).collect();
        (types.len() == written.len()).then(|| Self(types.into()))
    }

    /// Whether a message's content type is one of them.
    pub(crate) fn has(&self, headers: &HeaderMap) -> bool {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| self.holds(&essence(kind)))
    }

    /// Whether a content type without parameters, in lower case, is one of them.
    pub(crate) fn holds(&self, kind: &str) -> bool {
        self.0.iter().any(|known| known.is(kind))
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
