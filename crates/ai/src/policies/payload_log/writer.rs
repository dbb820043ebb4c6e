//! The thread that masks and writes, the files, and how long they are kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use proxy::stores::Flush;
use proxy::telemetry::Payloads;

use super::record::Record;

/// Calls that wait to be written, and their bytes.
const QUEUE: usize = 4096;
const MOST_QUEUED: u64 = 32 << 20;
/// Between looks at how old and how large files are.
const SWEEP: Duration = Duration::from_secs(60);
/// What the names of files begin and end with.
const BEGIN: &str = "payloads-";
const END: &str = ".jsonl";

/// How long and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    pub(super) age: Duration,
    pub(super) size: u64,
}

impl Retention {
    /// When a file is full.
    fn file(&self) -> u64 {
        (self.size / 16).clamp(64 << 10, 64 << 20)
    }

    /// When a file is old, and another is begun: so much longer than `age` a record may stay.
    fn spell(&self) -> Duration {
        (self.age / 16).min(Duration::from_secs(86_400))
    }
}

enum Job {
    Record(Box<Record>),
    Flush(SyncSender<()>),
}

/// Takes what is to be kept. Its thread ends with it.
pub(super) struct Writer {
    folder: PathBuf,
    sender: Mutex<Option<SyncSender<Job>>>,
    shared: Arc<Shared>,
}

struct Shared {
    retention: Mutex<Retention>,
    queued: AtomicU64,
    counts: Arc<Payloads>,
}

impl Writer {
    pub(super) fn new(folder: PathBuf, counts: Arc<Payloads>) -> Self {
        let retention = Mutex::new(Retention { age: Duration::MAX, size: u64::MAX });
        Self {
            folder,
            sender: Mutex::default(),
            shared: Arc::new(Shared { retention, queued: AtomicU64::new(0), counts }),
        }
    }

    /// From now on so much is kept.
    pub(super) fn keep(&self, retention: Retention) {
        *self.shared.retention.lock() = retention;
    }

    /// Has a call written down, or counts it as dropped. Never waits for the disk.
    pub(super) fn give(&self, record: Record) {
        let weight = record.weight();
        let fits = self.shared.queued.fetch_add(weight, Relaxed) < MOST_QUEUED;
        let given = fits && self.sender().is_some_and(|sender| sender.try_send(Job::Record(Box::new(record))).is_ok());
        if !given {
            self.shared.queued.fetch_sub(weight, Relaxed);
            self.shared.counts.dropped.fetch_add(1, Relaxed);
        }
    }

    /// The way to the thread, which begins with the first call.
    fn sender(&self) -> Option<SyncSender<Job>> {
        let mut sender = self.sender.lock();
        if sender.is_none() {
            let (to, jobs) = sync_channel(QUEUE);
            let (shared, folder) = (self.shared.clone(), self.folder.clone());
            let thread = std::thread::Builder::new().name("payloads".to_owned());
            thread.spawn(move || Files { shared, folder, file: None }.run(&jobs)).ok()?;
            *sender = Some(to);
        }
        sender.clone()
    }
}

