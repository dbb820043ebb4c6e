//! A proxy that runs: pinned to its core, alone in its process group, ended with the harness.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

use super::Peer;
use super::config::Config;
use crate::interrupt;
use crate::measure::{Gauge, Place};

/// How long a proxy may take to leave when told to.
const LEAVE: Duration = Duration::from_secs(5);

/// Under what a proxy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    /// Nothing.
    Bare,
    /// valgrind's callgrind, which writes a file `callgrind.PID` a process into the proxy's folder.
    Callgrind,
}

/// A running proxy; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    place: Place,
    output: std::path::PathBuf,
}

impl Process {
    /// Starts `peer` with `config` at its place.
    pub(crate) fn start(peer: &Peer, config: &Config, place: Place, under: Under) -> Result<Self> {
        let fill = |text: &str| {
            let text = text.replace("{config}", &config.main.to_string_lossy());
            text.replace("{dir}", &config.dir.to_string_lossy()).replace("{port}", &config.port.to_string())
        };
        let mut command = pinned(place)?;
        if under == Under::Callgrind {
            // A worker that has given up root writes its file here too.
            std::fs::set_permissions(&config.dir, Permissions::from_mode(0o777))?;
            let out = fill("--callgrind-out-file={dir}/callgrind.%p");
            command.args(["valgrind", "--quiet", "--tool=callgrind", &out]);
        }
        command.arg(&peer.program).args(peer.spec.args.iter().map(|arg| fill(arg)));
        command.envs(peer.spec.env.iter().map(|(name, value)| (name, fill(value))));
        Self::spawn(command, &config.dir, place).with_context(|| format!("start {}", peer.program.display()))
    }

    /// Starts something that a proxy works with.
    pub(crate) fn launch(program: &Path, args: &[&str], dir: &Path, place: Place) -> Result<Self> {
        let mut command = pinned(place)?;
        command.arg(program).args(args).current_dir(dir);
        Self::spawn(command, dir, place).with_context(|| format!("start {}", program.display()))
    }

    fn spawn(mut command: Command, dir: &Path, place: Place) -> Result<Self> {
        let output = dir.join("output.txt");
        let log = File::create(&output)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0).spawn()?;
        interrupt::started(child.id());
        Ok(Self { child, place, output })
    }

    /// Its status when it has left.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What it has written last.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n")
    }

    /// Its CPU and memory, with the processes that it has started by now.
    pub(crate) fn gauge(&self) -> Gauge {
        Gauge::of(self.child.id(), self.place.core)
    }

    /// Tells it to load its configuration anew.
    pub(crate) fn reload(&self) -> Result<()> {
        Ok(kill_process(self.pid()?, Signal::HUP)?)
    }

    /// Ends it and waits until it has left.
    pub(crate) fn stop(&mut self, patience: Duration) -> Result<()> {
        let group = self.pid()?;
        let deadline = Instant::now() + patience;
        let _ = kill_process_group(group, Signal::TERM);
        while self.ended().is_none() || test_kill_process_group(group).is_ok() {
            if Instant::now() > deadline {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = self.child.wait();
                interrupt::ended(self.child.id());
                bail!("it did not leave within {} s of SIGTERM", patience.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        interrupt::ended(self.child.id());
        Ok(())
    }

    fn pid(&self) -> Result<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("process id out of range")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !interrupt::is_running(self.child.id()) {
            return;
        }
        if let Err(error) = self.stop(LEAVE) {
            crate::say(&format!("  {}: {error:#}", self.output.display()));
        }
    }
}

/// This program, about to become another one at its place.
fn pinned(place: Place) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command.args(["pinned", &format!("--core={}", place.core), &format!("--nice={}", place.nice), "--"]);
    Ok(command)
}

/// Empties a log that would otherwise fill the disk over the rounds.
pub(crate) fn truncate(log: &Path) {
    if let Ok(file) = File::options().write(true).open(log) {
        let _ = file.set_len(0);
    }
}
