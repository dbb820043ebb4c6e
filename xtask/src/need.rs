//! Programs that tests need: installed with apt as root on Debian, otherwise named.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::say;

/// Programs and the Debian packages that bring them.
const PACKAGES: &[(&str, &str)] = &[
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("h2load", "nghttp2-client"),
    ("redis-server", "redis-server"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3-venv"),
    ("slapd", "slapd"),
    ("valgrind", "valgrind"),
];

/// Makes sure that these programs are there.
pub(crate) fn need(programs: &[&str]) -> Result<()> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !found(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages = Vec::new();
    for program in &missing {
        match PACKAGES.iter().find(|(known, _)| known == program) {
            Some((_, package)) => packages.push(*package),
            None => bail!("`{program}` is missing and no Debian package is known for it"),
        }
    }
    let by_hand = format!("missing: {}; install with: apt-get install {}", missing.join(", "), packages.join(" "));
    if std::env::var_os("TOLLGATE_NO_INSTALL").is_some() {
        bail!("{by_hand} (TOLLGATE_NO_INSTALL is set, so nothing was installed)");
    }
    if !is_root() || !found("apt-get") {
        bail!("{by_hand} (only root on Debian can have it done here)");
    }
    say(&format!("installing {} for the tests (TOLLGATE_NO_INSTALL=1 refuses)", packages.join(" ")));
    apt(&["update", "-qq"], &[])?;
    apt(&["install", "-y", "-qq", "--no-install-recommends"], &packages)?;
    match missing.iter().find(|program| !found(program)) {
        Some(program) => bail!("`{program}` is still missing after the installation"),
        None => Ok(()),
    }
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps servers where a plain user's PATH does not look.
    let system = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    Path::new("/proc/self/status").exists()
        && std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
            status
                .lines()
                .any(|line| line.strip_prefix("Uid:").is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0")))
        })
}

fn apt(words: &[&str], packages: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .args(words)
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // A package must not start a server on a port that something here uses.
        .env("RUNLEVEL", "1")
        .status()?;
    if status.success() { Ok(()) } else { bail!("apt-get {} failed: {status}", words.join(" ")) }
}
