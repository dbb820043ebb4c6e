//! Answers with what arrived, as JSON: to see what the gate makes of a request.

mod base64;
mod redact;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode, Version};
use http_body_util::BodyExt;
use model::load::Spanned;
use model::value::ByteSize;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, TerminalKind, framed};
use crate::exchange::{Error, Exchange, Outgoing, response_head};
use crate::policies::{Outcome, Reply, Verdict, query};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Answers with what arrived.
pub(crate) struct Echo;

/// Answers with what arrived, as JSON: method, path, host, query, header fields, client, captures, consumer and body.
/// Values of `authorization`, cookies and whatever is named like a key, token, secret or password are hidden.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// How much of the body is shown, up to `1MiB`; the rest is only counted.
    body: Spanned<ByteSize>,
}

impl Default for Spec {
    fn default() -> Self {
        Self { body: Spanned::from(ByteSize::kib(64)) }
    }
}

const MOST_SHOWN: ByteSize = ByteSize::mib(1);
/// A longer body is not read to its end.
const MOST_READ: u64 = 64 << 20;

impl TerminalKind for Echo {
    type Spec = Spec;
    const KIND: &'static str = "echo";

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        if *spec.body > MOST_SHOWN {
            cx.problem(
                spec.body.span,
                format!("{} is more than is shown", *spec.body),
                format!("give at most `{MOST_SHOWN}`"),
            );
            return None;
        }
        Some(Arc::new(Mirror { shown: spec.body.as_usize() }))
    }
}

struct Mirror {
    shown: usize,
}

impl Answer for Mirror {
    fn kind(&self) -> &'static str {
        Echo::KIND
    }

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        Verdict::Await(Box::pin(async move {
            let body = match read(x, self.shown).await {
                Ok(body) => body,
                Err(error) => return Outcome::Fail(error),
            };
            let mut text = describe(x, body).to_string();
            text.push('\n');
            let mut parts = response_head(StatusCode::OK);
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let (head, body) = framed(x, parts, Bytes::from(text));
            Outcome::Reply(Box::new(Reply { head, body }))
        }))
    }
}

/// What was read of a body.
struct Seen {
    start: BytesMut,
    size: u64,
    /// Whether it was read to its end.
    whole: bool,
}

/// Reads the body, keeping its start. Its bound and timeout hold as for an upstream.
async fn read(x: &mut Exchange, shown: usize) -> Result<Seen, Box<Error>> {
    let mut body = Outgoing::of(x)?;
    let mut seen = Seen { start: BytesMut::new(), size: 0, whole: true };
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        let room = shown.saturating_sub(seen.start.len()).min(chunk.len());
        seen.start.extend_from_slice(chunk.get(..room).unwrap_or_default());
        seen.size += chunk.len() as u64;
        if seen.size > MOST_READ {
            seen.whole = false;
            break;
        }
    }
    Ok(seen)
}

fn describe(x: &Exchange, body: Seen) -> Value {
    let uri = &x.request.uri;
    let mut document = json!({
        "method": x.request.method.as_str(),
        "scheme": x.scheme.as_str(),
        "host": *x.host,
        "path": uri.path(),
        "query": several(uri.query().map(query::pairs).into_iter().flatten().map(|(name, value)| {
            let name = query::decode(name).into_owned();
            let value = redact::value(&name, &query::decode(value));
            (name, value)
        })),
        "http": version(x.request.version),
        "headers": headers(&x.request.headers),
        "client": x.client.to_string(),
    });
    let Some(fields) = document.as_object_mut() else { return document };
    let captures: Map<_, _> = x.captures.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    if !captures.is_empty() {
        fields.insert("captures".to_owned(), captures.into());
    }
    let consumer = x.identity.as_ref().and_then(|identity| x.local.program.consumers.get(identity.consumer?));
    if let Some(consumer) = consumer {
        fields.insert("consumer".to_owned(), (*consumer.name).into());
    }
    if let Some(id) = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()) {
        fields.insert("request_id".to_owned(), id.into());
    }
    if body.size > 0 {
        let cut = !body.whole || body.size > body.start.len() as u64;
        match text(&body.start, cut) {
            Some(text) => fields.insert("body".to_owned(), text.into()),
            None => fields.insert("body_base64".to_owned(), base64::encode(&body.start).into()),
        };
        fields.insert("body_size".to_owned(), body.size.into());
        if cut {
            fields.insert("body_cut".to_owned(), true.into());
        }
    }
    document
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn headers(headers: &HeaderMap) -> Value {
    several(headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), redact::value(name.as_str(), &String::from_utf8_lossy(value.as_bytes())))
    }))
}

/// A map whose values are texts, or lists of them where a name comes several times.
fn several(pairs: impl Iterator<Item = (String, String)>) -> Value {
    let mut map = Map::new();
    for (name, value) in pairs {
        match map.get_mut(&name) {
            None => {
                map.insert(name, value.into());
            }
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
        }
    }
    map.into()
}

/// The bytes as text, if they are; a character that was cut through at the end is left out.
fn text(bytes: &[u8], cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok(),
        Err(_) => None,
    }
}
