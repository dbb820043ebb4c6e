//! Text to tree to typed values, with every problem and its place.
//!
//! [`read`] turns a file or a folder into a [`Node`] tree, replacing `${env:…}` and `${file:…}`;
//! [`de::from_node`] gives the tree a type. Both collect every problem instead of stopping at the first.
use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::problem::Problems;

pub mod de;
mod node;
mod span;

pub use de::from_node;
pub use node::{Entry, Node, Value};
pub use span::{Position, Sources, Span, Spanned};

/// Looks up an environment variable.
pub type ReadEnv = dyn Fn(&str) -> Result<String, VarError> + Send + Sync;
/// Reads a file of at most so many bytes; a larger one is an error of kind [`io::ErrorKind::FileTooLarge`].
pub type ReadFile = dyn Fn(&Path, u64) -> io::Result<Vec<u8>> + Send + Sync;

/// How configuration is read. The default asks the process's environment and the file system.
#[derive(Clone)]
pub struct Options {
    /// Absent variables and files become warnings, and [`STAND_IN`] is read in their place.
    pub offline: bool,
    /// Where `${env:…}` looks.
    pub env: Arc<ReadEnv>,
    /// Where `${file:…}` and [`read`] look.
    pub file: Arc<ReadFile>,
    /// What relative paths in [`read_text`] start from.
    pub base: PathBuf,
    /// How much is read.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            offline: false,
            env: Arc::new(|name| std::env::var(name)),
            file: Arc::new(read_bounded),
            base: PathBuf::new(),
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// Options for text of unknown origin: no variable and no file is found, whatever it asks for.
    #[must_use]
    pub fn sealed() -> Self {
        Self {
            env: Arc::new(|_| Err(VarError::NotPresent)),
            file: Arc::new(|_, _| Err(io::ErrorKind::PermissionDenied.into())),
            ..Self::default()
        }
    }
}

fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// How much is read; more is a problem, not growth.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files in a folder.
    pub files: usize,
    /// Lists and maps within each other.
    pub depth: usize,
    /// Values and keys in the tree.
    pub nodes: usize,
    /// Values and keys that come from repeating an alias or merging a map.
    pub alias_nodes: usize,
    /// Bytes of text that come from repeating an alias or merging a map.
    pub alias_bytes: usize,
    /// Bytes of one `${file:…}`.
    pub reference_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            files: 1_000,
            depth: 64,
            nodes: 2_000_000,
            alias_nodes: 200_000,
            alias_bytes: 8 << 20,
            reference_bytes: 1 << 20,
        }
    }
}

/// What is read for an absent variable or file when checking offline.
pub const STAND_IN: &str = "offline-stand-in";

/// What was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The texts, for messages.
    pub sources: Sources,
    /// The tree, unless nothing sensible could be made of the text.
    pub root: Option<Node>,
    /// Everything that is wrong.
    pub problems: Problems,
    /// Every file that was read or asked for, `${file:…}` targets included, for the watcher.
    pub files: Vec<PathBuf>,
}

/// Reads one file, or every `*.yaml`, `*.yml` and `*.json` of a folder in order of their names: top-level lists are
/// concatenated, anything else said twice is a problem.
#[must_use]
pub fn read(path: &Path, options: &Options) -> Loaded {
    let _ = (path, options);
    Loaded::default()
}

/// Reads a text. A name that ends in `.json` means strict JSON. Never panics.
#[must_use]
pub fn read_text(name: &str, text: &str, options: &Options) -> Loaded {
    let _ = (name, text, options);
    Loaded::default()
}
