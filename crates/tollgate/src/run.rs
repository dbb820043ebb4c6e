//! `tollgate run`: start, watch, reload, drain.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use model::resource::Workers;
use model::snapshot::Snapshot;
use proxy::listen::Gateway;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{self, show_problems};
use crate::configuration::{Outside, environment, read};
use crate::operations::{Port, log};
use crate::reload::Reloader;
use crate::{demo, stores, watch};

/// How long the access log may take to write its last lines.
const LAST_LINES: Duration = Duration::from_secs(5);
/// How often it is saved which credentials were shown: what a crash may forget.
const USES: Duration = Duration::from_secs(30);

/// Runs until a signal says to leave. The code to exit with.
pub fn run(path: &Path, demo_ports: &[u16]) -> anyhow::Result<u8> {
    let started = Instant::now();
    let mut configuration = read(path, Outside::Required);
    cli::found(&configuration)?;
    let workers = configuration.snapshot.as_ref().map_or(1, |snapshot| count(snapshot.workers));
    let env = environment(workers, Outside::Required);
    let program = configuration.compile(&env);
    show_problems(&configuration);
    let Some(program) = program else {
        cli::say("nothing was started: mend the problems above, or see `tollgate check --help`");
        return Ok(cli::PROBLEMS);
    };
    let level = log::install(&program.snapshot.log);
    env.telemetry.own_log(level.sink().clone());
    stores::open(&program, path)?;
    let counted = env.stores.clone();
    env.telemetry.prepare(&program).context("the access log cannot be opened (`access_log.path`)")?;
    raise_file_limit();
    let demo = demo::spawn(demo_ports)?;
    let drain = program.snapshot.drain.clone();
    let snapshot = program.snapshot.clone();
    let gateway = match Gateway::start(env.clone(), program) {
        Ok(gateway) => Arc::new(gateway),
        Err(errors) => {
            errors.iter().for_each(|error| cli::complain(&error.to_string()));
            return Ok(cli::PROBLEMS);
        }
    };
    env.telemetry.applied(&gateway.program(), started.elapsed());
    let telemetry = env.telemetry.clone();
    let reloader = Arc::new(Reloader::new(path, env, gateway.clone(), configuration, level.clone()));
    let port = Port::new(reloader.clone(), level);
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    control.block_on(async {
        let signals = Signals::listen(&reloader)?;
        let operations = port.serve(&snapshot.operations).await?;
        tokio::spawn(remember_uses(reloader.clone()));
        greet(&gateway, &snapshot, &demo, operations);
        signals.until_told(&reloader).await;
        tracing::info!(target: "tollgate::run", delay = %drain.delay, timeout = %drain.timeout, "leaving");
        reloader.leave();
        leave(gateway, drain.delay.get(), drain.timeout.get()).await
    })?;
    // After a second signal the drain still runs on a thread of this runtime, and is not waited for.
    control.shutdown_background();
    if let Some(path) = &snapshot.operations.socket {
        // One that is left behind is replaced at the next start.
        let _ = std::fs::remove_file(path);
    }
    // After the last exchange has been settled.
    reloader.save_uses();
    counted.close();
    if !telemetry.flush(LAST_LINES) {
        tracing::warn!(target: "tollgate::run", "the last lines of the access log could not be written in time");
    }
    Ok(cli::GOOD)
}

/// How many workers these are on this machine.
fn count(workers: Workers) -> usize {
    match workers {
        Workers::Auto => std::thread::available_parallelism().map_or(1, usize::from),
        Workers::Count(count) => usize::from(count),
    }
}

/// As many files as the system lets this process have: each connection is one.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, wanted) {
            tracing::warn!(target: "tollgate::run", %error, "the limit of open files stays as it is");
        }
    }
}

/// Says what listens where, and what to try.
fn greet(gateway: &Gateway, snapshot: &Snapshot, demo: &[SocketAddr], operations: SocketAddr) {
    cli::say(&format!("Tollgate {} is ready.", env!("CARGO_PKG_VERSION")));
    let listeners = gateway.addresses();
    let is_tls =
        |name: &str| snapshot.listeners.iter().any(|listener| listener.name.as_str() == name && listener.tls.is_some());
    for (name, address) in &listeners {
        cli::say(&format!("  {name:<12} {}://{address}", if is_tls(name) { "https" } else { "http" }));
    }
    for address in demo {
        cli::say(&format!("  {:<12} http://{address}", "demo"));
    }
    cli::say(&format!("  {:<12} http://{operations}", "operations"));
    if let Some((_, address)) = listeners.iter().find(|(name, _)| !is_tls(name)) {
        cli::say(&format!("Try: curl -i http://{address}/"));
    } else if let Some((_, address)) = listeners.first() {
        cli::say(&format!("Try: curl -ik https://{address}/"));
    }
}

/// What tells the gateway to do something. Listened to before it says that it is ready, so that nothing is missed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    reopen: Signal,
    changes: watch::Changes,
}

impl Signals {
    fn listen(reloader: &Reloader) -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            changes: watch::Changes::of(reloader.files()),
        })
    }

    /// Reloads on file changes and SIGHUP, until SIGTERM or SIGINT.
    async fn until_told(mut self, reloader: &Arc<Reloader>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload(reloader, "SIGHUP").await,
                () = self.changes.next() => reload(reloader, "file change").await,
                _ = self.reopen.recv() => reloader.reopen_log(),
            }
            self.changes.follow(reloader.files());
        }
    }
}

/// Reloads on a thread of low priority, so that traffic does not feel the compiling.
async fn reload(reloader: &Arc<Reloader>, why: &'static str) {
    let reloader = reloader.clone();
    let done = tokio::task::spawn_blocking(move || {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 15);
        reloader.reload(why);
    });
    if let Err(error) = done.await {
        tracing::error!(target: "tollgate::reload", %error, "the reload broke; the old program stays");
    }
}

/// Saves from time to time which credentials were shown.
async fn remember_uses(reloader: Arc<Reloader>) {
    loop {
        tokio::time::sleep(USES).await;
        let reloader = reloader.clone();
        if tokio::task::spawn_blocking(move || reloader.save_uses()).await.is_err() {
            return;
        }
    }
}

/// Lets load balancers look away, then completes what was accepted. A second signal cuts it short.
async fn leave(gateway: Arc<Gateway>, delay: Duration, timeout: Duration) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    if again(&mut terminate, &mut interrupt, tokio::time::sleep(delay)).await.is_none() {
        return Ok(());
    }
    let draining = tokio::task::spawn_blocking(move || gateway.drain(timeout));
    if let Some(drained) = again(&mut terminate, &mut interrupt, draining).await {
        let drained = drained?;
        tracing::info!(target: "tollgate::run", completed = drained.completed, cut = drained.cut, "left");
    }
    Ok(())
}

async fn again<T>(terminate: &mut Signal, interrupt: &mut Signal, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    }
}
