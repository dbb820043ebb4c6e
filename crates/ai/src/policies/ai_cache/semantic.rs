//! Answers to what was asked in other words: a model of embeddings says where a text points, and the nearest of those that
//! were asked with all the rest the same has the answer, if it is near enough.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use model::load::Spanned;
use proxy::exchange::Exchange;
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::keep::Entry;
use super::key::Key;
use super::question::{Alike, Question};
use crate::call::AiCall;
use crate::terminal::Embedder;
use crate::vectors::{Ring, Vector};

/// Answers to what was asked in other words. Model, instructions, tools, parameters, media and the numbers within the text
/// must be the same. Where no embedding can be had in time the model is asked, as if nothing were kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiCacheSemantic")]
pub(super) struct Spec {
    /// The model of `ai.models` that makes embeddings. It is asked as the gateway's own call: it appears in the usage of the
    /// consumer who calls, and no limit holds it up.
    model: Spanned<String>,
    /// How alike two texts must be, as the cosine between their embeddings, from 0.5 to 1. A wrong answer costs more than a
    /// call that was not saved: start high, and lower it once `tollgate_ai_cache_similarity_total` shows what is near.
    #[serde(default = "threshold")]
    #[schemars(extend("default" = 0.95))]
    threshold: Spanned<f64>,
    /// What may be said in other words.
    #[serde(default)]
    of: Alike,
    /// The most bytes of such a text, up to `64KiB`. The longer one is, the less its embedding says of details.
    #[serde(default = "most_text")]
    #[schemars(extend("default" = "8KiB"))]
    max_text: model::value::ByteSize,
    /// The most requests that are searched, up to 50000: the newest. Each takes 4 bytes of `max_bytes` for each dimension.
    #[serde(default = "most_entries")]
    #[schemars(extend("default" = 10000))]
    max_entries: usize,
    /// How long an embedding may take, from `10ms` to `1m`.
    #[serde(default = "patience")]
    #[schemars(extend("default" = "2s"))]
    timeout: model::value::Duration,
}

fn threshold() -> Spanned<f64> {
    Spanned::from(0.95)
}

fn most_text() -> model::value::ByteSize {
    model::value::ByteSize::kib(8)
}

const fn most_entries() -> usize {
    10_000
}

fn patience() -> model::value::Duration {
    model::value::Duration::from_secs(2)
}

/// So far below the threshold the nearest is looked for, to tell how near it was.
const BELOW: f32 = 0.1;
/// How near the nearest was, as it is counted.
const STEPS: [(f32, &str); 9] = [
    (0.99, "0.99"),
    (0.98, "0.98"),
    (0.97, "0.97"),
    (0.96, "0.96"),
    (0.95, "0.95"),
    (0.9, "0.9"),
    (0.85, "0.85"),
    (0.8, "0.8"),
    (f32::NEG_INFINITY, "lower"),
];

/// Finds answers to what was asked in other words.
pub(super) struct Semantic {
    embedder: Embedder,
    threshold: f32,
    alike: Alike,
    most_text: usize,
    ring: Arc<Ring<Entry>>,
    counts: [Arc<AtomicU64>; STEPS.len()],
}

/// Where a request is among others.
pub(super) struct Place {
    /// What must be the same.
    pub(super) rest: Key,
    pub(super) vector: Vector,
    pub(super) ring: Arc<Ring<Entry>>,
}

impl Semantic {
    pub(super) fn compile(written: &Spec, cx: &mut Compile<'_>) -> Option<Self> {
        if !(0.5..=1.0).contains(&*written.threshold) {
            cx.problem(written.threshold.span, "`threshold` is not from 0.5 to 1", "write `threshold: 0.95`");
        }
        let text = written.max_text.get();
        if text == 0 || text > 64 << 10 {
            cx.problem(written.model.span, "`max_text` is not from 1 byte to 64 KiB", "mend it");
        }
        if !(1..=50_000).contains(&written.max_entries) {
            cx.problem(written.model.span, "`max_entries` is not from 1 to 50000", "mend it");
        }
        let timeout = written.timeout.get();
        if timeout < Duration::from_millis(10) || timeout > Duration::from_secs(60) {
            cx.problem(written.model.span, "`timeout` is not from 10ms to 1m", "mend it");
        }
        let embedder = Embedder::compile(&written.model, timeout, cx)?;
        let most = written.max_entries;
        let ring = cx.keep(&format!("vectors {most}"), || Ring::new(most));
        Some(Self {
            embedder,
            threshold: *written.threshold as f32,
            alike: written.of,
            most_text: usize::try_from(text).unwrap_or(usize::MAX),
            ring,
            counts: STEPS.map(|(_, step)| cx.env.telemetry.similarity(step)),
        })
    }

    /// Where the request of this exchange is; none where it is nowhere, or nobody says so in time.
    pub(super) async fn place(&self, x: &mut Exchange, owner: Option<u32>, asked: Value) -> Option<Place> {
        let call = AiCall::of(x)?;
        let by = self.embedder.name();
        let question = Question::of(self.alike, (owner, call), asked, (self.most_text, by))?;
        let vector = Vector::of(self.embedder.embed(x, &question.text).await?)?;
        Some(Place { rest: question.rest, vector, ring: self.ring.clone() })
    }

    /// The nearest that is good and near enough, and how near it is.
    pub(super) fn nearest(&self, place: &Place, good: impl Fn(&Entry) -> bool) -> Option<(Arc<Entry>, f32)> {
        let same = |entry: &Entry| entry.place.as_ref().is_some_and(|(rest, _)| *rest == place.rest) && good(entry);
        let nearest = self.ring.nearest(place.rest.short(), &place.vector, self.threshold - BELOW, same);
        let cosine = nearest.as_ref().map_or(f32::MIN, |(_, cosine)| *cosine);
        let step = STEPS.iter().zip(&self.counts).find(|((least, _), _)| cosine >= *least);
        if let Some((_, count)) = step {
            count.fetch_add(1, Relaxed);
        }
        nearest.filter(|(_, cosine)| *cosine >= self.threshold)
    }
}
