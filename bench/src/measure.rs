//! What the kernel says of processes: CPU time, memory, how busy a core was.

use std::fs;
use std::io;
use std::ops::AddAssign;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// USER_HZ, which Linux has fixed at 100 for everything that /proc says in ticks.
const TICK: Duration = Duration::from_millis(10);

/// Where a process runs, and how readily.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) core: usize,
    /// 0 is usual; below it, down to -20, others have to wait.
    pub(crate) nice: i32,
}

/// The processes whose CPU time is read, and the core they run on.
#[derive(Clone, Debug)]
pub(crate) struct Gauge {
    pub(crate) pids: Vec<u32>,
    pub(crate) core: usize,
}

/// The gauge at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    at: Instant,
    /// Sum over all living threads, in nanoseconds.
    threads: Duration,
    /// User and system time of the processes, ended threads too, in ticks.
    processes: Duration,
    /// The core's idle time.
    idle: Duration,
}

impl Gauge {
    /// Of a process and all that it has started.
    pub(crate) fn of(root: u32, core: usize) -> Self {
        let mut pids = vec![root];
        let mut at = 0;
        while let Some(&pid) = pids.get(at) {
            pids.extend(children(pid));
            at += 1;
        }
        Self { pids, core }
    }

    /// Reads it.
    pub(crate) fn read(&self) -> Reading {
        Reading {
            at: Instant::now(),
            threads: self.pids.iter().map(|&pid| threads_cpu(pid)).sum(),
            processes: self.pids.iter().map(|&pid| process_cpu(pid)).sum(),
            idle: core_idle(self.core),
        }
    }

    /// Resident memory of all the processes together, in bytes.
    pub(crate) fn rss(&self) -> u64 {
        self.pids.iter().map(|&pid| rss(pid)).sum()
    }
}

impl Reading {
    /// What was used since `earlier`.
    pub(crate) fn used_since(&self, earlier: &Self) -> Used {
        let threads = self.threads.saturating_sub(earlier.threads);
        let processes = self.processes.saturating_sub(earlier.processes);
        Used {
            // To the nanosecond by thread, unless threads that have ended since used more.
            cpu: threads.max(processes.saturating_sub(2 * TICK)),
            idle: self.idle.saturating_sub(earlier.idle),
            wall: self.at - earlier.at,
        }
    }
}

/// What was used of a core.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// By the processes.
    pub(crate) cpu: Duration,
    /// By nobody.
    idle: Duration,
    /// In this time.
    wall: Duration,
}

impl Used {
    /// The share of the core that the processes had.
    pub(crate) fn share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64().max(1e-9)
    }

    /// The share of the time that the core was busy, with whatever.
    pub(crate) fn busy(&self) -> f64 {
        1.0 - self.idle.as_secs_f64() / self.wall.as_secs_f64().max(1e-9)
    }
}

impl AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.idle += other.idle;
        self.wall += other.wall;
    }
}

/// CPU time of the calling thread.
pub(crate) fn own_cpu() -> Duration {
    schedstat("/proc/thread-self/schedstat").unwrap_or_default()
}

/// Takes the calling thread, and what it starts, to its place.
pub(crate) fn take(place: Place) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(place.core);
    sched_setaffinity(None, &set)?;
    if place.nice != 0 {
        setpriority_process(None, place.nice)?;
    }
    Ok(())
}

/// The session's niceness before it was changed.
static SESSION_BEFORE: Mutex<Option<i32>> = Mutex::new(None);

/// Where the kernel shares the processor out by session first (autogroup), niceness counts within a session only: the
/// session gets it too, until `restore_session`.
pub(crate) fn set_session(nice: i32) -> io::Result<()> {
    let Ok(text) = fs::read_to_string("/proc/self/autogroup") else { return Ok(()) };
    let before = text.split_whitespace().last().and_then(|nice| nice.parse().ok());
    fs::write("/proc/self/autogroup", nice.to_string())?;
    *SESSION_BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = before;
    Ok(())
}

/// Undoes `set_session`.
pub(crate) fn restore_session() {
    if let Some(nice) = SESSION_BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = fs::write("/proc/self/autogroup", nice.to_string());
    }
}

/// The cores that this process may use.
pub(crate) fn cores() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return vec![0] };
    (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()
}

/// Raises the limit of open files as far as it goes, and answers it.
pub(crate) fn raise_nofile() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn tasks(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn children(pid: u32) -> Vec<u32> {
    let texts = tasks(pid).filter_map(|task| fs::read_to_string(task.join("children")).ok());
    texts.flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

fn threads_cpu(pid: u32) -> Duration {
    tasks(pid).filter_map(|task| schedstat(task.join("schedstat").to_str()?)).sum()
}

fn schedstat(path: &str) -> Option<Duration> {
    let text = fs::read_to_string(path).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn process_cpu(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces: count fields after it. utime and stime are fields 14 and 15.
    let fields = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: u32 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    TICK * ticks
}

fn core_idle(core: usize) -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let name = format!("cpu{core}");
    let line = text.lines().find(|line| line.split(' ').next() == Some(&name)).unwrap_or_default();
    // After the name: user nice system idle iowait …
    let ticks: u32 = line.split_whitespace().skip(4).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    TICK * ticks
}

fn rss(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests;
