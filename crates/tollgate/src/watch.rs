//! Watches the files a configuration was made from. Folders are watched, not files: editors and Kubernetes replace files
//! by renaming, and a watch on the old inode would sleep for ever.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Changes that come within this time of each other are one: a file is written in several steps.
const SETTLE: Duration = Duration::from_millis(50);

/// Changes of a set of files.
pub struct Changes {
    watcher: Option<RecommendedWatcher>,
    files: Arc<Mutex<BTreeSet<PathBuf>>>,
    folders: BTreeSet<PathBuf>,
    changed: mpsc::Receiver<()>,
    /// Something changed that nobody was told of yet.
    settling: bool,
    /// Keeps `changed` open when nothing can be watched.
    _open: mpsc::Sender<()>,
}

impl Changes {
    /// Begins to watch these files.
    pub fn of(files: BTreeSet<PathBuf>) -> Self {
        let (sender, changed) = mpsc::channel(1);
        let shared = Arc::new(Mutex::new(BTreeSet::new()));
        let (tell, known) = (sender.clone(), shared.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let ours = match event {
                Ok(event) => concerns(&event, &known.lock().unwrap_or_else(PoisonError::into_inner)),
                // The queue overflowed: anything may have changed.
                Err(_) => true,
            };
            if ours {
                // A full channel already says that something changed.
                let _ = tell.try_send(());
            }
        });
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(target: "tollgate::reload", %error, "files are not watched; reload with SIGHUP");
        });
        let mut changes = Self {
            watcher: watcher.ok(),
            files: shared,
            folders: BTreeSet::new(),
            changed,
            settling: false,
            _open: sender,
        };
        changes.follow(files);
        changes
    }

    /// Watches these files from now on.
    pub fn follow(&mut self, files: BTreeSet<PathBuf>) {
        let folders: BTreeSet<PathBuf> = files.iter().map(|file| folder(file)).collect();
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            let _ = watcher.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(target: "tollgate::reload", folder = %new.display(), %error, "not watched; reload with SIGHUP");
            }
        }
        self.folders = folders;
    }

    /// Waits for the next change, and until it has settled. Given up half-way, it forgets nothing: a signal may come
    /// while a change settles.
    pub async fn next(&mut self) {
        if !self.settling {
            let _ = self.changed.recv().await;
            self.settling = true;
        }
        while tokio::time::timeout(SETTLE, self.changed.recv()).await.is_ok() {}
        self.settling = false;
    }
}

/// The folder to watch for a file: itself, if it is one.
fn folder(file: &Path) -> PathBuf {
    if file.is_dir() {
        return file.to_owned();
    }
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn concerns(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.paths.iter().any(|path| {
        let name = path.file_name().unwrap_or(OsStr::new(""));
        // Kubernetes swaps a `..data` link to change all files of a volume at once.
        let swapped = name.as_encoded_bytes().starts_with(b"..");
        swapped || files.iter().any(|file| file.file_name() == Some(name) || (file.is_dir() && is_configuration(path)))
    })
}

fn is_configuration(path: &Path) -> bool {
    matches!(path.extension().and_then(OsStr::to_str), Some("yaml" | "yml" | "json"))
}

#[cfg(test)]
mod tests;
