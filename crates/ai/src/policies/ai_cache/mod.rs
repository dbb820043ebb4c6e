//! Answers of models that are given again to who asks the same.

mod gather;
mod key;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue};
use moka::sync::Cache;
use proxy::clock::Time;
use proxy::exchange::{Blame, Code, Error, Exchange};
use proxy::policies::{Merge, Needs, Outcome, Policy, Reply, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::gather::Gather;
use self::key::Key;
use crate::call::{AiCall, Watch};
use crate::providers::Capability;
use crate::translate::{Answer, Event};

#[cfg(test)]
mod tests;

/// Answers of models that are given again to who asks the same.
pub(crate) struct AiCache;

/// Keeps answers of models in memory and gives them again to who asks the same of the same model: the whole request counts,
/// but for who asks, labels, and whether the answer comes as a stream. An answer is kept once it is whole and neither cut
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
        // Another bound is another cache: what is kept cannot be told to shrink.
        let kept = cx.keep(&most.to_string(), || {
            Kept(Cache::builder().max_capacity(most).weigher(|_, entry: &Arc<Entry>| entry.bytes).build())
        });
        Some(Arc::new(Keeps { kept, ttl: spec.ttl.get(), share: spec.share, max_answer: spec.max_answer.get() }))
    }
}

/// What is kept.
struct Kept(Cache<Key, Arc<Entry>>);

/// An answer that is kept.
struct Entry {
    answer: Answer,
    since: Time,
    bytes: u32,
}

struct Keeps {
    kept: Arc<Kept>,
    ttl: Duration,
    share: Share,
    max_answer: u64,
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
        let now = x.local.program.clock.now();
        let wall = x.local.program.clock.wall().as_secs();
        let id = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let Some(call) = AiCall::of(x) else { return Verdict::NEXT };
        // Other calls than conversations are not kept.
        if call.personal || call.capability() != Capability::Chat {
            return Verdict::NEXT;
        }
        let key = match Key::of(owner, call) {
            Ok(key) => key,
            Err(why) => return Verdict::fail(Error::new(&UNREADABLE, why)),
        };
        let known = if wish.anew { None } else { self.kept.0.get(&key) };
        let good = |entry: &Arc<Entry>| now.0.saturating_sub(entry.since.0) < nanos(self.ttl);
        if let Some(entry) = known.filter(good) {
            let reply = replay::reply(call, entry.answer.clone(), &id, wall);
            x.reply_headers.push((CACHE.clone(), HeaderValue::from_static("hit")));
            return Verdict::Done(match reply {
                Ok((head, body)) => Outcome::Reply(Box::new(Reply { head, body })),
                Err(error) => Outcome::Fail(Box::new(error)),
            });
        }
        if wish.keep {
            let keeper =
                Keeper { key, kept: self.kept.clone(), since: now, most: self.max_answer, gather: Gather::default() };
            call.watch(Box::new(keeper));
        }
        x.reply_headers.push((CACHE.clone(), HeaderValue::from_static("miss")));
        Verdict::NEXT
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What the caller wants of the cache.
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

/// Keeps an answer on its way to the caller, once it is whole.
struct Keeper {
    key: Key,
    kept: Arc<Kept>,
    since: Time,
    most: u64,
    gather: Gather,
}

impl Keeper {
    fn keep(&self, answer: Answer) {
        let bytes = gather::weight(&answer);
        if bytes <= self.most && gather::is_good(&answer) {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.kept.0.insert(self.key, Arc::new(Entry { answer, since: self.since, bytes }));
        }
    }
}

impl Watch for Keeper {
    fn alters(&self) -> bool {
        false
    }

    fn answer(&mut self, answer: &mut Answer) -> Result<(), Error> {
        self.keep(answer.clone());
        Ok(())
    }

    fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        if let Some(answer) = self.gather.push(&event, self.most) {
            self.keep(answer);
        }
        out.push(event);
    }
}
