//! Where an issuer's keys come from: the configuration, or a URL of the issuer.
//!
//! Fetched keys outlive programs. They are fetched once a program with them runs, or when a token needs them; again in the
//! background when they have become old, and at once, though seldom, for a token with a `kid` that is not among them. While the issuer cannot be
//! reached or answers nonsense the keys that are known stay. All who wait for the same keys wait for one call.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::StatusCode;

use crate::calls::{Collapse, Remote};
use crate::clock::{Clock, Time};
use crate::program::{Compile, Environment, KeyHash, sha256};
use crate::tokens::algorithm::Algorithm;
use crate::tokens::issue::OwnIssuer;
use crate::tokens::json;
use crate::tokens::keys::Keys;
use crate::tokens::token::Token;

/// The most bytes of a set of keys, and of a discovery document.
pub(in crate::policies) const MOST_BYTES: usize = 1 << 20;
/// The longest pause between two tries after failures.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// Where an issuer's keys come from.
pub(in crate::policies) enum Source {
    /// The configuration.
    Fixed(Arc<Loaded>),
    /// A URL.
    Fetched(Arc<Fetched>),
    /// This gateway itself.
    Own(Arc<OwnIssuer>),
}

/// Keys, and how often they have changed.
pub(in crate::policies) struct Loaded {
    pub(in crate::policies) keys: Arc<Keys>,
    pub(in crate::policies) generation: u64,
    /// Of the body they came in.
    hash: KeyHash,
}

/// Keys of a URL: the way to them is the program's, they themselves outlive it.
pub(in crate::policies) struct Fetched {
    pub(in crate::policies) way: Way,
    pub(in crate::policies) store: Arc<Store>,
    pub(in crate::policies) clock: Clock,
    pub(in crate::policies) algorithms: Vec<Algorithm>,
    /// How old keys become before they are fetched again.
    pub(in crate::policies) refresh: Duration,
    /// How soon they are fetched again for an unknown `kid`.
    pub(in crate::policies) unknown_refresh: Duration,
}

/// The way to keys.
pub(in crate::policies) enum Way {
    /// The URL of a set of keys.
    Direct(Remote),
    /// The URL of a document that names it, and must name this issuer.
    Discovered(Box<Discovered>),
}

/// A document of an issuer that says where its keys are.
pub(in crate::policies) struct Discovered {
    pub(in crate::policies) document: Remote,
    pub(in crate::policies) issuer: Box<str>,
    pub(in crate::policies) env: Environment,
}

/// What is known of a URL's keys.
#[derive(Default)]
pub(in crate::policies) struct Store {
    current: ArcSwapOption<Loaded>,
    /// When they were fetched last, and when that was last tried: nanoseconds of the clock and one, 0 for never.
    fetched: AtomicU64,
    tried: AtomicU64,
    failures: AtomicU32,
    calls: Calls,
}

struct Calls(Collapse<(), ()>);

impl Default for Calls {
    fn default() -> Self {
        Self(Collapse::new(1))
    }
}

impl Source {
    /// Keys of the configuration.
    pub(in crate::policies) fn fixed(keys: Keys) -> Self {
        Source::Fixed(Arc::new(Loaded { keys: Arc::new(keys), generation: 0, hash: KeyHash::default() }))
    }

    /// Keys of a URL, which is asked for them once the program runs: the first request does not wait for it then.
    pub(in crate::policies) fn asked_early(fetched: Arc<Fetched>, cx: &mut Compile<'_>) -> Self {
        let early = fetched.clone();
        cx.early(move |worker| {
            let fetched = early.clone();
            async move { fetched.fetch_unknown(worker).await }
        });
        Source::Fetched(fetched)
    }

    /// The keys that are known, unless they are to be asked for first.
    pub(in crate::policies) fn keys(&self) -> Option<Arc<Loaded>> {
        match self {
            Source::Fixed(loaded) => Some(loaded.clone()),
            Source::Own(own) => {
                let now = own.verifying();
                let (keys, generation) = (now.keys.clone(), now.generation);
                Some(Arc::new(Loaded { keys, generation, hash: KeyHash::default() }))
            }
            Source::Fetched(fetched) if fetched.is_long_unused() => None,
            Source::Fetched(fetched) => fetched.store.current.load_full(),
        }
    }

    /// How often the keys have changed; none while there are none, or while they are to be asked for first. Keys that have
    /// become old are fetched again beside the traffic, by the connections of this worker.
    pub(in crate::policies) fn generation(&self, worker: usize) -> Option<u64> {
        match self {
            Source::Fixed(_) => Some(0),
            Source::Own(own) => Some(own.verifying().generation),
            Source::Fetched(fetched) => {
                fetched.refresh_beside(worker);
                if fetched.is_long_unused() {
                    return None;
                }
                fetched.store.current.load().as_ref().map(|loaded| loaded.generation)
            }
        }
    }

    /// Whether its issuer took a token back.
    pub(in crate::policies) fn is_revoked(&self, token: &Token<'_>) -> bool {
        match self {
            Source::Own(own) => token.text("jti").is_none_or(|id| own.is_revoked(id)),
            Source::Fixed(_) | Source::Fetched(_) => false,
        }
    }

    /// Whether asking could bring a key that is not there, and is allowed now.
    pub(in crate::policies) fn may_have_more(&self) -> bool {
        match self {
            Source::Fixed(_) | Source::Own(_) => false,
            Source::Fetched(fetched) => fetched.has_waited(fetched.unknown_refresh),
        }
    }

