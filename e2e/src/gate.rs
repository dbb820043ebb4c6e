//! A running `tollgate` on free ports, ended by its own process id.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Nothing in a test takes longer than this, or it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway.
pub struct Gate {
    child: Child,
    addresses: HashMap<String, SocketAddr>,
    folder: tempfile::TempDir,
    lines: Receiver<String>,
    /// Everything it said on standard error so far.
    said: Arc<Mutex<String>>,
}

/// A gateway that left.
pub struct Left {
    /// How it exited.
    pub status: ExitStatus,
    /// What it had said on standard error.
    pub said: String,
    /// What it had written to standard output.
    pub output: String,
}

impl Gate {
    /// Starts a gateway on this configuration. Write listeners at `127.0.0.1:0`; an operations port is added unless the
    /// text has one.
    pub fn start(configuration: &str) -> Self {
        Self::start_with(configuration, &[], &[])
    }

    /// The same with files beside the configuration (`name`, content) and environment variables.
    pub fn start_with(configuration: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("a file beside the configuration");
        }
        write(folder.path(), configuration);
        let mut child = Command::new(binary())
            .args(["run", "--config", "tollgate.yaml"])
            .current_dir(folder.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let said = Arc::new(Mutex::new(String::new()));
        let lines = follow(child.stderr.take().expect("stderr is piped"), said.clone());
        let mut gate = Self { child, addresses: HashMap::new(), folder, lines, said };
        gate.greeting();
        gate
    }

    /// Reads what listens where.
    fn greeting(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("the gateway did not start; it said:\n{}", self.said());
            };
            let mut words = line.split_whitespace();
            if let (Some(name), Some(url)) = (words.next(), words.next())
                && let Some((_, address)) = url.split_once("://")
                && let Ok(address) = address.parse()
            {
                self.addresses.insert(name.to_owned(), address);
                if name == "operations" {
                    return;
                }
            }
        }
    }

    /// The address of a listener, or of `operations`.
    pub fn address(&self, name: &str) -> SocketAddr {
        *self.addresses.get(name).unwrap_or_else(|| panic!("no listener `{name}`; it said:\n{}", self.said()))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it said on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("not poisoned").clone()
    }

    /// Waits until it says a line that holds `text`, and gives that line.
    pub fn until_said(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => panic!("it did not say `{text}`; it said:\n{}", self.said()),
            }
        }
    }

    /// Writes another configuration and waits until it runs.
    pub fn reload(&self, configuration: &str) {
        self.rewrite(configuration);
        let said = self.until_said("reloaded");
        assert!(!said.contains("not reloaded"), "{}", self.said());
    }

    /// Writes another configuration, as an editor does: beside, then renamed.
    pub fn rewrite(&self, configuration: &str) {
        write(self.folder.path(), configuration);
    }

    /// The value of a metric, over all its series whose text holds each of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = crate::client::get(self.address("operations"), "/metrics", &["host: localhost"]).text();
        let lines =
            text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "SIG{name} could not be sent");
    }

    /// Tells it to leave and waits until it has.
    pub fn leave(self) -> Left {
        self.signal("TERM");
        self.left()
    }

    /// Waits until it has left.
    pub fn left(mut self) -> Left {
        let mut output = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut output).expect("its output is text");
        }
        let status = self.child.wait().expect("it can be waited for");
        while self.lines.recv_timeout(Duration::from_secs(1)).is_ok() {}
        Left { status, said: self.said(), output }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for what another thread or process does.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// Beside first, then renamed, so that no half of it is ever read.
fn write(folder: &Path, configuration: &str) {
    let mut text = configuration.to_owned();
    if !text.contains("\noperations:") {
        text.push_str("\noperations: { address: \"127.0.0.1:0\" }\n");
    }
    let beside = folder.join("tollgate.yaml.new");
    std::fs::write(&beside, text).expect("the configuration is written");
    std::fs::rename(beside, folder.join("tollgate.yaml")).expect("the configuration is renamed");
}

/// Reads lines as they come, so that the pipe never fills.
fn follow(from: impl Read + Send + 'static, said: Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, lines) = sync_channel(100_000);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut said = said.lock().expect("not poisoned");
            said.push_str(&line);
            said.push('\n');
            drop(said);
            let _ = sender.try_send(line);
        }
    });
    lines
}

/// The `tollgate` binary: `TOLLGATE_BINARY`, as `make test` sets it after building everything at once, else built here once
/// for this run of the tests, so that it is never an old one.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("TOLLGATE_BINARY") {
            return PathBuf::from(path).canonicalize().expect("TOLLGATE_BINARY names a file");
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "tollgate", "--message-format", "json-render-diagnostics"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(built.status.success(), "the binary does not build");
        let text = String::from_utf8_lossy(&built.stdout);
        let path = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let path = path
            .filter(|message| message["target"]["name"] == "tollgate")
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .next_back();
        path.expect("cargo names the executable")
    })
}
