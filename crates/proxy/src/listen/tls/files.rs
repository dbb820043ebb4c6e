//! Reading the files that a listener's TLS names, and saying what is wrong with them.

use std::fs::File;
use std::io::Read;

use model::load::Spanned;
use model::problem::Problem;

use crate::program::Compile;

/// No certificate, key or list of authorities is larger.
const MOST: u64 = 4 << 20;

/// Reads the files of one listener.
pub(super) struct Files<'a, 'b> {
    offline: bool,
    cx: &'a mut Compile<'b>,
}

impl<'a, 'b> Files<'a, 'b> {
    /// Reads files; `offline` makes absent ones warnings.
    pub(super) fn new(offline: bool, cx: &'a mut Compile<'b>) -> Self {
        Self { offline, cx }
    }

    /// The bytes of the file that is named at `key`, such as `certificates[0].key`.
    pub(super) fn read(&mut self, path: &Spanned<String>, key: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = File::open(path.as_str()).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes));
        match read {
            Ok(length) if length as u64 > MOST => {
                self.error(path, key, format!("`{}` is larger than 4 MiB", **path), "name a PEM file");
                None
            }
            Ok(_) => Some(bytes),
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", **path);
                let help = "check the path, and that the gateway may read the file";
                if self.offline {
                    self.warning(path, key, message, help);
                } else {
                    self.error(path, key, message, help);
                }
                None
            }
        }
    }

    /// Something is wrong with what is named at `key`.
    pub(super) fn error(&mut self, at: &Spanned<String>, key: &str, message: String, help: &str) {
        self.push(Problem::error("config.tls", at.span, message), key, help);
    }

    /// Something may be wrong with it.
    pub(super) fn warning(&mut self, at: &Spanned<String>, key: &str, message: String, help: &str) {
        self.push(Problem::warning("config.tls", at.span, message), key, help);
    }

    /// Something is wrong with all of it.
    pub(super) fn error_of_all(&mut self, key: &str, message: String, help: &str) {
        self.push(Problem::error("config.tls", self.cx.span, message), key, help);
    }

    fn push(&mut self, problem: Problem, key: &str, help: &str) {
        let path = format!("{}.{key}", self.cx.path());
        self.cx.problems().push(problem.path(path).help(help));
    }

    /// The wall clock, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.cx.clock.wall().as_secs()).unwrap_or(i64::MAX)
    }
}
