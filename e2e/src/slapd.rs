//! A real slapd (OpenLDAP), ended by its own process id.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::{Authority, PATIENCE};

/// What its folder is said by in the configuration below.
const CONFIGURATION: &str = "
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile FOLDER/pid
TLSCACertificateFile FOLDER/ca.pem
TLSCertificateFile FOLDER/cert.pem
TLSCertificateKeyFile FOLDER/key.pem
TLSVerifyClient never
disallow bind_anon
database mdb
suffix \"dc=example,dc=org\"
directory FOLDER/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=\"cn=gateway,dc=example,dc=org\" read by users read by anonymous auth by * none
";

/// A running slapd on free ports of the loopback, with these entries.
pub struct Slapd {
    child: Option<Child>,
    folder: tempfile::TempDir,
    /// Where it speaks LDAP, StartTLS included.
    pub address: SocketAddr,
    /// Where it speaks LDAP over TLS.
    pub encrypted: SocketAddr,
}

impl Slapd {
    /// Starts one on these entries (LDIF), with a certificate of this authority for `localhost`.
    pub fn start(entries: &str, authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        let (certificate, key) = authority.sign("localhost", &["localhost"]);
        write("ca.pem", &authority.pem());
        write("cert.pem", &certificate);
        write("key.pem", &key);
        write("slapd.conf", &CONFIGURATION.replace("FOLDER", &folder.path().display().to_string()));
        write("entries.ldif", entries);
        std::fs::create_dir(folder.path().join("db")).expect("a folder");
        let added = program("slapadd", folder.path()).arg("-l").arg(folder.path().join("entries.ldif")).output();
        let added = added.expect("slapadd is installed (`cargo xtask need slapd`)");
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let [address, encrypted] = free();
        let mut slapd = Self { child: None, folder, address, encrypted };
        slapd.start_again();
        slapd
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is there");
            child.wait().expect("it can be waited for");
        }
    }

    /// Starts it on what it had, and waits until it listens.
    pub fn start_again(&mut self) {
        let listen = format!("ldap://{} ldaps://{}", self.address, self.encrypted);
        let mut command = program("slapd", self.folder.path());
        command.args(["-d", "0", "-h", &listen]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("slapd is installed (`cargo xtask need slapd`)"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.encrypted).is_err() {
            assert!(Instant::now() < deadline, "slapd does not listen");
            std::thread::yield_now();
        }
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn program(name: &str, folder: &Path) -> Command {
    // Debian keeps servers where a plain user's PATH does not look.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let found = path.split(':').map(|place| Path::new(place).join(name)).find(|file| file.is_file());
    let mut command = Command::new(found.unwrap_or_else(|| name.into()));
    command.arg("-f").arg(folder.join("slapd.conf"));
    command
}

/// Two ports that are free at the same time.
fn free() -> [SocketAddr; 2] {
    let held = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("it is bound"))
}
