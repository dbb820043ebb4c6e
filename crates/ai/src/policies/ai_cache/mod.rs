//! Answers of models that are given again to who asks the same, or the same in other words.
//!
//! The way of a call: the answer to the very same request, if there is one; else, where equal calls are made once, what
//! another is being told; else, with `semantic`, the answer to the nearest text that was asked with all the rest the same;
//! else the model is asked, and what it says is kept once it is whole.

mod gather;
mod keep;
mod key;
mod question;
mod replay;
mod semantic;
mod together;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue};
use moka::sync::Cache;
use proxy::exchange::{Blame, Cached, Code, Error, Exchange};
use proxy::policies::{Merge, Needs, Outcome, Policy, Reply, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::keep::{Held, Keeper, Kept};
use self::key::Key;
use self::semantic::{Place, Semantic};
use self::together::{Joined, Lead, Together};
use crate::call::AiCall;
use crate::providers::Capability;

#[cfg(test)]
mod tests;

/// Answers of models that are given again to who asks the same.
pub(crate) struct AiCache;

/// Keeps answers of models in memory and gives them again to who asks the same of the same model: the whole request counts,
/// but for who asks, labels, and whether the answer comes as a stream. With `semantic` the answer to the same in other words
/// is given too. An answer is kept once it is whole and neither cut
/// short nor held back; it is replayed as a stream to who asks for one. Response checks of `guardrail` see it again each
/// time. It costs nothing, so no budget is drawn on. `x-tollgate-cache` tells `hit` or `miss`; callers go past it with
/// `cache-control: no-cache` (ask anew) and `no-store` (do not keep).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// How long an answer is good, up to `30d`.
    #[schemars(extend("default" = "1h"))]
    ttl: model::value::Duration,
    /// Who gets whose answers.
    share: Share,
    /// The most bytes of all that is kept, up to `64GiB`. What was not used for longest goes first.
    #[schemars(extend("default" = "64MiB"))]
    max_bytes: model::value::ByteSize,
    /// The most bytes of an answer that is kept.
    #[schemars(extend("default" = "1MiB"))]
    max_answer: model::value::ByteSize,
    /// Gives answers to what was asked in other words too.
    semantic: Option<semantic::Spec>,
    /// Makes equal calls that come at the same time once: the others wait until the answer to the first is whole.
    collapse: Option<together::Spec>,
}

/// Who gets whose answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AiCacheShare")]
enum Share {
    /// Each consumer its own; callers who are not known have none.
    #[default]
    Consumer,
    /// Everyone everybody's.
    All,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            ttl: model::value::Duration::from_secs(3600),
            share: Share::default(),
            max_bytes: model::value::ByteSize::mib(64),
            max_answer: model::value::ByteSize::mib(1),
            semantic: None,
            collapse: None,
        }
    }
}

static UNREADABLE: Code = Code {
    name: "ai_cache.unreadable",
    status: 400,
    title: "Not a request that a model takes",
    blame: Blame::Client,
    proxy_status: None,
};
static CACHE: HeaderName = HeaderName::from_static("x-tollgate-cache");
const LONGEST: Duration = Duration::from_secs(30 * 86_400);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
const MOST_WAITING: usize = 100_000;
/// How often a call that waited in vain waits for another.
const ROUNDS: usize = 3;

impl Policy for AiCache {
    type Spec = Spec;
    const KIND: &'static str = "ai_cache";
    const ORDER: (Stage, u8) = (Stage::Cache, 50);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&UNREADABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.ttl.is_zero() || spec.ttl.get() > LONGEST {
            cx.problem(cx.span, "`ttl` is not from 1 ms to 30 days", "mend it");
        }
        let most = spec.max_bytes.get();
        if most == 0 || most > 64 << 30 {
            cx.problem(cx.span, "`max_bytes` is not from 1 byte to 64 GiB", "mend it");
        }
        if spec.collapse.is_some_and(|spec| spec.wait.get() > LONGEST_WAIT || spec.most > MOST_WAITING) {
            cx.problem(cx.span, "`collapse` lets calls wait for more than 10 minutes, or more than 100000", "mend it");
        }
        // Another bound is another cache: what is kept cannot be told to shrink.
        let kept = cx.keep(&most.to_string(), || {
            Kept(Cache::builder().max_capacity(most).weigher(|_, held: &Held| held.entry.bytes).build())
        });
        let semantic = match &spec.semantic {
            Some(written) => Some(Semantic::compile(written, cx)?),
            None => None,
        };
        Some(Arc::new(Keeps {
            kept,
            ttl: spec.ttl.get(),
            share: spec.share,
            max_answer: spec.max_answer.get(),
            semantic,
            together: spec.collapse.as_ref().map(Together::new),
            counts: ["hit", "similar", "miss"].map(|result| cx.env.telemetry.cached(result)),
        }))
    }
}

struct Keeps {
    kept: Arc<Kept>,
    ttl: Duration,
    share: Share,
    max_answer: u64,
    semantic: Option<Semantic>,
    /// Those that are being asked.
    together: Option<Arc<Together>>,
    counts: [Arc<AtomicU64>; 3],
}

/// A request that may have an answer.
struct Asks {
    owner: Option<u32>,
    key: Key,
    wish: Wish,
    asked: Value,
}

