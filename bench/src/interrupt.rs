//! Ctrl-C and SIGTERM: what was started is ended, the run's folder is removed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

static STATE: Mutex<State> = Mutex::new(State { groups: BTreeSet::new(), folder: None });

struct State {
    /// Process groups that were started and have not ended.
    groups: BTreeSet<u32>,
    folder: Option<PathBuf>,
}

/// Listens for signals from now on, and removes `folder` when one comes.
pub(crate) fn watch(folder: PathBuf) -> Result<()> {
    state().folder = Some(folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        });
        leave();
    })?;
    Ok(())
}

/// Notes a process group to be ended.
pub(crate) fn started(group: u32) {
    state().groups.insert(group);
}

/// Forgets it.
pub(crate) fn ended(group: u32) {
    state().groups.remove(&group);
}

/// Whether it was started and has not ended.
pub(crate) fn is_running(group: u32) -> bool {
    state().groups.contains(&group)
}

fn leave() -> ! {
    crate::say("\ninterrupted: ending what was started");
    crate::measure::restore_session();
    // Held to the end, so that nothing new is started meanwhile.
    let state = state();
    kill(&state.groups, Signal::TERM);
    std::thread::sleep(Duration::from_millis(500));
    kill(&state.groups, Signal::KILL);
    if let Some(folder) = &state.folder {
        let _ = std::fs::remove_dir_all(folder);
    }
    std::process::exit(130)
}

fn kill(groups: &BTreeSet<u32>, signal: Signal) {
    for group in groups.iter().filter_map(|&group| Pid::from_raw(i32::try_from(group).ok()?)) {
        let _ = kill_process_group(group, signal);
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
