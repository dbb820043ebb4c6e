//! Reload: compile beside, swap atomically, keep the old program on any problem and say so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use model::problem::{Style, render};
use model::snapshot::Snapshot;
use proxy::listen::Gateway;
use proxy::program::{Environment, Program};
use proxy::telemetry::Telemetry;

use crate::configuration::{Configuration, Outside, read};
use crate::desk::Desk;
use crate::operations::config;
use crate::operations::log::LevelHandle;
use crate::{paths, stores};

/// Keeps the running gateway at what its configuration says.
pub struct Reloader {
    path: PathBuf,
    env: Environment,
    gateway: Arc<Gateway>,
    level: LevelHandle,
    leaving: AtomicBool,
    /// What the process started with.
    started: Arc<Snapshot>,
    /// One reload at a time.
    state: Mutex<State>,
}

/// How the last reload went.
#[derive(Clone)]
pub struct State {
    /// What runs, as JSON with secrets hidden.
    pub shown: Arc<str>,
    /// Why the last reload was refused, if it was.
    pub refused: Option<String>,
    /// Files it was made from.
    files: BTreeSet<PathBuf>,
}

impl Reloader {
    /// Takes charge of a gateway that runs `configuration`, and of its log.
    pub fn new(
        path: &Path,
        env: Environment,
        gateway: Arc<Gateway>,
        configuration: Configuration,
        level: LevelHandle,
    ) -> Self {
        let shown = config::shown(&configuration).into();
        let mut files = files(path, &configuration);
        files.extend(env.keep.files());
        let state = State { files, shown, refused: None };
        let started = gateway.program().snapshot.clone();
        let leaving = AtomicBool::new(false);
        Self { path: path.to_owned(), env, gateway, level, leaving, started, state: Mutex::new(state) }
    }

    /// The gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// What answers questions beside the traffic.
    pub(crate) fn desk(&self) -> Desk {
        Desk { env: self.env.clone(), program: self.gateway.program() }
    }

    /// Remembers which credentials were shown. Waits for the disk.
    pub(crate) fn save_uses(&self) {
        if let Err(error) = self.env.stores.save_uses(&self.gateway.program()) {
            tracing::warn!(target: "tollgate::store", %error, "when credentials were last used could not be saved");
        }
    }

    /// Where records go.
    pub fn telemetry(&self) -> &Telemetry {
        &self.env.telemetry
    }

    /// How the last reload went.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// The files to watch.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        self.lock().files.clone()
    }

    /// Settings that the configuration says anew but that a process takes at its start only.
    pub fn needs_restart(&self) -> Vec<&'static str> {
        let (then, now) = (&self.started, &self.gateway.program().snapshot);
        [
            ("workers", then.workers != now.workers),
            ("operations.address", then.operations.address != now.operations.address),
            ("store", then.store != now.store),
            ("operations.socket", then.operations.socket != now.operations.socket),
        ]
        .into_iter()
        .filter_map(|(name, changed)| changed.then_some(name))
        .collect()
    }

    /// From now on the gateway is not ready.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether it is leaving.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Opens the access log anew, as after its file was moved away.
    pub fn reopen_log(&self) {
        self.env.telemetry.reopen();
    }

    /// Reads the configuration anew and swaps it in, or keeps the old one.
    pub fn reload(&self, why: &'static str) {
        let started = Instant::now();
        let mut state = self.lock();
        let mut configuration = read(&self.path, Outside::Required);
        let compiled = configuration.compile(&self.env);
        state.files.extend(files(&self.path, &configuration));
        state.files.extend(self.env.keep.files());
        let before = self.gateway.program().snapshot.log.clone();
        let published = match compiled {
            Some(program) => self.publish(program),
            None => Err(render(&configuration.problems, &configuration.sources, Style::Plain)),
        };
        let took = started.elapsed();
        match published {
            Ok(()) => {
                let program = self.gateway.program();
                // A level that was set by hand stays until the configuration says another one.
                if program.snapshot.log != before {
                    self.level.follow(&program.snapshot.log);
                }
                self.env.telemetry.applied(&program, took);
                tracing::info!(target: "tollgate::reload", why, revision = program.revision, hash = %program.hash, took_ms = took.as_millis() as u64, "reloaded");
                let waiting = self.needs_restart();
                if !waiting.is_empty() {
                    tracing::warn!(target: "tollgate::reload", settings = waiting.join(", "), "these are taken at the next start");
                }
                let shown = config::shown(&configuration).into();
                let mut files = files(&self.path, &configuration);
                files.extend(self.env.keep.files());
                *state = State { files, shown, refused: None };
                self.env.keep.sweep();
            }
            Err(problems) => {
                self.env.telemetry.refused();
                tracing::error!(target: "tollgate::reload", why, "not reloaded, the old configuration stays:\n{problems}");
                state.refused = Some(problems);
            }
        }
    }

    /// The last things that can fail, then the swap.
    fn publish(&self, program: Program) -> Result<(), String> {
        stores::open(&program, &self.path).map_err(|error| format!("{error:#}"))?;
        let opened = self.env.telemetry.prepare(&program);
        opened.map_err(|error| format!("the access log cannot be opened: {error}"))?;
        let published = self.gateway.publish(program);
        published.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that a configuration was made from: its own files, and those that it names.
fn files(path: &Path, configuration: &Configuration) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = configuration.files.iter().cloned().collect();
    files.insert(path.to_owned());
    if let Some(snapshot) = &configuration.snapshot {
        files.extend(paths::read_by(snapshot));
    }
    files
}
