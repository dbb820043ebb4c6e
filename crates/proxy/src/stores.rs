//! What counts outside of this process's memory: the data directory's ledger, and Redis. Both are opened once and live as
//! long as the process; programs that say the same share them, so that a reload keeps the connections.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use model::load::Spanned;
use model::problem::{Problem, Problems};
use model::resource::{Redis, RedisMode, RedisOnError, StoreKey};
use model::snapshot::Snapshot;
use model::value::Secret;
use parking_lot::Mutex;
use store::keys::Use;
use store::ledger::SqliteLedger;
use store::secrets::{Key, KeySource, Keyring, Vault};
use store::shared::{Shared, SharedOptions, SharedTls, Topology, WhenGone};
use store::{Options, Store};

use crate::caller_keys::{self, CallerKeys};
use crate::program::Program;

/// What is open.
#[derive(Default)]
pub struct Stores {
    disk: OnceLock<Store>,
    ledger: Ledger,
    usage: Usage,
    keys: CallerKeys,
    /// Up to which second uses of credentials are saved.
    uses_saved: AtomicU64,
    vault: OnceLock<Arc<Vault>>,
    flushes: Mutex<Vec<Weak<dyn Flush>>>,
    shared: Mutex<Vec<(Redis, Weak<Shared>)>>,
}

/// What is to be written down before the process ends.
pub trait Flush: Send + Sync {
    /// Waits until all that was given is written, at most so long.
    fn flush(&self, patience: Duration);
}

/// How long the last of it may take.
const LAST: Duration = Duration::from_secs(5);

/// The key that seals secrets where the configuration names none.
const SECRETS_KEY: &str = "secrets.key";

/// Where what calls of models took is kept, once the data directory is open.
#[derive(Clone, Default)]
pub struct Usage(Arc<OnceLock<Arc<store::usage::Book>>>);

impl Usage {
    /// The book; none before the data directory is open, and where there is none.
    pub fn get(&self) -> Option<&Arc<store::usage::Book>> {
        self.0.get()
    }
}

/// The ledger, once the data directory is open.
#[derive(Clone, Default)]
pub struct Ledger(Arc<OnceLock<Arc<SqliteLedger>>>);

impl Ledger {
    /// The ledger; none before the data directory is open.
    pub fn get(&self) -> Option<&Arc<SqliteLedger>> {
        self.0.get()
    }
}

impl Stores {
    /// Opens the data directory, unless it is open: it is this process's alone until it ends.
    pub fn open(&self, directory: &Path, options: &Options) -> store::Result<()> {
        if self.disk.get().is_none() {
            let opened = Store::open(directory, options)?;
            self.keys.open(opened.keys(), &opened.uses())?;
            let _ = self.ledger.0.set(opened.ledger().clone());
            let _ = self.usage.0.set(opened.usage().clone());
            let _ = self.disk.set(opened);
        }
        Ok(())
    }

    /// The data directory, if it is open.
    pub fn disk(&self) -> Option<&Store> {
        self.disk.get()
    }

    /// The ledger, for what is compiled before the directory is open.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// What calls of models took, for what is compiled before the directory is open.
    pub fn usage(&self) -> Usage {
        self.usage.clone()
    }

    /// Keys that callers were given while the gateway runs.
    pub fn caller_keys(&self) -> &CallerKeys {
        &self.keys
    }

    /// Takes up when the program's credentials were last shown, where a data directory is open. Waits for the disk.
    pub fn restore_uses(&self, program: &Program) -> store::Result<()> {
        let Some(disk) = self.disk.get() else { return Ok(()) };
        disk.uses().load(|consumer, kind, credential, at| {
            program.consumers.was_used((consumer, kind, credential), at);
        })
    }

    /// Remembers in the data directory, where one is open, which credentials were shown since this was done last. Waits for
    /// the disk.
    pub fn save_uses(&self, program: &Program) -> store::Result<()> {
        let Some(disk) = self.disk.get() else { return Ok(()) };
        let now = program.clock.wall().as_secs();
        let since = self.uses_saved.load(Relaxed);
        let mut batch = program.consumers.used_since(since);
        self.keys.each(|key| {
            if key.used() >= since && key.used() > 0 {
                let (consumer, credential) = (Arc::from(&*key.consumer), Arc::from(&*key.id));
                batch.push(Use { consumer, kind: caller_keys::KIND, credential, at: key.used() });
            }
        });
        disk.uses().save(batch)?;
        // A second is not over before the next begins.
        self.uses_saved.store(now.saturating_sub(1), Relaxed);
        Ok(())
    }

