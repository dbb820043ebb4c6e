//! What is asked of a gateway beside its traffic, whoever carries the question: the operations port for one that runs, the
//! command line for one that does not. It waits for the disk: not for threads that carry traffic.

mod keys;
mod secrets;
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
    path == "/ai/usage" || is_under(path, "/keys") || is_under(path, "/secrets")
}

fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a question is for those alone who may change something.
pub(crate) fn is_guarded(method: &Method, path: &str) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) || is_under(path, "/secrets")
}

/// Whether what was done lets the configuration be read anew.
pub(crate) fn is_of_configuration(method: &Method, path: &str) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) && is_under(path, "/secrets")
}

impl Desk {
    /// Answers.
    pub(crate) fn answer(&self, question: &Question) -> Answered {
        match question.path.as_str() {
            "/ai/usage" => self.usage(question),
            path => {
                let (secrets, keys) = (path.strip_prefix("/secrets"), path.strip_prefix("/keys"));
                let rest = secrets.or(keys).unwrap_or_default().trim_matches('/');
                let rest = percent_decode_str(rest).decode_utf8_lossy();
                if secrets.is_some() { self.secrets(question, &rest) } else { self.keys(question, &rest) }
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
