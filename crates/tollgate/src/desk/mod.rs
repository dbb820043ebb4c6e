//! What is asked of a gateway beside its traffic, whoever carries the question: the operations port for one that runs, the
//! command line for one that does not. It waits for the disk: not for threads that carry traffic.

mod keys;
mod usage;

use std::sync::Arc;

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use proxy::program::{Environment, Program};
use serde_json::{Value, json};

pub(crate) use usage::{NAMES, csv, document, dollars, figures, question};

/// Bytes of the longest question.
pub(crate) const MOST_BODY: usize = 128 << 10;

/// What is asked.
pub(crate) struct Question {
    pub(crate) method: Method,
    /// Such as `/keys`.
    pub(crate) path: String,
    /// Without the question mark.
    pub(crate) query: String,
    pub(crate) body: Vec<u8>,
}

/// What is told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) content: Content,
}

/// What is told, and of what type.
#[derive(Debug)]
pub(crate) enum Content {
    Json(Value),
    Csv(String),
}

/// Why nothing is told.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    fn wrong(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, detail: detail.into() }
    }
}

type Answered = Result<Told, Refusal>;

impl Told {
    fn json(status: StatusCode, value: Value) -> Self {
        Self { status, content: Content::Json(value) }
    }
}

/// Where questions are answered.
pub(crate) struct Desk {
    pub(crate) env: Environment,
    pub(crate) program: Arc<Program>,
}

/// Whether a path is one of a desk.
pub(crate) fn is_here(path: &str) -> bool {
    path == "/keys" || path.starts_with("/keys/") || path == "/ai/usage"
}

/// What may be done with a path of a desk.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

impl Desk {
    /// Answers.
    pub(crate) fn answer(&self, question: &Question) -> Answered {
        match question.path.as_str() {
            "/ai/usage" => self.usage(question),
            path => {
                let rest = path.strip_prefix("/keys").unwrap_or_default().trim_matches('/');
                self.keys(question, &percent_decode_str(rest).decode_utf8_lossy())
            }
        }
    }
}

/// The pairs of a query.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    })
}

/// There is no such method here.
fn no_method(allowed: &str) -> Refusal {
    let detail = format!("This path takes {allowed}.");
    Refusal { status: StatusCode::METHOD_NOT_ALLOWED, code: "operations.method", detail }
}

/// A refusal as a problem document (RFC 9457).
pub(crate) fn document_of(refusal: &Refusal) -> Value {
    let title = refusal.status.canonical_reason().unwrap_or("Error");
    json!({
        "type": "about:blank", "title": title, "status": refusal.status.as_u16(), "detail": refusal.detail,
        "code": refusal.code,
    })
}
