//! Answers by itself with a status, header fields and a body.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{StatusCode, response};
use model::load::{Node, Spanned};
use model::resource::Pairs;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, TerminalKind, reply};
use crate::exchange::{Exchange, response_head};
use crate::expr::{Scope, Template};
use crate::policies::Verdict;
use crate::policies::text::{FieldValue, TextSpec};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Answers by itself.
pub(crate) struct Respond;

/// Answers by itself with a status, header fields and a body.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// The status, from 200 to 599.
    #[schemars(range(min = 200, max = 599))]
    status: Spanned<u16>,
    /// Header fields; a value is a text or `{ cel: "…" }`. A `content-type` here replaces the one that the body implies.
    headers: Pairs<TextSpec>,
    /// The body as text, sent as `text/plain; charset=utf-8`. `{{ … }}` puts facts of the request in, as in
    /// `hello {{ params.name }}` (a template over the variables of expressions); they are escaped as the `content-type` in
    /// `headers` asks.
    body: Option<Spanned<String>>,
    /// The body as a value, sent as `application/json`.
    json: Option<Spanned<Node>>,
}

impl Default for Spec {
    fn default() -> Self {
        Self { status: Spanned::from(200), headers: Pairs::default(), body: None, json: None }
    }
}

impl TerminalKind for Respond {
    type Spec = Spec;
    const KIND: &'static str = "respond";

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        let status = StatusCode::from_u16(*spec.status).ok().filter(|status| (200..600).contains(&status.as_u16()));
        if status.is_none() {
            cx.problem(spec.status.span, format!("{} is not a final status", *spec.status), "give one from 200 to 599");
        }
        let fields = fields(&spec.headers, cx);
        let body = body(&spec, cx);
        let step = GivenAnswer { status: status?, fields: fields?, body: body? };
        Some(Arc::new(step))
    }
}

/// Header fields that a gateway's own answer must not carry: they frame the message.
fn fields(written: &Pairs<TextSpec>, cx: &mut Compile<'_>) -> Option<Box<[(HeaderName, FieldValue)]>> {
    let mut fields = Vec::with_capacity(written.len());
    for (name, value) in written.iter() {
        let parsed = cx.header_name(name).filter(|parsed| super::may_set(parsed, name.span, cx));
        let value = FieldValue::compile(value, Scope::Request, cx);
        fields.extend(parsed.zip(value));
    }
    (fields.len() == written.len()).then(|| fields.into())
}

/// What the body is, and its type.
enum Content {
    None,
    Fixed(&'static str, Bytes),
    Made(&'static str, Template),
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn body(spec: &Spec, cx: &mut Compile<'_>) -> Option<Content> {
    let content = match (&spec.body, &spec.json) {
        (None, None) => Content::None,
        (Some(text), None) if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") => {
            Content::Fixed(PLAIN, text.value.clone().into())
        }
        (Some(text), None) => {
            let kind = content_type(spec, cx)?;
            Content::Made(PLAIN, cx.template(text, kind, Scope::Request)?)
        }
        (None, Some(value)) => Content::Fixed("application/json", value.to_json().to_string().into()),
        (Some(_), Some(json)) => {
            cx.problem(json.span, "an answer has one body; `body` and `json` are two", "take one of them out");
            return None;
        }
    };
    if matches!(*spec.status, 204 | 205 | 304) && !matches!(content, Content::None) {
        cx.problem(
            spec.status.span,
            format!("a {} has no body", *spec.status),
            "take the body out, or change the status",
        );
        return None;
    }
    Some(content)
}

/// The type that a template is escaped for: what a client sends must not become markup.
fn content_type<'s>(spec: &'s Spec, cx: &mut Compile<'_>) -> Option<&'s str> {
    match spec.headers.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str())) {
        None => Some(PLAIN),
        Some((_, TextSpec::Literal(kind))) => Some(kind.as_str()),
        Some((_, TextSpec::Cel(kind))) => {
            let message = "how the body is escaped depends on its type, which is not known beforehand";
            cx.problem(kind.span, message, "write the `content-type` as a text, or a body without `{{ … }}`");
            None
        }
    }
}

struct GivenAnswer {
    status: StatusCode,
    fields: Box<[(HeaderName, FieldValue)]>,
    body: Content,
}

impl Answer for GivenAnswer {
    fn kind(&self) -> &'static str {
        Respond::KIND
    }

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let mut parts: response::Parts = response_head(self.status);
        let body = match &self.body {
            Content::None => Bytes::new(),
            Content::Fixed(kind, body) => {
                parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                body.clone()
            }
            Content::Made(kind, template) => {
                parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                match template.render(x) {
                    Ok(text) => text.into(),
                    Err(error) => return Verdict::fail(error),
                }
            }
        };
        for (name, value) in &self.fields {
            if let Some(value) = value.get(x) {
                parts.headers.insert(name, value);
            }
        }
        reply(x, parts, body)
    }
}