    /// Takes up what the data directory, where one is open, has of the program's issuers: signing keys, and tokens that
    /// were taken back. To be called before the program carries traffic: it waits for the disk, and can fail.
    pub fn restore(&self, program: &Program) -> Result<(), String> {
        let Some(disk) = self.disk.get().filter(|_| !program.issuers.is_empty()) else { return Ok(()) };
        let Some(vault) = self.vault(&program.snapshot)? else { return Ok(()) };
        let now = program.clock.wall().as_secs();
        program.issuers.iter().try_for_each(|issuer| issuer.restore(&vault, &disk.revoked(), now))
    }

    /// The sealed secrets of the data directory, where one is open. Waits for the disk.
    pub fn vault(&self, snapshot: &Snapshot) -> Result<Option<Arc<Vault>>, String> {
        let Some(disk) = self.disk.get() else { return Ok(None) };
        if let Some(vault) = self.vault.get() {
            return Ok(Some(vault.clone()));
        }
        let written: &[_] = snapshot.store.as_ref().map_or(&[], |store| &store.keys);
        let keyring = keyring(written, disk.path()).map_err(|error| format!("`store.keys`: {error}"))?;
        let vault = disk.vault(Arc::new(keyring));
        // What an older key sealed is put under the first, so that the old one may be taken away.
        vault.rewrap().map_err(|error| format!("`store.keys`: {error}"))?;
        Ok(Some(self.vault.get_or_init(|| Arc::new(vault)).clone()))
    }

    /// Has this written down when the process ends.
    pub fn flush_at_end<F: Flush + 'static>(&self, flush: &Arc<F>) {
        let mut all = self.flushes.lock();
        all.retain(|known| known.strong_count() > 0 && !std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(flush)));
        let flush: Arc<dyn Flush> = flush.clone();
        all.push(Arc::downgrade(&flush));
    }

    /// Brings back what was drawn ahead and saves what is unsaved; nothing is counted on the disk after it. Not within a
    /// runtime.
    pub fn close(&self) {
        let flushes: Vec<_> = self.flushes.lock().iter().filter_map(Weak::upgrade).collect();
        flushes.iter().for_each(|flush| flush.flush(LAST));
        let shared: Vec<_> = self.shared.lock().iter().filter_map(|(_, shared)| shared.upgrade()).collect();
        shared.iter().for_each(|shared| shared.close());
        if let Some(disk) = self.disk.get() {
            disk.close();
        }
    }

    /// The shared counters of this configuration: those that there are, or new ones that nobody has told to connect yet.
    pub(crate) fn shared(&self, written: &Redis, offline: bool, problems: &mut Problems) -> Option<Arc<Shared>> {
        let mut known = self.shared.lock();
        known.retain(|(_, shared)| shared.strong_count() > 0);
        if let Some(shared) = known.iter().find(|(same, _)| same == written).and_then(|(_, shared)| shared.upgrade()) {
            return Some(shared);
        }
        let options = options(written, offline, problems)?;
        match Shared::new(options) {
            Ok(shared) => {
                known.push((written.clone(), Arc::downgrade(&shared)));
                Some(shared)
            }
            Err(error) => {
                let span = written.url.first().map(|url| url.span).unwrap_or_default();
                let problem = Problem::error("config.redis", span, error.to_string()).path("redis.url");
                problems.push(problem.help("write `redis://host:6379`, or `rediss://host:6379` for TLS"));
                None
            }
        }
    }
}

/// The keys that open secrets, for who reads and seals nothing: none where none are written, and the directory has none of
/// its own.
pub fn keyring_to_read(written: &[Spanned<StoreKey>], directory: &Path) -> store::Result<Option<Keyring>> {
    if written.is_empty() && !directory.join(SECRETS_KEY).is_file() {
        return Ok(None);
    }
    keyring(written, directory).map(Some)
}

/// The keys that seal secrets: those that are written, or one of the directory's own.
fn keyring(written: &[Spanned<StoreKey>], directory: &Path) -> store::Result<Keyring> {
    if written.is_empty() {
        return Keyring::new(vec![Key::read_or_make(&directory.join(SECRETS_KEY))?]);
    }
    let sources = written.iter().map(|key| match &key.value {
        StoreKey::Env(name) => KeySource::Env(name.clone()),
        StoreKey::File(path) => KeySource::File(path.into()),
        StoreKey::Command(words) => KeySource::Command(words.clone()),
    });
    Keyring::read(&sources.collect::<Vec<_>>())
}

