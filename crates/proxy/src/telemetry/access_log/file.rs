//! Where lines end up: standard output or a file that is rotated, opened anew, and may be full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Standard,
    /// Standard error.
    StandardError,
    /// A file.
    File(PathBuf),
    /// Nowhere: for tests.
    Nowhere,
}

/// When a new file is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A file of this size in bytes is full.
    pub size: u64,
    /// A file of an earlier multiple of this since 1970 is old.
    pub every: Option<Duration>,
    /// How many full or old ones are kept.
    pub keep: u32,
}

impl Rotation {
    /// The least size, so that no gateway is busy with renaming.
    pub const LEAST: u64 = 64 << 10;
    /// How often a file may become old.
    pub const EVERY: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(366 * 86_400);

    /// Whether a new multiple of [`every`](Self::every) began between these. A clock that was set back begins none.
    fn parts(&self, before: SystemTime, now: SystemTime) -> bool {
        let Some(every) = self.every.map(|every| every.as_nanos()).filter(|&every| every > 0) else { return false };
        let number = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() / every;
        number(before) < number(now)
    }
}

/// A destination that is open, or will be.
pub(super) struct Output {
    destination: Destination,
    file: Option<File>,
    /// Bytes in the file.
    size: u64,
    /// When it was last written to.
    last: SystemTime,
    /// It is a file that can be renamed, and no pipe or device.
    regular: bool,
    pub(super) rotation: Option<Rotation>,
    /// The last line was cut by a failure, so the next write begins with its end.
    torn: bool,
    /// The last rotation failed, and it was said.
    stuck: bool,
}

/// How far a write came.
pub(super) struct Failed {
    /// So many bytes were written.
    pub(super) written: usize,
    pub(super) error: io::Error,
}

impl Output {
    /// Not open yet: the first write does it.
    pub(super) fn new(destination: Destination, rotation: Option<Rotation>) -> Self {
        Self { destination, file: None, size: 0, last: UNIX_EPOCH, regular: false, rotation, torn: false, stuck: false }
    }

    /// Opens it anew: a file by its name, which may lead to another one by now.
    pub(super) fn open(&mut self) -> io::Result<()> {
        let file = match &self.destination {
            Destination::Standard => Some(copy(io::stdout().as_fd())?),
            Destination::StandardError => Some(copy(io::stderr().as_fd())?),
            Destination::File(path) => Some(open(path)?),
            Destination::Nowhere => None,
        };
        let about = file.as_ref().map(File::metadata).transpose()?;
        self.regular =
            about.as_ref().is_some_and(fs::Metadata::is_file) && matches!(self.destination, Destination::File(_));
        self.size = about.as_ref().map_or(0, fs::Metadata::len);
        self.last = about.and_then(|about| about.modified().ok()).unwrap_or(UNIX_EPOCH);
        self.torn &= self.size > 0;
        self.file = file;
        Ok(())
    }

    /// Writes whole lines. A file that is full meanwhile is rotated between two of them, one that is old before them.
    pub(super) fn write(&mut self, lines: &[u8], now: SystemTime) -> Result<(), Failed> {
        let mut rest = lines;
        if self.is_removed() {
            self.file = None;
        }
        if self.file.is_none() {
            self.open().map_err(|error| Failed { written: 0, error })?;
        }
        if self.is_old(now) {
            self.rotate();
        }
        self.last = now;
        while !rest.is_empty() {
            let fits = match self.limit() {
                Some(limit) => fitting(rest, limit.saturating_sub(self.size), self.size == 0),
                None => rest.len(),
            };
            if fits == 0 {
                self.rotate();
                continue;
            }
            let (part, after) = rest.split_at(fits.min(rest.len()));
            self.write_part(part).map_err(|failed| {
                let written = lines.len() - rest.len() + failed.written;
                Failed { written, ..failed }
            })?;
            rest = after;
        }
        if self.limit().is_some_and(|limit| self.size >= limit) {
            self.rotate();
        }
        Ok(())
    }

    /// Whether nobody can ever read what is written: the file was removed, and perhaps its folder too.
    fn is_removed(&self) -> bool {
        self.regular && self.file.as_ref().is_some_and(|file| file.metadata().is_ok_and(|about| about.nlink() == 0))
    }

    fn is_old(&self, now: SystemTime) -> bool {
        self.regular && self.size > 0 && self.rotation.is_some_and(|rotation| rotation.parts(self.last, now))
    }

    fn limit(&self) -> Option<u64> {
        self.rotation.map(|rotation| rotation.size).filter(|_| self.regular)
    }

    fn write_part(&mut self, part: &[u8]) -> Result<(), Failed> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn {
            write_all(file, b"\n").map_err(|failed| Failed { written: 0, ..failed })?;
            self.torn = false;
        }
        let result = write_all(file, part);
        let written = result.as_ref().map_or_else(|failed| failed.written, |()| part.len());
        self.size += written as u64;
        self.torn = written > 0 && part.get(written - 1) != Some(&b'\n');
        result
    }

    /// `PATH.1` becomes `PATH.2` and so on, `PATH` becomes `PATH.1`, and `PATH` begins anew. Where that fails, lines go
    /// on into the same file, and it is tried again when that has grown as much once more, or at its time.
    fn rotate(&mut self) {
        let (Destination::File(path), Some(rotation)) = (&self.destination, self.rotation) else { return };
        let rotated = shift(path, rotation.keep).and_then(|()| open(path));
        match rotated {
            Ok(file) => {
                self.file = Some(file);
                self.stuck = false;
            }
            Err(error) if !self.stuck => {
                self.stuck = true;
                tracing::warn!(target: "tollgate::access_log", path = %path.display(), %error, "cannot rotate the log; it goes on in the same file");
            }
            Err(_) => {}
        }
        self.size = 0;
    }
}

/// How many bytes of whole lines fit into `room`. Into a file that is empty the first line always does.
fn fitting(lines: &[u8], room: u64, empty: bool) -> usize {
    if lines.len() as u64 <= room {
        return lines.len();
    }
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let whole = lines.get(..room).and_then(|fitting| memchr::memrchr(b'\n', fitting));
    match (whole, empty) {
        (Some(end), _) => end + 1,
        (None, true) => memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
        (None, false) => 0,
    }
}

fn copy(of: BorrowedFd<'_>) -> io::Result<File> {
    of.try_clone_to_owned().map(File::from)
}

/// Opens a log file. Not blocking, so that a named pipe that nobody reads is an error and not a halt.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags).open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn shift(path: &Path, keep: u32) -> io::Result<()> {
    // Fewer may be kept than once were.
    let mut beyond = keep + 1;
    while fs::remove_file(numbered(path, beyond)).is_ok() {
        beyond += 1;
    }
    for number in (1..keep).rev() {
        match fs::rename(numbered(path, number), numbered(path, number + 1)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::rename(path, numbered(path, 1)) {
        // Somebody moved it away.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Writes everything, or says how far it came. A pipe that is full may take a while.
fn write_all(file: &mut File, bytes: &[u8]) -> Result<(), Failed> {
    const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return Err(Failed { written, error: ErrorKind::WriteZero.into() }),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut wanted = [PollFd::new(file, PollFlags::OUT)];
                if !matches!(poll(&mut wanted, Some(&PATIENCE)), Ok(1..) | Err(rustix::io::Errno::INTR)) {
                    return Err(Failed { written, error });
                }
            }
            Err(error) => return Err(Failed { written, error }),
        }
    }
    Ok(())
}
