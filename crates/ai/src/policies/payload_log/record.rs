//! One call, and the line that is written of it.

use std::sync::Arc;

use bytes::Bytes;
use model::value::Timestamp;
use proxy::exchange::Exchange;
use serde_json::{Map, Value, json};

use super::said::Said;
use crate::call::AiCall;
use crate::guard::text::MOST;
use crate::guard::{Kinds, Scan};

/// What is read beyond a bound: what stands across it is masked as a whole.
pub(super) const SLACK: usize = MOST;
/// What a value takes of a bound beside its text.
const EACH: usize = 4;
/// What stands for what was left out.
const CUT: &str = "…";

/// How calls are written down.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) kinds: Kinds,
    /// Bytes of text.
    pub(super) request: usize,
    pub(super) response: usize,
}

/// What was asked, by whom.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) at: Timestamp,
    pub(super) id: String,
    pub(super) api: Arc<str>,
    pub(super) consumer: Option<Arc<str>>,
    pub(super) credential: Option<Arc<str>>,
    pub(super) model: Arc<str>,
    pub(super) path: String,
    pub(super) stream: bool,
    pub(super) body: Bytes,
}

impl Asked {
    /// Of this exchange; none where it is no call of a model.
    pub(super) fn of(x: &Exchange) -> Option<Self> {
        let call = AiCall::past(x)?;
        let program = &x.local.program;
        let wall = program.clock.wall_at(x.record.started);
        let identity = x.identity.as_ref();
        let consumer =
            identity.and_then(|known| program.consumers.get(known.consumer?)).map(|known| known.name.clone());
        Some(Self {
            at: Timestamp::from_millis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
            id: x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned(),
            api: x.plan().api.clone(),
            consumer,
            credential: identity.and_then(|known| known.credential.clone()),
            model: call.model.name.clone(),
            path: x.record.target.path().to_owned(),
            stream: call.head.stream,
            body: call.body().clone(),
        })
    }
}

/// A call that is over.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) asked: Asked,
    pub(super) said: Said,
    pub(super) rules: Arc<Rules>,
}

impl Record {
    /// Bytes that it holds in memory, about.
    pub(super) fn weight(&self) -> u64 {
        self.asked.body.len() as u64 + self.said.bytes.min((self.rules.response + SLACK) as u64) + 1024
    }

    /// The line of it, with its end.
    pub(super) fn line(self) -> String {
        let Self { asked, said, rules } = self;
        let scan = Scan { kinds: rules.kinds, words: None };
        let mut request = Masker { scan, left: rules.request, cut: false };
        let told = match rules.request {
            0 => Value::Null,
            _ => serde_json::from_slice(&asked.body).map_or(Value::Null, |body| request.value(body)),
        };
        let said_bytes = said.bytes;
        let mut response = Masker { scan, left: rules.response, cut: false };
        let said = match rules.response {
            0 => Value::Null,
            _ => said.into_json(|text| response.text(text)).unwrap_or(Value::Null),
        };
        let line = json!({
            "time": asked.at, "request_id": asked.id, "api": *asked.api, "consumer": asked.consumer.as_deref(),
            "credential": asked.credential.as_deref(), "model": *asked.model, "path": asked.path, "stream": asked.stream,
            "request_bytes": asked.body.len(), "request_cut": request.cut, "request": told,
            "response_bytes": said_bytes, "response_cut": response.cut, "response": said,
        });
        format!("{line}\n")
    }
}

/// Masks texts up to a bound.
struct Masker<'a> {
    scan: Scan<'a>,
    left: usize,
    cut: bool,
}

impl Masker<'_> {
    /// A value with its texts masked. What does not fit is left out.
    fn value(&mut self, value: Value) -> Value {
        self.left = self.left.saturating_sub(EACH);
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => {
                let mut kept = Vec::new();
                for item in items {
                    if self.is_full() {
                        break;
                    }
                    kept.push(self.value(item));
                }
                Value::Array(kept)
            }
            Value::Object(fields) => {
                let mut kept = Map::new();
                for (name, value) in fields {
                    if self.is_full() || name.len() > self.left {
                        self.cut = true;
                        break;
                    }
                    let name = self.text(&name);
                    kept.insert(name, self.value(value));
                }
                Value::Object(kept)
            }
            other => other,
        }
    }

    fn is_full(&mut self) -> bool {
        self.cut |= self.left == 0;
        self.left == 0
    }

    /// A text with what is found in it replaced, up to the bound.
    fn text(&mut self, text: &str) -> String {
        let head = text.get(..text.floor_char_boundary(self.left.saturating_add(SLACK))).unwrap_or_default();
        let end = head.floor_char_boundary(self.left);
        let (mut out, mut at) = (String::with_capacity(end), 0);
        for finding in self.scan.all(head) {
            if finding.range.start >= end {
                break;
            }
            out.push_str(head.get(at..finding.range.start).unwrap_or_default());
            out.push('[');
            out.push_str(finding.kind.label());
            out.push(']');
            at = finding.range.end;
        }
        out.push_str(head.get(at..end).unwrap_or_default());
        if at.max(end) < text.len() {
            out.push_str(CUT);
            self.cut = true;
        }
        self.left = self.left.saturating_sub(text.len());
        out
    }
}
