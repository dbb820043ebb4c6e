//! What the process itself takes, as Prometheus' own client libraries name it. What the system does not tell is left out.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::catalog;
use super::text::{Seconds, Text};

/// Writes the metrics of the process, which began at `started`, since 1970.
pub(super) fn expose(text: &mut Text, started: Duration) {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(cpu.tv_nsec).unwrap_or(0);
    text.single(&catalog::PROCESS_CPU, Seconds(seconds * 1_000_000_000 + nanoseconds));
    text.single(&catalog::PROCESS_START, Seconds(u64::try_from(started.as_nanos()).unwrap_or(0)));
    let memory = memory();
    if let Some(resident) = memory.resident {
        text.single(&catalog::PROCESS_RESIDENT, resident);
    }
    if let Some(virtual_memory) = memory.virtual_memory {
        text.single(&catalog::PROCESS_VIRTUAL, virtual_memory);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // Reading the folder takes one itself.
        text.single(&catalog::PROCESS_FDS, files.count().saturating_sub(1));
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        text.single(&catalog::PROCESS_MAX_FDS, most);
    }
}

struct Memory {
    resident: Option<u64>,
    virtual_memory: Option<u64>,
}

/// From `/proc/self/status`, whose figures are in KiB whatever the size of a page.
fn memory() -> Memory {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    Memory { resident: figure("VmRSS:"), virtual_memory: figure("VmSize:") }
}
