//! Text to tree to typed values, with every problem and its place.
//!
//! [`read`] turns a file or a folder into a [`Node`] tree, replacing `${env:…}`, `${file:…}` and `${store:…}`;
//! [`de::from_node`] gives the tree a type. Both collect every problem instead of stopping at the first.
use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::sync::Arc;

use crate::problem::{Problem, Problems};
use crate::value::quote;

mod build;
pub mod de;
mod folder;
mod json;
mod node;
mod reference;
mod scalar;
mod span;
mod yaml;

#[cfg(test)]
mod tests;

use build::{Builder, Stop};
use reference::{References, Shared};

pub use de::from_node;
pub use node::{Entry, Node, Value};
pub use span::{Position, Sources, Span, Spanned};

/// Looks up an environment variable.
pub type ReadEnv = dyn Fn(&str) -> Result<String, VarError> + Send + Sync;
/// Reads a file of at most so many bytes; a larger one is an error of kind [`io::ErrorKind::FileTooLarge`].
pub type ReadFile = dyn Fn(&Path, u64) -> io::Result<Vec<u8>> + Send + Sync;

/// Opens a secret of the store; none where there is none of this name, and why not where it cannot be opened.
pub type ReadStore = dyn Fn(&str) -> Result<Option<String>, String> + Send + Sync;

/// How configuration is read. The default asks the process's environment and the file system.
#[derive(Clone)]
pub struct Options {
    /// Absent variables and files become warnings, and [`STAND_IN`] is read in their place.
    pub offline: bool,
    /// Where `${env:…}` looks.
    pub env: Arc<ReadEnv>,
    /// Where `${file:…}` and [`read`] look.
    pub file: Arc<ReadFile>,
    /// Where `${store:…}` looks. The default has no store.
    pub store: Arc<ReadStore>,
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
            store: Arc::new(|_| Ok(None)),
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

/// What is read for an absent variable or file when checking offline, and for a reference that is wrong. A number becomes
/// 1 and a boolean `false` there; another value that cannot be made of this text is left out without a word. A later
/// stage that parses text of its own should be as lenient to text that contains this.
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
/// joined, anything else said differently twice is a problem.
#[must_use]
pub fn read(path: &Path, options: &Options) -> Loaded {
    let mut reading = Reading::new(options);
    let root = if path.is_dir() { folder::read(path, &mut reading) } else { reading.single(path) };
    reading.finish(root)
}

/// Reads a text. A name that ends in `.json` means strict JSON, any other YAML (of which JSON is a part); the folder of
/// the name is where a relative `${file:…}` starts from. Never panics.
#[must_use]
pub fn read_text(name: &str, text: &str, options: &Options) -> Loaded {
    let mut reading = Reading::new(options);
    let base = options.base.join(Path::new(name).parent().unwrap_or(Path::new("")));
    let root = reading.text(name, &base, text.to_owned());
    let root = reading.required(root);
    reading.finish(root)
}

/// One reading of a file, a folder or a text.
struct Reading<'o> {
    options: &'o Options,
    sources: Sources,
    problems: Problems,
    references: Shared,
    files: Vec<PathBuf>,
    /// Bytes of the files so far.
    bytes: u64,
}

impl<'o> Reading<'o> {
    fn new(options: &'o Options) -> Self {
        Self {
            options,
            sources: Sources::default(),
            problems: Problems::new(),
            references: Shared::default(),
            files: Vec::new(),
            bytes: 0,
        }
    }

    fn finish(self, root: Option<Node>) -> Loaded {
        let Self { sources, problems, references, mut files, .. } = self;
        files.extend(references.files);
        Loaded { sources, root, problems, files }
    }

    fn single(&mut self, path: &Path) -> Option<Node> {
        let root = self.file(path)?;
        self.required(root)
    }

    /// Nothing at all is a problem where something must be.
    fn required(&mut self, root: Option<Node>) -> Option<Node> {
        if root.is_none() && !self.problems.has_errors() {
            let problem = Problem::error("config.empty", Span::new(0, 0, 0), "nothing is configured here");
            self.problems.push(problem.help("write at least `version: 1`"));
        }
        root
    }

    /// Reads a file; the inner `None` is an empty or unreadable document, the outer an unreadable file.
    fn file(&mut self, path: &Path) -> Option<Option<Node>> {
        self.files.push(path.to_owned());
        let name = path.display().to_string();
        let left = self.options.limits.bytes.min(u64::from(u32::MAX)).saturating_sub(self.bytes);
        let bytes = match (self.options.file)(path, left) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("{} {}", quote(&name), reference::why(&error, left));
                self.problems.push(Problem::error("config.unreadable", None, message));
                return None;
            }
        };
        self.bytes += bytes.len() as u64;
        match String::from_utf8(bytes) {
            Ok(text) => Some(self.text(&name, path.parent().unwrap_or(Path::new("")), text)),
            Err(error) => {
                self.not_utf8(name, &error);
                None
            }
        }
    }

    fn not_utf8(&mut self, name: String, error: &FromUtf8Error) {
        let at = span::offset(error.utf8_error().valid_up_to());
        let utf16 = matches!(error.as_bytes(), [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
        let file = self.sources.add(name, String::from_utf8_lossy(error.as_bytes()));
        let help = if utf16 { "it seems to be UTF-16: save it as UTF-8" } else { "save it as UTF-8" };
        let problem = Problem::error("config.not_utf8", Span::new(file, at, at + 1), "this is not valid UTF-8");
        self.problems.push(problem.help(help));
    }

    /// Reads a text; `None` when it is empty or cannot be read to its end.
    fn text(&mut self, name: &str, base: &Path, mut text: String) -> Option<Node> {
        let Limits { bytes, nodes, .. } = self.options.limits;
        // The YAML parser keeps everything between two brackets until it has seen the last: commas tell how much.
        let values = text.bytes().filter(|b| *b == b',').count();
        if text.len() as u64 > bytes.min(u64::from(u32::MAX)) || values > nodes {
            let message = format!("{} has more than {bytes} bytes or {nodes} values", quote(name));
            self.problems.push(Problem::error("config.too_large", None, message));
            return None;
        }
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let start = text.trim_start().chars().next();
        let must_be_json = Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let may_be_json = must_be_json || matches!(start, Some('{' | '['));
        let file = self.sources.add(name, text);
        start?;
        let (mut root, problems) = match may_be_json.then(|| self.tree(file, base, json::read)) {
            Some((read, problems)) if read.is_ok() || must_be_json => (read.ok().flatten(), problems),
            _ => {
                let (read, problems) = self.tree(file, base, yaml::read);
                (read.ok().flatten(), problems)
            }
        };
        self.problems.append(problems);
        if let Some(Node { value: Value::Map(entries), .. }) = &mut root {
            entries.retain(|entry| !entry.key.starts_with("x-"));
        }
        root
    }

    /// Reads the tree of a text with one of the readers.
    fn tree(&mut self, file: u32, base: &Path, read: Reader) -> (Result<Option<Node>, Stop>, Problems) {
        let mut problems = Problems::new();
        let references = References::new(self.options, base, &mut self.references);
        let mut builder = Builder::new(&mut problems, &self.sources, references, self.options.limits);
        let read = read(self.sources.text(file), file, &mut builder);
        let tree = read.map(|()| builder.finish());
        (tree, problems)
    }
}

/// Reads a text, which has this number, into a builder.
type Reader = fn(&str, u32, &mut Builder<'_>) -> Result<(), Stop>;
