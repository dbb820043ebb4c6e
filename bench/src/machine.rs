//! On what was measured.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What a reader must know to place the figures.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) date: String,
    /// The commit of the source tree, with `+` when it was changed since.
    pub(crate) commit: Option<String>,
}

impl Machine {
    /// Looks.
    pub(crate) fn read() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
        let virtual_machine =
            info.lines().any(|line| line.starts_with("flags") && line.split(' ').any(|flag| flag == "hypervisor"));
        let kind = if virtual_machine { " (virtual machine)" } else { "" };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cpu: format!("{}{kind}", model.map_or("unknown CPU", |(_, model)| model.trim())),
            cores,
            kernel: format!("Linux {}", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim()),
            date: output("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default(),
            commit: commit(),
        }
    }
}

/// How many processes wanted to run, on average over the last minute.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

fn commit() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).to_str()?;
    let commit = output("git", &["-C", root, "rev-parse", "--short=12", "HEAD"])?;
    // Results of earlier runs are not a change of what is measured.
    let changed = output("git", &["-C", root, "status", "--porcelain", "--", "..", ":!results"]);
    let changed = changed.is_none_or(|changed| !changed.is_empty());
    Some(format!("{commit}{}", if changed { "+" } else { "" }))
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
