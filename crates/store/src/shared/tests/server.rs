//! A real server for a test, on a socket of its own.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use model::value::Secret;
use rustix::process::{Pid, Signal, kill_process};

use crate::shared::SharedOptions;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Server {
    child: Child,
    folder: tempfile::TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::start_with("")
    }

    /// With further settings, as on its command line.
    pub(super) fn start_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(folder.path().join("socket"), settings);
        let server = Self { child, folder };
        server.until_there();
        server
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(super) fn options(&self) -> SharedOptions {
        let url = Secret::new(format!("redis+unix://{}", self.socket().display()));
        // A loaded machine is slow; what tests of slowness need they set.
        SharedOptions { urls: vec![url], patience: Duration::from_secs(5), ..SharedOptions::default() }
    }

    /// Ends it at once; nothing of its memory is kept.
    pub(super) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn start_again(&mut self) {
        self.child = spawn(self.socket(), "");
        self.until_there();
    }

    /// It is there, and says nothing.
    pub(super) fn hang(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    pub(super) fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// What it says to a command.
    pub(super) fn say(&self, command: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        Some(said)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn until_there(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.say("PING").is_some_and(|said| said.contains("PONG") || said.contains("NOAUTH")) {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn spawn(socket: PathBuf, settings: &str) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
    command.arg("--dir").arg(socket.parent().unwrap()).arg("--unixsocket").arg(&socket);
    command.args(settings.split_whitespace());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.expect("redis-server is there: cargo xtask need redis-server")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