    /// Fetches the keys, unless that failed a moment ago.
    pub(in crate::policies) async fn ask(&self, worker: usize) {
        if let Source::Fetched(fetched) = self
            && fetched.has_waited(fetched.pause())
        {
            fetched.fetch_once(worker).await;
        }
    }
}

impl Fetched {
    /// Whether the last try is so long ago.
    fn has_waited(&self, pause: Duration) -> bool {
        match self.store.tried.load(SeqCst) {
            0 => true,
            tried => self.clock.now().since(Time(tried - 1)) >= pause,
        }
    }

    /// How long to wait after failures: longer with each.
    fn pause(&self) -> Duration {
        match self.store.failures.load(Relaxed) {
            0 => Duration::ZERO,
            failures => Duration::from_secs(1 << failures.min(6)).min(MOST_PAUSE),
        }
    }

    /// How old the keys are; none where there are none.
    fn age(&self) -> Option<Duration> {
        let fetched = self.store.fetched.load(Relaxed).checked_sub(1)?;
        Some(self.clock.now().since(Time(fetched)))
    }

    /// Whether nobody has used the keys for so long that they were not kept fresh: then they are asked for first, as one of
    /// them may have been revoked. Not while that fails, as old keys are better than none.
    fn is_long_unused(&self) -> bool {
        self.age().is_some_and(|age| age >= self.refresh * 2) && self.store.failures.load(Relaxed) == 0
    }

    /// Fetches old keys again while the known ones serve.
    fn refresh_beside(self: &Arc<Self>, worker: usize) {
        if self.age().is_none_or(|age| age < self.refresh) || !self.has_waited(self.pause()) || self.is_long_unused() {
            return;
        }
        // Said first, so that the requests that come meanwhile do not all do the same.
        self.store.tried.store(self.clock.now().0 + 1, SeqCst);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let again = self.clone();
            runtime.spawn(async move { again.fetch_once(worker).await });
        }
    }

    /// Fetches the keys where there are none, unless that failed a moment ago.
    async fn fetch_unknown(self: &Arc<Self>, worker: usize) {
        if self.store.current.load().is_none() && self.has_waited(self.pause()) {
            self.fetch_once(worker).await;
        }
    }

    /// Fetches the keys; who asks meanwhile waits for the same answer.
    async fn fetch_once(self: &Arc<Self>, worker: usize) {
        let fetched = self.clone();
        self.store.calls.0.run((), || async move { fetched.fetch(worker).await }).await;
    }

    async fn fetch(&self, worker: usize) {
        let outcome = self.way.fetch(worker).await.and_then(|body| {
            let keys = Keys::jwks(&body, &self.algorithms)?;
            Ok((keys, sha256(&body)))
        });
        let now = self.clock.now().0 + 1;
        self.store.tried.store(now, SeqCst);
        match outcome {
            Ok((keys, hash)) => {
                self.store.failures.store(0, Relaxed);
                self.store.fetched.store(now, Relaxed);
                let before = self.store.current.load_full();
                if before.as_ref().is_none_or(|before| before.hash != hash) {
                    let generation = before.map_or(1, |before| before.generation + 1);
                    let count = keys.len();
                    self.store.current.store(Some(Arc::new(Loaded { keys: Arc::new(keys), generation, hash })));
                    tracing::info!(target: "tollgate::tokens", url = self.way.url(), keys = count, "keys of an issuer");
                }
            }
            Err(error) => {
                let failures = self.store.failures.fetch_add(1, Relaxed) + 1;
                let stale = self.store.current.load().is_some();
                tracing::warn!(
                    target: "tollgate::tokens", url = self.way.url(), %error, failures, stale, "no keys from an issuer"
                );
            }
        }
    }
}

impl Way {
    fn url(&self) -> &str {
        match self {
            Way::Direct(remote) => remote.url(),
            Way::Discovered(discovered) => discovered.document.url(),
        }
    }

    /// The set of keys.
    async fn fetch(&self, worker: usize) -> Result<bytes::Bytes, String> {
        match self {
            Way::Direct(remote) => get(remote, worker).await,
            Way::Discovered(discovered) => {
                let Discovered { document, issuer, env } = &**discovered;
                let body = get(document, worker).await?;
                let url = jwks_uri(&body, issuer)?;
                if document.is_encrypted() && !url.starts_with("https://") {
                    return Err("`jwks_uri` is not `https`, and the document was".to_owned());
                }
                let remote = document.learnt(url, "jwks_uri", env);
                let remote = remote.ok_or("`jwks_uri` is not a URL that can be asked")?;
                get(&remote, worker).await
            }
        }
    }
}

async fn get(remote: &Remote, worker: usize) -> Result<bytes::Bytes, String> {
    let answer = remote.get(worker).await.map_err(|error| error.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(format!("it answered {}", answer.status.as_u16()));
    }
    Ok(answer.body)
}

/// The URL of the keys in a discovery document, which must be of this issuer (OpenID Connect Discovery section 4.3, RFC
/// 8414 section 3.3): else one issuer could speak for another.
fn jwks_uri(body: &[u8], issuer: &str) -> Result<String, String> {
    let document = json::object(body).ok_or("the discovery document is not a JSON object")?;
    let text = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err("the discovery document is of another issuer".to_owned());
    }
    text("jwks_uri").map(str::to_owned).ok_or_else(|| "the discovery document has no `jwks_uri`".to_owned())
}
