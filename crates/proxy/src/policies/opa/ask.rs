//! Asking, and what an answer means.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Map, Value};

use crate::calls::{Collapse, Remote};
use crate::terminals::is_framing;
use crate::tokens::json;

/// Header fields of a decision, at most.
const MOST_FIELDS: usize = 64;
/// Bytes of a reason, at most.
const MOST_REASON: usize = 500;

/// What was decided.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    Allow { headers: HeaderMap },
    Deny { reason: Option<String>, status: u16, headers: HeaderMap },
}

/// Asks. How it is asked is the program's; what is under way outlives it.
pub(super) struct Asks {
    pub(super) remote: Remote,
    pub(super) fields: HeaderMap,
    pub(super) under_way: Collapse<Bytes, Option<Arc<Decision>>>,
}

impl Asks {
    /// What is decided of a question; none where there is no decision. Equal questions at the same time are one.
    pub(super) async fn ask(self: &Arc<Self>, worker: usize, question: &Bytes) -> Option<Arc<Decision>> {
        let (asks, question) = (self.clone(), question.clone());
        self.under_way.run(question.clone(), || async move { asks.call(worker, question).await }).await.flatten()
    }

    async fn call(&self, worker: usize, question: Bytes) -> Option<Arc<Decision>> {
        let mut request = Request::new(question);
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.fields.clone();
        let decision = match self.remote.ask(worker, request).await {
            Err(error) => Err(error.to_string()),
            Ok(answer) if answer.status != StatusCode::OK => Err(failure(answer.status, &answer.body)),
            Ok(answer) => read(&answer.body),
        };
        let failed = |why: String| {
            tracing::warn!(target: "tollgate::opa", url = self.remote.url(), error = why, "no decision");
        };
        decision.map_err(failed).ok().map(Arc::new)
    }
}

/// What an answer that is not 200 says: a code and a message (OPA's REST API, "Errors").
fn failure(status: StatusCode, body: &[u8]) -> String {
    let said = json::object(body).unwrap_or_default();
    let word =
        |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default().chars().take(200).collect::<String>();
    format!("it answered {}: {} {}", status.as_u16(), word("code"), word("message")).escape_debug().to_string()
}

/// What an answer decides. One without a result is undefined, and denies.
pub(super) fn read(body: &[u8]) -> Result<Decision, String> {
    let Some(answer) = json::object(body) else { return Err("the answer is not a JSON object".to_owned()) };
    let deny = |reason: Option<String>, status, headers| Decision::Deny { reason, status, headers };
    match answer.get("result") {
        None => Ok(deny(Some("the decision is undefined".to_owned()), 403, HeaderMap::new())),
        Some(Value::Bool(true)) => Ok(Decision::Allow { headers: HeaderMap::new() }),
        Some(Value::Bool(false)) => Ok(deny(None, 403, HeaderMap::new())),
        Some(Value::Object(result)) => {
            let allow = result.get("allow").or_else(|| result.get("allowed"));
            let headers = result.get("headers").map_or_else(|| Ok(HeaderMap::new()), fields)?;
            match allow {
                Some(Value::Bool(true)) => Ok(Decision::Allow { headers }),
                Some(Value::Bool(false)) => Ok(deny(reason(result), status(result)?, headers)),
                None => Ok(deny(Some("the decision has no `allow`".to_owned()), 403, HeaderMap::new())),
                Some(_) => Err("`allow` is not a boolean".to_owned()),
            }
        }
        Some(_) => Err("the result is neither a boolean nor an object".to_owned()),
    }
}

fn reason(result: &Map<String, Value>) -> Option<String> {
    let text = result.get("reason")?.as_str()?;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_REASON).collect();
    (!line.is_empty()).then_some(line)
}

fn status(result: &Map<String, Value>) -> Result<u16, String> {
    match result.get("status").or_else(|| result.get("http_status")) {
        None => Ok(403),
        Some(status) => status
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .ok_or_else(|| "`status` is no status".to_owned()),
    }
}

/// Header fields, each a text or a list of texts. Framing and host are the gateway's own.
fn fields(written: &Value) -> Result<HeaderMap, String> {
    let Some(written) = written.as_object() else { return Err("`headers` is not an object".to_owned()) };
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let wrong = || format!("`headers` has a bad field `{}`", name.escape_debug());
        let field = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
        let values = match value {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        for value in values {
            let value = value.as_str().and_then(|text| HeaderValue::try_from(text).ok()).ok_or_else(wrong)?;
            if headers.len() >= MOST_FIELDS {
                return Err(format!("`headers` has more than {MOST_FIELDS} fields"));
            }
            if !is_framing(&field) && field != HOST {
                headers.append(field.clone(), value);
            }
        }
    }
    Ok(headers)
}
