//! A real nginx, ended by its own process id.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::PATIENCE;

/// A running nginx.
pub struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Nginx {
    /// Starts one with these lines in its one `server` (`listen` begins the last: `ssl`, `http2`), and files beside it.
    pub fn start(listen: &str, server: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("a file beside the configuration");
        }
        // A port that is free now may be taken in a moment: then another.
        for _ in 0..10 {
            let address = TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).expect("a free port");
            std::fs::write(folder.path().join("nginx.conf"), configuration(address, listen, server)).expect("written");
            let mut child = spawn(folder.path());
            if listens(&mut child, address) {
                return Self { child, folder, address };
            }
        }
        let said = std::fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
        panic!("nginx did not start; it said:\n{said}");
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(address: SocketAddr, listen: &str, server: &str) -> String {
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\ndefault_type text/plain;\n\
         server {{\nlisten {address} {listen};\n{server}\n}}\n}}\n"
    )
}

fn spawn(folder: &Path) -> Child {
    // Debian keeps servers where a plain user's PATH does not look.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    Command::new("nginx")
        .env("PATH", path)
        .arg("-p")
        .arg(folder)
        .args(["-e", "error.log", "-c"])
        .arg(folder.join("nginx.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx is installed (`cargo xtask need nginx`)")
}

/// Whether it listens before it ends.
fn listens(child: &mut Child, address: SocketAddr) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if child.try_wait().expect("it can be asked").is_some() {
            return false;
        }
        // Whoever else may have the port: nginx would have ended.
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}
