//! From a path to a program: text, tree, snapshot, program, with every problem of every stage.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use aws_lc_rs::digest::{SHA256, digest};
use model::load::{self, Node, Options, Sources};
use model::problem::Problems;
use model::resolve::resolve;
use model::snapshot::Snapshot;
use proxy::clock::Clock;
use proxy::program::{self, Environment, Keep, Program};
use proxy::telemetry::Telemetry;

use crate::{paths, sealed};

/// What reading a configuration gave.
pub struct Configuration {
    /// The texts, for messages.
    pub sources: Sources,
    /// Everything that is wrong so far.
    pub problems: Problems,
    /// Files that it was made from, for the watcher.
    pub files: Vec<PathBuf>,
    /// What was read, with references replaced.
    pub root: Option<Arc<Node>>,
    /// What is valid, as far as it is.
    pub snapshot: Option<Arc<Snapshot>>,
    /// A hash of the content, hexadecimal.
    pub hash: String,
}

/// Whether what lies outside the configuration must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Environment variables and files must be there.
    Required,
    /// Absent ones are warnings.
    Offline,
}

/// What every program of this process is compiled with.
pub fn environment(workers: usize, outside: Outside) -> Environment {
    Environment {
        clock: Clock::system(),
        keep: Arc::new(Keep::default()),
        telemetry: Arc::new(Telemetry::new(workers)),
        workers,
        stores: Arc::default(),
        offline: outside == Outside::Offline,
        registry: crate::REGISTRY,
    }
}

/// Reads a file or folder.
pub fn read(path: &Path, outside: Outside) -> Configuration {
    let refers = Arc::new(AtomicBool::new(false));
    let noted = refers.clone();
    let store = Arc::new(move |_: &str| {
        noted.store(true, Relaxed);
        Ok(None)
    });
    let mut options = Options { offline: outside == Outside::Offline, store, ..Options::default() };
    let mut loaded = load::read(path, &options);
    // Where its secrets are, the configuration says itself.
    if let (true, Some(root)) = (refers.load(Relaxed), &loaded.root) {
        options.store = sealed::reader(root, path);
        loaded = load::read(path, &options);
    }
    let mut problems = loaded.problems;
    let root = loaded.root.map(Arc::new);
    let mut snapshot = root.as_ref().and_then(|root| resolve(root, &mut problems));
    if let Some(snapshot) = &mut snapshot {
        paths::absolute(snapshot, path);
    }
    let snapshot = snapshot.map(Arc::new);
    let hash = root.as_ref().map(|root| content_hash(root)).unwrap_or_default();
    Configuration { sources: loaded.sources, problems, files: loaded.files, root, snapshot, hash }
}

impl Configuration {
    /// Compiles what was read; `None` with a problem.
    pub fn compile(&mut self, env: &Environment) -> Option<Program> {
        let snapshot = self.snapshot.clone()?;
        program::compile(snapshot, self.hash.clone(), env, &mut self.problems)
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of the content: the same text twice is the same hash, wherever it is.
fn content_hash(root: &Node) -> String {
    let text = root.to_json().to_string();
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
