//! A real redis-server, ended by its own process id.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::PATIENCE;

/// A running redis-server on a socket of its own; nothing of its memory is kept on a disk.
pub struct Redis {
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut redis = Self { child: None, folder };
        redis.start_again();
        redis
    }

    /// Ends it at once; its memory is gone.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is there");
            child.wait().expect("it can be waited for");
        }
    }

    /// Starts it, empty, and waits until it answers.
    pub fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.arg("--dir").arg(self.folder.path()).arg("--unixsocket").arg(self.socket());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("redis-server is installed (`cargo xtask need redis-server`)"));
        let deadline = Instant::now() + PATIENCE;
        while !self.say("PING").is_some_and(|said| said.contains("PONG")) {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            std::thread::yield_now();
        }
    }

    /// What gateways are told, such as `redis+unix:///tmp/…`.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// What it says to a command.
    pub fn say(&self, command: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        Some(said)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