/// What was written, checked. Every problem is reported.
fn options(written: &Redis, offline: bool, problems: &mut Problems) -> Option<SharedOptions> {
    let mut checker = Checker { offline, problems, good: true };
    let at = written.url.first().map(|url| url.span).unwrap_or_default();
    let absent = written.url.iter().any(|url| url.expose().contains(model::load::STAND_IN));
    if written.url.is_empty() {
        checker.wrong(at, "redis.url", "there is no address", "write `url: redis://host:6379`");
    }
    if written.mode == RedisMode::Standalone && written.url.len() > 1 {
        checker.wrong(at, "redis.url", "one server has one address", "say `mode: cluster` or `mode: sentinel`");
    }
    let topology = match (written.mode, &written.master) {
        (RedisMode::Standalone, _) => Topology::Standalone,
        (RedisMode::Cluster, _) => Topology::Cluster,
        (RedisMode::Sentinel, Some(master)) => Topology::Sentinel { master: master.value.clone() },
        (RedisMode::Sentinel, None) => {
            checker.wrong(
                at,
                "redis.master",
                "Sentinel is asked for a master by name",
                "give `master:`, such as `mymaster`",
            );
            Topology::Standalone
        }
    };
    if let (Some(master), RedisMode::Standalone | RedisMode::Cluster) = (&written.master, written.mode) {
        checker.wrong(
            master.span,
            "redis.master",
            "only Sentinel knows a master by name",
            "say `mode: sentinel`, or take it out",
        );
    }
    let timeout = written.timeout.as_millis();
    if !(1..=10_000).contains(&timeout) {
        checker.wrong(
            written.timeout.span,
            "redis.timeout",
            "`timeout` is from 1ms to 10s",
            "a few milliseconds are usual",
        );
    }
    if !(1..=64).contains(&*written.connections) {
        checker.wrong(written.connections.span, "redis.connections", "`connections` is from 1 to 64", "2 are usual");
    }
    if !(1_000..=10_000_000).contains(&*written.keys) {
        checker.wrong(written.keys.span, "redis.keys", "`keys` is from 1000 to 10000000", "mend the number");
    }
    if written.prefix.is_empty() || written.prefix.len() > 64 || written.prefix.contains(['{', '}', ' ']) {
        let message = "`prefix` is 1 to 64 characters without spaces and braces";
        checker.wrong(written.prefix.span, "redis.prefix", message, "such as `tollgate`");
    }
    let tls = checker.tls(written);
    // Checked without its environment there may be no address to check.
    let urls = if absent { vec![] } else { written.url.iter().map(|url| Secret::new(url.expose().clone())).collect() };
    (checker.good && !absent).then(|| SharedOptions {
        urls,
        topology,
        username: written.username.as_ref().map(|name| name.value.clone()),
        password: written.password.clone(),
        tls,
        connections: *written.connections as usize,
        prefix: written.prefix.value.clone(),
        patience: written.timeout.get(),
        when_gone: match written.on_error {
            RedisOnError::Local => WhenGone::Local,
            RedisOnError::Closed => WhenGone::Refuse,
            RedisOnError::Open => WhenGone::Open,
        },
        most_keys: *written.keys as usize,
    })
}

struct Checker<'a> {
    offline: bool,
    problems: &'a mut Problems,
    good: bool,
}

impl Checker<'_> {
    fn wrong(&mut self, at: model::load::Span, path: &str, message: &str, help: &str) {
        self.good = false;
        self.problems.push(Problem::error("config.redis", at, message).path(path).help(help));
    }

    fn tls(&mut self, written: &Redis) -> SharedTls {
        let tls = &written.tls;
        let (ca, certificate) = (self.file(tls.ca.as_ref(), "ca"), self.file(tls.certificate.as_ref(), "certificate"));
        let key = self.file(tls.key.as_ref(), "key");
        if let (Some(one), None) | (None, Some(one)) = (&tls.certificate, &tls.key) {
            self.wrong(one.span, "redis.tls", "a certificate and its key go together", "give both, or none");
        }
        SharedTls { ca, client: certificate.zip(key.map(Secret::new)) }
    }

    fn file(&mut self, path: Option<&Spanned<String>>, key: &str) -> Option<Vec<u8>> {
        let path = path?;
        match fs::read(path.as_str()) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", **path);
                let problem = match self.offline {
                    true => Problem::warning("config.redis", path.span, message),
                    false => Problem::error("config.redis", path.span, message),
                };
                self.good &= self.offline;
                self.problems
                    .push(problem.path(format!("redis.tls.{key}")).help("check the path, and that it may be read"));
                None
            }
        }
    }
}
