//! The terminal `prompt`: a prompt published as an api of its own.
//!
//! `POST` with the variables asks a model and answers in plain JSON, or with a stream of server-sent events; `GET` answers
//! with the OpenAPI document.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, response};
use model::load::Spanned;
use model::problem::did_you_mean;
use proxy::exchange::{Body, Code, Error, Exchange, codes as general};
use proxy::policies::{Outcome, Reply, Verdict};
use proxy::program::Compile;
use proxy::terminals::{Answer, Call, OwnStep, TerminalKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Door, body_of, codes};
use crate::call::{AiCall, Head, Turn};
use crate::fleet::Fleet;
use crate::prompts::{Given, Plain, Prompts, Version};
use crate::translate::Format;

/// A prompt published as an api.
pub(crate) struct Prompt;

/// Publishes a prompt of `ai.prompts`: `POST` with `{"variables": {…}}` asks the model and answers with
/// `{"output": …}`, `GET` answers with the OpenAPI document. With `"stream": true` the answer is a stream of events, with
/// `"dry_run": true` it is what would be asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PromptTerminal")]
pub(crate) struct Spec {
    /// The prompt's name.
    name: Spanned<String>,
    /// Only versions with this label; of several, each call draws one by weight.
    label: Option<Spanned<String>>,
    /// Only this version.
    version: Option<Spanned<String>>,
    /// The most bytes of a request, up to `256MiB`.
    #[serde(default = "most")]
    #[schemars(extend("default" = "32MiB"))]
    max_bytes: model::value::ByteSize,
}

fn most() -> model::value::ByteSize {
    model::value::ByteSize::mib(32)
}

impl TerminalKind for Prompt {
    type Spec = Spec;
    const KIND: &'static str = "prompt";
    const CODES: &'static [&'static Code] = codes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        let prompts = Prompts::of(cx);
        let known = prompts.versions(&spec.name);
        if known.is_empty() {
            let near = did_you_mean(&spec.name, prompts.names());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            cx.problem(spec.name.span, format!("unknown prompt `{}`{hint}", *spec.name), "name one of `ai.prompts`");
            return None;
        }
        let wanted = |version: &&Arc<Version>| {
            let label = spec.label.as_ref();
            label.is_none_or(|label| version.labels.iter().any(|one| **one == *label.as_str()))
                && spec.version.as_ref().is_none_or(|wanted| *version.version == *wanted.as_str())
        };
        let versions: Vec<Arc<Version>> = known.iter().filter(wanted).cloned().collect();
        if versions.iter().all(|version| version.weight == 0) {
            let message = format!("no version of prompt `{}` is left to choose from", *spec.name);
            cx.problem(spec.name.span, message, "mend `label` or `version`, or give a version a `weight`");
            return None;
        }
        if spec.max_bytes.get() == 0 || spec.max_bytes.get() > 256 << 20 {
            cx.problem(cx.span, "`max_bytes` is not from 1 byte to 256 MiB", "mend it");
            return None;
        }
        let door = super::Spec { max_bytes: spec.max_bytes, ..super::Spec::default() };
        let door = Door::new(Fleet::of(cx), &door, cx)?;
        Some(Arc::new(Published { versions, door }))
    }
}

/// A prompt that is published.
struct Published {
    versions: Vec<Arc<Version>>,
    door: Door,
}

/// That a caller wants to see what would be asked.
struct DryRun(Value);

impl Call for DryRun {}

impl Answer for Published {
    fn kind(&self) -> &'static str {
        Prompt::KIND
    }

    fn makes_calls(&self) -> bool {
        true
    }

    fn own_step(&self) -> Option<OwnStep> {
        self.door.own_step()
    }

    fn prepare<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if x.request.method != Method::POST {
            return Verdict::NEXT;
        }
        Verdict::Await(Box::pin(async move {
            match self.read(x).await {
                Ok(call) => {
                    x.call = Some(call);
                    Outcome::Next
                }
                Err(error) => Outcome::Fail(Box::new(error)),
            }
        }))
    }

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        match x.request.method {
            Method::POST => Verdict::Await(Box::pin(async move {
                match self.turn(x).await {
                    Ok(reply) => Outcome::Reply(Box::new(reply)),
                    Err(error) => Outcome::Fail(Box::new(error)),
                }
            })),
            Method::GET | Method::HEAD => {
                let reply = document(&self.versions.first().map(|version| version.openapi(x.request.uri.path())));
                Verdict::reply(reply.head, reply.body)
            }
            _ => Verdict::fail(
                Error::new(&general::METHOD_NOT_ALLOWED, "A prompt takes POST, and GET for its description.")
                    .header(ALLOW, HeaderValue::from_static("GET, HEAD, POST")),
            ),
        }
    }
}

impl Published {
    /// What is asked, of one of the versions.
    async fn read(&self, x: &mut Exchange) -> Result<Box<dyn Call>, Error> {
        let body = body_of(x, self.door.most).await?;
        let bad = |why: String| Error::new(&codes::BAD_REQUEST, why);
        let given = Given::read(&body).map_err(bad)?;
        let version = self.drawn(proxy::random::next());
        let request = version.fill(&given).map_err(bad)?;
        if given.dry_run {
            let prompt = json!({ "name": &*version.name, "version": &*version.version });
            return Ok(Box::new(DryRun(json!({ "prompt": prompt, "request": request }))));
        }
        let turn = Turn::of(Format::OpenAiChat);
        let head = Head::read(request.to_string().into(), &turn).map_err(bad)?;
        let model = self.door.fleet.model(&head.model).cloned();
        let model = model.ok_or_else(|| Error::new(&codes::UNKNOWN_MODEL, "The prompt's model is gone."))?;
        let mut call = AiCall::new(turn, head, model);
        call.plain = Some(Plain(version.clone()));
        Ok(Box::new(call))
    }

    /// One of the versions, by weight.
    fn drawn(&self, draw: u64) -> &Arc<Version> {
        let sum: u64 = self.versions.iter().map(|version| u64::from(version.weight)).sum();
        let mut left = draw.checked_rem(sum).unwrap_or(0);
        let drawn = self.versions.iter().find(|version| {
            let weight = u64::from(version.weight);
            let here = left < weight;
            left = left.saturating_sub(weight);
            here
        });
        #[expect(clippy::expect_used, reason = "compile refuses a prompt without versions")]
        drawn.or(self.versions.first()).expect("a version")
    }

    async fn turn(&self, x: &mut Exchange) -> Result<Reply, Error> {
        if x.call.is_none() {
            x.call = Some(self.read(x).await?);
        }
        let call: Option<&dyn Any> = x.call.as_deref().map(|call| call as &dyn Any);
        match call.and_then(|call| call.downcast_ref::<DryRun>()) {
            Some(DryRun(shown)) => Ok(document(shown)),
            None => self.door.go(x).await,
        }
    }
}

fn document(value: &impl serde::Serialize) -> Reply {
    let text = Bytes::from(serde_json::to_vec(value).unwrap_or_default());
    let mut head: response::Parts = Response::new(()).into_parts().0;
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Reply { head, body: Body::from(text) }
}