impl Step for Keeps {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let consumer = x.identity.as_ref().and_then(|identity| identity.consumer).map(|slot| slot.0);
        let owner = match (self.share, consumer) {
            (Share::All, _) => None,
            (Share::Consumer, Some(consumer)) => Some(consumer),
            (Share::Consumer, None) => return Verdict::NEXT,
        };
        let wish = Wish::of(x);
        let Some(call) = AiCall::of(x) else { return Verdict::NEXT };
        // Other calls than conversations are not kept.
        if call.personal || call.capability() != Capability::Chat {
            return Verdict::NEXT;
        }
        let asked = match key::asked(call) {
            Ok(asked) => asked,
            Err(why) => return Verdict::fail(Error::new(&UNREADABLE, why)),
        };
        let key = Key::of(owner, call, &asked, "");
        if !wish.anew
            && let Some(held) = self.known(x, &key)
        {
            return Verdict::Done(self.give(x, &held));
        }
        if !wish.keep || self.semantic.is_none() && self.together.is_none() {
            self.miss(x, key, wish, (None, None));
            return Verdict::NEXT;
        }
        let asks = Asks { owner, key, wish, asked };
        Verdict::Await(Box::pin(self.ask(x, asks)))
    }
}

impl Keeps {
    /// What is kept under this key, if it is still good.
    fn known(&self, x: &Exchange, key: &Key) -> Option<Held> {
        let now = x.local.program.clock.now();
        self.kept.0.get(key).filter(|held| held.entry.is_good(now, self.ttl))
    }

    /// Waits for an equal call, or looks for what was asked in other words.
    async fn ask(&self, x: &mut Exchange, asks: Asks) -> Outcome {
        let lead = match &self.together {
            Some(together) if !asks.wish.anew => match self.wait(x, &asks.key, together).await {
                Ok(held) => return self.give(x, &held),
                Err(lead) => lead,
            },
            _ => None,
        };
        let place = match &self.semantic {
            Some(semantic) => semantic.place(x, asks.owner, asks.asked).await,
            None => None,
        };
        if let (Some(semantic), Some(place), false) = (&self.semantic, &place, asks.wish.anew) {
            let now = x.local.program.clock.now();
            if let Some((entry, cosine)) = semantic.nearest(place, |entry| entry.is_good(now, self.ttl)) {
                // It was used; and who asks this again need not be told by how it sounds.
                self.kept.0.get(&entry.key);
                let held = Held { entry, similarity: Some(cosine) };
                self.kept.0.insert(asks.key, held.clone());
                return self.give(x, &held);
            }
        }
        self.miss(x, asks.key, asks.wish, (place, lead));
        Outcome::Next
    }

    /// Waits for the answer to an equal call. Without one this call may be what others wait for.
    async fn wait(&self, x: &mut Exchange, key: &Key, together: &Arc<Together>) -> Result<Held, Option<Lead>> {
        let until = together.until();
        for _ in 0..ROUNDS {
            match together.join(*key, until).await {
                Joined::Leads(lead) => return Err(Some(lead)),
                Joined::Alone => return Err(None),
                Joined::Over => {}
            }
            if let Some(held) = self.known(x, key) {
                return Ok(held);
            }
        }
        Err(None)
    }

    /// Gives an answer again.
    fn give(&self, x: &mut Exchange, held: &Held) -> Outcome {
        let wall = x.local.program.clock.wall().as_secs();
        let id = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let Some(call) = AiCall::of(x) else { return Outcome::Next };
        let reply = replay::reply(call, held.entry.answer.clone(), &id, wall);
        self.tell(x, held.similarity.map_or(Cached::Hit, Cached::Similar));
        match reply {
            Ok((head, body)) => Outcome::Reply(Box::new(Reply { head, body })),
            Err(error) => Outcome::Fail(Box::new(error)),
        }
    }

    /// The model is asked, and what it says is kept.
    fn miss(&self, x: &mut Exchange, key: Key, wish: Wish, (place, lead): (Option<Place>, Option<Lead>)) {
        let since = x.local.program.clock.now();
        self.tell(x, Cached::Miss);
        if !wish.keep {
            return;
        }
        let keeper = Keeper::new(key, (self.kept.clone(), since, self.max_answer), place, lead);
        if let Some(call) = AiCall::of(x) {
            call.watch(Box::new(keeper));
        }
    }

    fn tell(&self, x: &mut Exchange, cached: Cached) {
        let [hit, similar, miss] = &self.counts;
        let (count, value) = match cached {
            Cached::Hit => (hit, HeaderValue::from_static("hit")),
            Cached::Miss => (miss, HeaderValue::from_static("miss")),
            Cached::Similar(_) => {
                let told = HeaderValue::try_from(cached.to_string());
                (similar, told.unwrap_or(HeaderValue::from_static("hit")))
            }
        };
        count.fetch_add(1, Relaxed);
        if let Some(call) = AiCall::of(x) {
            call.cached = Some(cached);
        }
        x.reply_headers.push((CACHE.clone(), value));
    }
}

/// What the caller wants of the cache.
#[derive(Clone, Copy)]
struct Wish {
    anew: bool,
    keep: bool,
}

impl Wish {
    fn of(x: &Exchange) -> Self {
        let values = x.request.headers.get_all(CACHE_CONTROL);
        let said: Vec<&str> =
            values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
        let has = |wanted: &str| said.iter().any(|one| one.trim().eq_ignore_ascii_case(wanted));
        Self { anew: has("no-cache") || has("no-store"), keep: !has("no-store") }
    }
}
