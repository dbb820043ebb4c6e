//! Embeddings for the gateway's own use: where a text points, as a model of `ai.models` has it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use http::HeaderMap;
use model::load::Spanned;
use model::problem::did_you_mean;
use proxy::exchange::{Attempts, Body, Exchange, ModelCall};
use proxy::program::Compile;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::super::ask::{Chain, Frame};
use super::super::row;
use super::{asking, give};
use crate::call::{AiCall, Head, Other, Says, Tail, Turn};
use crate::fleet::{Chooser, Fleet, Model, Urgency};
use crate::meter::Served;
use crate::providers::Capability;
use crate::translate::Format;

/// So much longer the whole is waited for than each attempt, which knows better what it waited for.
const SLACK: Duration = Duration::from_millis(50);
/// After so many failures in a row nobody is asked for so long, in nanoseconds.
const FAILURES: u32 = 3;
const REST: u64 = 10_000_000_000;

/// A model that says where texts point.
pub(crate) struct Embedder {
    fleet: Arc<Fleet>,
    model: Arc<Model>,
    timeout: Duration,
    /// How often in a row there was nothing, and until when nobody is asked for that.
    failures: AtomicU32,
    rests: AtomicU64,
}

/// What is answered.
#[derive(Deserialize)]
struct Embeddings {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    embedding: Vec<f32>,
}

impl Embedder {
    /// The model of this name, which is waited for so long.
    pub(crate) fn compile(name: &Spanned<String>, timeout: Duration, cx: &mut Compile<'_>) -> Option<Self> {
        let fleet = Fleet::of(cx);
        let Some(model) = fleet.model(name).cloned() else {
            let near = did_you_mean(name, fleet.names());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            cx.problem(name.span, format!("unknown model `{}`{hint}", **name), "name one of `ai.models`");
            return None;
        };
        if !model.targets.iter().any(|target| target.provider.place(Capability::Embeddings).is_some()) {
            let message = format!("nobody who serves the model `{}` makes embeddings", **name);
            cx.problem(name.span, message, "name a model of embeddings");
            return None;
        }
        Some(Self { fleet, model, timeout, failures: AtomicU32::new(0), rests: AtomicU64::new(0) })
    }

    /// The model's name.
    pub(crate) fn name(&self) -> &str {
        &self.model.name
    }

    /// Where a text points; none where nobody says so in time. It is written down as a call of who calls, but no limit holds
    /// it up.
    pub(crate) async fn embed(&self, x: &mut Exchange, text: &str) -> Option<Vec<f32>> {
        let now = x.local.program.clock.now().0;
        let wall = x.local.program.clock.wall().as_secs();
        if now < self.rests.load(Relaxed) {
            return None;
        }
        let (turn, body) = (Turn::of(Format::OpenAiChat), json!({ "model": self.name(), "input": text }));
        let head = Head::read(body.to_string().into(), &turn).ok()?;
        let mut call = AiCall::new(turn, head, self.model.clone());
        call.capability = Capability::Embeddings;
        call.meter.asks(row(x, &call));
        let until = Instant::now() + self.timeout;
        let frame = Frame {
            worker: x.local.worker,
            clock: x.local.program.clock.clone(),
            attempts: Arc::new(Attempts::default()),
            urgency: Urgency::default(),
            until: Some(until),
            hold: None,
            vendor: HeaderMap::new(),
        };
        let chain = Chain::of(&self.fleet, &self.model, &Chooser { x, now, draw: proxy::random::next() }, false);
        let vector = timeout_at(until + SLACK, ask(&mut call, &chain, frame, wall)).await.ok().flatten();
        self.went(x.local.program.clock.now().0, vector.is_some());
        vector
    }

    /// That an embedding came in time, or not. What fails again and again is not waited for with every call.
    fn went(&self, now: u64, well: bool) {
        if well {
            self.failures.store(0, Relaxed);
        } else if self.failures.fetch_add(1, Relaxed) + 1 >= FAILURES {
            // One more is enough for the next rest.
            self.failures.store(FAILURES - 1, Relaxed);
            self.rests.store(now.saturating_add(REST), Relaxed);
            tracing::warn!(target: "tollgate::ai", model = self.name(), "there are no embeddings: answers are kept word for word");
        }
    }
}

async fn ask(call: &mut AiCall, chain: &Chain, frame: Frame, now: u64) -> Option<Vec<f32>> {
    let (format, says, tail) = (Format::OpenAiChat, Says::Json, Tail::None);
    let other = Other { call: Capability::Embeddings, format, says, tail };
    let answered = asking::ask(call, &other, chain, frame).await?;
    let target = &answered.going.target;
    let served = ModelCall::new(call.model.name.clone(), target.provider.name.clone(), target.model.clone());
    call.meter.served(Served::of(call, target, Arc::new(served)));
    let reply = give::give(call, &other, answered, now).await.ok()?;
    let Body::Full(text) = reply.body else { return None };
    let told: Embeddings = serde_json::from_slice(&text).ok()?;
    told.data.into_iter().next().map(|first| first.embedding)
}
