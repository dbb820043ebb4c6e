//! npm's `oidc-provider`, running under node and ended by its own process id.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use e2e::client::get;
use serde_json::Value;

const PACKAGE: &str = include_str!("provider/package.json");
const LOCK: &str = include_str!("provider/package-lock.json");
const PROGRAM: &str = include_str!("provider/provider.mjs");

/// A running provider.
pub struct Provider {
    child: Child,
    pub address: SocketAddr,
}

impl Provider {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let mut child = Command::new("node")
            .arg("provider.mjs")
            .current_dir(installed())
            .env("NODE_ENV", "test")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node is installed (`cargo xtask need node npm`)");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("stdout is piped"));
        said.read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("http://").and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("the provider did not start: {line}")) }
    }

    /// Its issuer URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it tells of logouts.
    pub fn knows(&self, gate: SocketAddr) {
        self.control(&format!("gate?address={gate}"));
    }

    /// From now on it is `well`, `ill` (503), or `hanging` until it is something else.
    pub fn is(&self, mood: &str) {
        self.control(&format!("mood?is={mood}"));
    }

    /// Takes all refresh tokens back.
    pub fn revoke(&self) {
        self.control("revoke");
    }

    /// How often it gave tokens for this kind of grant.
    pub fn granted(&self, kind: &str) -> u64 {
        self.control("counts")["granted"][kind].as_u64().unwrap_or_default()
    }

    /// How often it refused to.
    pub fn refused(&self, kind: &str) -> u64 {
        self.control("counts")["refused"][kind].as_u64().unwrap_or_default()
    }

    /// The last form by which it told of a logout.
    pub fn told(&self) -> String {
        self.control("told")["form"].as_str().expect("it told of a logout").to_owned()
    }

    fn control(&self, what: &str) -> Value {
        let answer = get(self.address, &format!("/control/{what}"), &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder with the provider and what it needs, pinned by its lockfile. Installed once for this lockfile.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("login-provider");
        fs::create_dir_all(&folder).expect("a folder");
        // Two runs of the tests do not install over each other.
        let lock = File::create(folder.join("lock")).expect("a lock file");
        lock.lock().expect("the lock is free in the end");
        let put = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file of the provider");
        put("provider.mjs", PROGRAM);
        let stamp = folder.join("installed");
        if fs::read_to_string(&stamp).is_ok_and(|known| known == LOCK) {
            return folder;
        }
        put("package.json", PACKAGE);
        put("package-lock.json", LOCK);
        let mut command = Command::new("npm");
        command.args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        let status = command.current_dir(&folder).status().expect("npm is installed (`cargo xtask need npm`)");
        assert!(status.success(), "npm could not install the provider");
        fs::write(stamp, LOCK).expect("a stamp");
        folder
    })
}
