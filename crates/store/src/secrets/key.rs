//! Keys that wrap other keys, and where they come from.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::Result;
use crate::directory::sync_parent;
use crate::error::{Error, Kind};

/// Bytes of a key.
pub(super) const LENGTH: usize = 32;
/// The longest text that is read for one.
const MOST_TEXT: u64 = 4096;
/// How long a command may take to print one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which key it is: made from the key, so that it cannot be mistaken for another, and says nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub(super) [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key that wraps others.
pub struct Key {
    id: KeyId,
    pub(super) aead: RandomizedNonceKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Where a key comes from. The text there is the key's 32 bytes in hexadecimal or base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file that nobody but its owner can read.
    File(PathBuf),
    /// A program with its arguments that prints it, such as a key service's command line. No shell is involved, and it has
    /// ten seconds.
    Command(Vec<String>),
}

impl Key {
    /// Reads the key from where it is.
    pub fn read(source: &KeySource) -> Result<Self> {
        let text = match source {
            KeySource::Env(name) => Zeroizing::new(std::env::var(name).map_err(|cause| {
                let why = match cause {
                    std::env::VarError::NotPresent => "is not set",
                    std::env::VarError::NotUnicode(_) => "is not text",
                };
                Error::new(Kind::Key, format!("the environment variable {name} {why}; it should hold a key"))
            })?),
            KeySource::File(path) => read_file(path)?,
            KeySource::Command(words) => run(words)?,
        };
        Self::parse(&text).map_err(|error| Error::new(error.kind(), format!("{error} ({})", source.place())))
    }

    /// Reads 32 bytes in hexadecimal or base64.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let read = if text.len() == 2 * LENGTH { from_hex(text, &mut bytes) } else { from_base64(text, &mut bytes) };
        if read.is_none() {
            let message = "a key is 32 bytes in hexadecimal or base64, such as `openssl rand -hex 32` prints";
            return Err(Error::new(Kind::Key, message));
        }
        if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
            return Err(Error::new(
                Kind::Key,
                "a key whose bytes are all alike is no key; make one with `openssl rand -hex 32`",
            ));
        }
        Self::new(&bytes)
    }

    /// Reads the key from this file, which is made with a new key where there is none: for its owner alone, and on the
    /// disk before anything is sealed with it.
    pub fn read_or_make(path: &Path) -> Result<Self> {
        let mut made = OpenOptions::new();
        match made.write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let mut bytes = [0; LENGTH];
                let filled = aws_lc_rs::rand::fill(&mut bytes);
                filled.map_err(|_| Error::new(Kind::Key, "there are no random numbers to be had"))?;
                let bytes = Zeroizing::new(bytes);
                let mut text = Zeroizing::new(String::with_capacity(2 * LENGTH + 1));
                for byte in &*bytes {
                    let _ = fmt::Write::write_fmt(&mut *text, format_args!("{byte:02x}"));
                }
                text.push('\n');
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                written.map_err(|cause| {
                    // Half a key would be read as none at the next start.
                    let _ = std::fs::remove_file(path);
                    Error::file("write the key", path, cause)
                })?;
                sync_parent(path)?;
                Self::new(&bytes)
            }
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Self::read(&KeySource::File(path.to_owned())),
            Err(cause) => Err(Error::file("make the key", path, cause)),
        }
    }

    fn new(bytes: &[u8; LENGTH]) -> Result<Self> {
        let mut hash = Context::new(&SHA256);
        hash.update(b"tollgate key id\0");
        hash.update(bytes);
        let mut id = [0; 8];
        id.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Self { id: KeyId(id), aead: aead(bytes)? })
    }

    /// Which key it is.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

pub(super) fn aead(bytes: &[u8; LENGTH]) -> Result<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| Error::new(Kind::Key, "the key cannot be used"))
}

impl KeySource {
    /// What to call it in messages: never what it holds.
    fn place(&self) -> String {
        match self {
            Self::Env(name) => format!("in the environment variable {name}"),
            Self::File(path) => format!("in {}", path.display()),
            Self::Command(words) => format!("printed by {}", words.first().map_or("", String::as_str)),
        }
    }
}

fn read_file(path: &PathBuf) -> Result<Zeroizing<String>> {
    let file = std::fs::File::open(path).map_err(|cause| Error::file("open the key", path, cause))?;
    let about = file.metadata().map_err(|cause| Error::file("look at the key", path, cause))?;
    if about.permissions().mode() & 0o077 != 0 {
        let message = format!("others may read the key {}; run: chmod 600 {}", path.display(), path.display());
        return Err(Error::new(Kind::Key, message));
    }
    text_of(file).map_err(|cause| Error::file("read the key", path, cause))
}

fn text_of(from: impl std::io::Read) -> std::io::Result<Zeroizing<String>> {
    // With room for all of it, so that growing leaves no copies behind.
    let mut text = Zeroizing::new(String::with_capacity(8192));
    from.take(MOST_TEXT).read_to_string(&mut text)?;
    Ok(text)
}

fn run(words: &[String]) -> Result<Zeroizing<String>> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::new(Kind::Key, "the key's command is empty"));
    };
    let failed = |what: &str| Error::new(Kind::Key, format!("the key's command `{program}` {what}"));
    let spawned = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|cause| failed("cannot be started").because(cause))?;
    let Some(out) = child.stdout.take() else { return Err(failed("has no output")) };
    let (sender, text) = sync_channel(1);
    let reader = std::thread::Builder::new().name("store-key".to_owned()).spawn(move || {
        let _ = sender.send(text_of(out));
    });
    let text = match reader {
        Ok(_) => text.recv_timeout(PATIENCE).map_err(|_| failed("took longer than 10 s")),
        Err(cause) => Err(failed("cannot be read").because(cause)),
    };
    let text = text.inspect_err(|_| end(&mut child))?;
    let text = text.map_err(|cause| failed("printed no text").because(cause));
    let status = ended(&mut child).ok_or_else(|| failed("printed something and did not end"))?;
    if !status.success() {
        return Err(failed(&format!("failed: {status}")));
    }
    text
}

/// What it printed is there: it has a moment to end.
fn ended(child: &mut Child) -> Option<std::process::ExitStatus> {
    let until = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    end(child);
    None
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn from_hex(text: &str, bytes: &mut [u8; LENGTH]) -> Option<()> {
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(bytes) {
        let [high, low] = pair else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

fn from_base64(text: &str, bytes: &mut [u8; LENGTH]) -> Option<()> {
    let text = text.trim_end_matches('=');
    // The decoder may want room for a whole group more than there is.
    let mut room = Zeroizing::new([0; LENGTH + 3]);
    let engine = if text.contains(['-', '_']) { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
    let read = engine.decode_slice(text, &mut *room).ok()?;
    bytes.copy_from_slice(room.get(..read).filter(|room| room.len() == LENGTH)?);
    Some(())
}