impl Flush for Writer {
    fn flush(&self, patience: Duration) {
        let Some(sender) = self.sender.lock().clone() else { return };
        let (reply, answer) = sync_channel(1);
        let until = Instant::now() + patience;
        let mut job = Job::Flush(reply);
        while let Err(refused) = sender.try_send(job) {
            let std::sync::mpsc::TrySendError::Full(back) = refused else { return };
            if Instant::now() >= until {
                return;
            }
            job = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = answer.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// The files, on the thread.
struct Files {
    shared: Arc<Shared>,
    folder: PathBuf,
    file: Option<Open>,
}

struct Open {
    path: PathBuf,
    out: BufWriter<File>,
    size: u64,
    since: Instant,
}

impl Files {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut swept = None;
        loop {
            let job = match jobs.try_recv() {
                Ok(job) => Ok(job),
                // Nothing waits: what was written is to be seen.
                Err(_) => {
                    self.flush();
                    jobs.recv_timeout(SWEEP)
                }
            };
            match job {
                Ok(Job::Record(record)) => self.record(*record),
                Ok(Job::Flush(reply)) => {
                    self.flush();
                    let _ = reply.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let retention = *self.shared.retention.lock();
            if swept.is_none_or(|swept: Instant| swept.elapsed() >= SWEEP) {
                swept = Some(Instant::now());
                self.sweep(retention);
            }
            if self
                .file
                .as_ref()
                .is_some_and(|file| file.size >= retention.file() || file.since.elapsed() >= retention.spell())
            {
                self.flush();
                self.file = None;
                self.sweep(retention);
            }
        }
    }

    fn record(&mut self, record: Record) {
        let weight = record.weight();
        let line = record.line();
        self.shared.queued.fetch_sub(weight, Relaxed);
        match self.write(line.as_bytes()) {
            Ok(()) => self.shared.counts.written.fetch_add(1, Relaxed),
            Err(error) => {
                self.failed(&error);
                self.shared.counts.dropped.fetch_add(1, Relaxed)
            }
        };
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        // A file that somebody took away is begun anew.
        if self.file.as_ref().is_some_and(|file| file.out.buffer().is_empty() && !file.path.exists()) {
            self.file = None;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(begin(&self.folder)?),
        };
        file.size += line.len() as u64;
        file.out.write_all(line)
    }

    fn flush(&mut self) {
        let flushed = self.file.as_mut().map_or(Ok(()), |file| file.out.flush());
        if let Err(error) = flushed {
            self.failed(&error);
        }
    }

    /// Says it once a file: the next one is tried with the next call.
    fn failed(&mut self, error: &io::Error) {
        if self.file.take().is_some() {
            tracing::warn!(target: "tollgate::ai", folder = %self.folder.display(), %error, "payloads cannot be written");
        }
    }

    /// Takes away what is too old or too much.
    fn sweep(&self, retention: Retention) {
        let Ok(mut found) = files(&self.folder) else { return };
        let open = self.file.as_ref().map(|file| &file.path);
        found.retain(|path| Some(path) != open);
        let now = SystemTime::now();
        let mut left = retention.size.saturating_sub(self.file.as_ref().map_or(0, |file| file.size));
        // The youngest first.
        for path in found {
            let Ok(about) = fs::metadata(&path) else { continue };
            let age = about.modified().ok().and_then(|modified| now.duration_since(modified).ok());
            let fits = left.checked_sub(about.len());
            if age.is_some_and(|age| age > retention.age) || fits.is_none() {
                left = if fits.is_none() { 0 } else { left };
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(target: "tollgate::ai", file = %path.display(), %error, "old payloads cannot be removed");
                }
            } else if let Some(fits) = fits {
                left = fits;
            }
        }
    }
}

/// The files of a folder, the youngest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let named = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(BEGIN) && name.ends_with(END)
    };
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(named).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

fn begin(folder: &Path) -> io::Result<Open> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let path = folder.join(format!("{BEGIN}{since:014}{END}"));
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    let size = file.metadata()?.len();
    Ok(Open { path, out: BufWriter::with_capacity(64 << 10, file), size, since: Instant::now() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(sizes: &[(u64, usize)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in sizes {
            fs::write(folder.path().join(format!("{BEGIN}{name:014}{END}")), vec![b'x'; *size]).unwrap();
        }
        fs::write(folder.path().join("other.txt"), "x").unwrap();
        folder
    }

    fn sweep(folder: &Path, retention: Retention) -> Vec<String> {
        let shared = Shared { retention: Mutex::new(retention), queued: AtomicU64::new(0), counts: Arc::default() };
        let swept = Files { shared: Arc::new(shared), folder: folder.to_owned(), file: None };
        swept.sweep(retention);
        let name = |path: PathBuf| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            name.chars().next_back().unwrap().to_string()
        };
        files(folder).unwrap().into_iter().map(name).collect()
    }

    #[test]
    fn the_oldest_go_first_and_nothing_else() {
        let folder = folder_of(&[(1, 100), (2, 100), (3, 100), (4, 100)]);
        let age = Duration::from_secs(3600);
        assert_eq!(sweep(folder.path(), Retention { age, size: 400 }), ["4", "3", "2", "1"]);
        assert_eq!(sweep(folder.path(), Retention { age, size: 250 }), ["4", "3"]);
        let old = fs::File::open(folder.path().join(format!("{BEGIN}{:014}{END}", 3))).unwrap();
        old.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
        assert_eq!(sweep(folder.path(), Retention { age, size: 250 }), ["4"]);
        assert!(folder.path().join("other.txt").exists());
    }
}
