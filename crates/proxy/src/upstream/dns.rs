//! The addresses of a name. They are asked for when the first request needs them, again whenever their TTL ends, and kept
//! while the name cannot be resolved: a stale answer serves better than none. A task a name does that, on the runtime of
//! whoever came first.

use std::net::SocketAddr;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Acquire, Release},
};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::view::Changes;

/// A TTL below this is taken as this, so that no answer is asked for without pause.
const LEAST_TTL: Duration = Duration::from_secs(1);
/// A TTL above this is taken as this, so that a mistake in a zone does not last for a day.
const MOST_TTL: Duration = Duration::from_secs(300);
/// The longest pause between two tries after failures.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// Addresses of one name, the lowest ones: each is a pool and some metrics.
const MOST_ADDRESSES: usize = 256;

/// Where names are resolved.
#[derive(Clone)]
pub(super) enum Resolve {
    /// As the machine does it: `/etc/hosts`, `/etc/resolv.conf`.
    System,
    /// By these servers, for tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests have servers of their own"))]
    Servers(Box<ResolverConfig>),
}

/// Makes an endpoint of an address, the one that is kept for it if there is one.
type Make = Box<dyn Fn(SocketAddr) -> Arc<Endpoint> + Send + Sync>;

/// A name with its addresses.
pub(super) struct Name {
    host: String,
    port: u16,
    resolve: Resolve,
    make: Make,
    changes: Arc<Changes>,
    endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    /// Which address is next.
    pub(super) turn: AtomicUsize,
    /// Why the last try failed, and when, while there is no address at all.
    failure: Mutex<Option<(Instant, Arc<str>)>>,
    /// Whether a task keeps the addresses fresh.
    kept: AtomicBool,
    changed: Notify,
    poke: Arc<Notify>,
}

impl Name {
    /// A name that nobody has asked for yet.
    pub(super) fn new(host: &str, port: u16, resolve: Resolve, make: Make, changes: Arc<Changes>) -> Self {
        Self {
            host: host.to_owned(),
            port,
            resolve,
            make,
            changes,
            endpoints: ArcSwap::from_pointee(Vec::new()),
            turn: AtomicUsize::new(0),
            failure: Mutex::new(None),
            kept: AtomicBool::new(false),
            changed: Notify::new(),
            poke: Arc::new(Notify::new()),
        }
    }

    /// The addresses that are known now.
    pub(super) fn endpoints(&self) -> Guard<Arc<Vec<Arc<Endpoint>>>> {
        self.endpoints.load()
    }

    /// Why it has no addresses, if it has none.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        if self.endpoints.load().is_empty() { self.failure.lock().as_ref().map(|(_, why)| why.clone()) } else { None }
    }

    /// Waits until there are addresses, or says why there are none.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<(), Arc<str>> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.endpoints.load().is_empty() {
                return Ok(());
            }
            // A failure counts for a moment, so that not every request of a burst asks for itself.
            if let Some((at, why)) = &*self.failure.lock()
                && at.elapsed() < LEAST_TTL
            {
                return Err(why.clone());
            }
            self.keep_fresh();
            self.poke.notify_one();
            changed.await;
        }
    }

    /// Sets a task to work unless one is.
    pub(super) fn keep_fresh(self: &Arc<Self>) {
        if self.kept.load(Acquire) || self.kept.swap(true, AcqRel) {
            return;
        }
        let kept = Kept { name: Arc::downgrade(self) };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(refresh(kept));
        }
    }

    /// Asks once. Gives how long the answer is good for.
    async fn ask(&self) -> Result<Duration, String> {
        let resolver = self.resolver().map_err(|error| error.to_string())?;
        let found = resolver.lookup_ip(self.host.as_str()).await.map_err(|error| error.to_string())?;
        let mut addresses: Vec<SocketAddr> = found.iter().map(|ip| SocketAddr::new(ip, self.port)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MOST_ADDRESSES);
        if addresses.is_empty() {
            return Err("the name has no addresses".to_owned());
        }
        let before = self.endpoints.load();
        if before.iter().map(|endpoint| &endpoint.address).ne(addresses.iter()) {
            tracing::debug!(target: "tollgate::upstream", name = %self.host, ?addresses, "resolved");
            let endpoints = addresses.into_iter().map(|address| (self.make)(address)).collect();
            self.endpoints.store(Arc::new(endpoints));
            self.changes.note();
        }
        let left = found.valid_until().saturating_duration_since(std::time::Instant::now());
        Ok(left.clamp(LEAST_TTL, MOST_TTL))
    }

    /// A resolver, made anew each time so that a changed `/etc/resolv.conf` or `/etc/hosts` is seen.
    fn resolver(&self) -> Result<TokioResolver, hickory_resolver::net::NetError> {
        let mut builder = match &self.resolve {
            // Without servers there is still `/etc/hosts`.
            Resolve::System => TokioResolver::builder_tokio().unwrap_or_else(|_| {
                TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
            }),
            Resolve::Servers(servers) => {
                TokioResolver::builder_with_config((**servers).clone(), TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Always;
        builder.build()
    }
}

/// Keeps the addresses of a name fresh for as long as anyone uses it.
async fn refresh(kept: Kept) {
    let mut pause = LEAST_TTL;
    loop {
        let Some(name) = kept.name.upgrade() else { return };
        let wait = match name.ask().await {
            Ok(good_for) => {
                *name.failure.lock() = None;
                pause = LEAST_TTL;
                good_for
            }
            Err(why) => {
                let stale = !name.endpoints.load().is_empty();
                tracing::warn!(target: "tollgate::upstream", name = %name.host, stale, error = %why, "name not resolved");
                *name.failure.lock() = Some((Instant::now(), why.into()));
                if !stale {
                    name.changes.note();
                }
                let wait = pause;
                pause = (pause * 2).min(MOST_PAUSE);
                wait
            }
        };
        name.changed.notify_waiters();
        // The name must not live for this task alone.
        let (poke, empty) = (name.poke.clone(), name.endpoints.load().is_empty());
        drop(name);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = poke.notified(), if empty => {}
        }
    }
}

/// Says that the task is gone, however it goes: done, or with its runtime.
struct Kept {
    name: Weak<Name>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(name) = self.name.upgrade() {
            name.kept.store(false, Release);
        }
    }
}
