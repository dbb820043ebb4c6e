//! Sets of addresses: ranges that neither meet nor touch, in order, so that a search halves them. A million takes 20 looks
//! and 8 MB (of IPv4), less than a trie needs for its 32 bits.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use model::load::Spanned;
use model::problem::{Problem, Severity};
use model::resolve::parse_network;

use crate::program::Compile;

/// Networks in the configuration.
const MOST: usize = 100_000;
/// Lines of all files of one set that hold something.
const MOST_LINES: usize = 1_000_000;
/// Bytes of a file.
const MOST_BYTES: u64 = 128 << 20;
/// Bytes of a line.
const MOST_LINE: u64 = 4096;
/// Problems of a file that are told.
const MOST_TOLD: usize = 10;

/// A set of addresses.
#[derive(Default)]
pub(super) struct Ranges {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

/// Networks while they are collected.
#[derive(Default)]
pub(super) struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    /// Adds an address or network.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        match parse_network(text) {
            Some(IpNet::V4(net)) => self.v4.push((net.network().to_bits(), net.broadcast().to_bits())),
            Some(IpNet::V6(net)) => self.v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            None => return Err(format!("`{}` is not an address or a network", text.escape_debug())),
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Adds those of the configuration. Whether all are good.
    pub(super) fn add_all(&mut self, written: &[Spanned<String>], cx: &mut Compile<'_>) -> bool {
        if let Some(over) = written.get(MOST) {
            cx.problem(over.span, format!("more than {MOST} networks"), "join some of them, or put them into `files`");
            return false;
        }
        let mut good = true;
        for text in written {
            if let Err(message) = self.add(text) {
                cx.problem(text.span, message, "write an address or CIDR such as `10.0.0.0/8`");
                good = false;
            }
        }
        good
    }

    /// Adds those of a file. Whether all are good; a missing file is only a warning where files may be absent.
    pub(super) fn add_file(&mut self, written: &Spanned<String>, cx: &mut Compile<'_>) -> bool {
        let path = cx.file(written);
        let mut told = 0;
        let outcome = self.read(&path, |number, message| {
            told += 1;
            if told <= MOST_TOLD {
                let message = format!("`{}` line {number}: {message}", **written);
                cx.problem(written.span, message, "write an address or CIDR a line, comments behind `#`");
            }
        });
        if told > MOST_TOLD {
            let message = format!("`{}` has {} more such lines", **written, told - MOST_TOLD);
            cx.problem(written.span, message, "mend these first");
        }
        let Err((message, missing)) = outcome else { return told == 0 };
        let lenient = missing && cx.env.offline;
        let severity = if lenient { Severity::Warning } else { Severity::Error };
        let problem = Problem::error("config.policy", written.span, format!("`{}` {message}", **written));
        let problem = Problem { severity, ..problem }.path(cx.path().to_owned());
        cx.problems().push(problem.help("check the path, and what is in the file"));
        lenient
    }

    fn read(&mut self, path: &Path, mut bad: impl FnMut(usize, String)) -> Result<(), (String, bool)> {
        let file = File::open(path).map_err(|error| (format!("cannot be read: {error}"), true))?;
        let mut reader = BufReader::new(file.take(MOST_BYTES + 1));
        let (mut line, mut number, mut bytes, before) = (Vec::new(), 0, 0, self.len());
        loop {
            line.clear();
            let read = reader.by_ref().take(MOST_LINE).read_until(b'\n', &mut line);
            let length = read.map_err(|error| (format!("cannot be read: {error}"), false))?;
            if length == 0 {
                return Ok(());
            }
            number += 1;
            bytes += length as u64;
            let text = line.split(|byte| matches!(byte, b'#' | b';')).next().unwrap_or_default();
            let text = String::from_utf8_lossy(text.trim_ascii());
            if text.is_empty() {
                continue;
            }
            if let Err(message) = self.add(&text) {
                bad(number, message);
            }
            if self.len() - before > MOST_LINES || bytes > MOST_BYTES {
                return Err((format!("has more than {MOST_LINES} addresses, or 128 MiB"), false));
            }
        }
    }

    /// The set of all of them.
    pub(super) fn join(self) -> Ranges {
        Ranges { v4: join(self.v4, |end| end.checked_add(1)), v6: join(self.v6, |end| end.checked_add(1)) }
    }
}

impl Ranges {
    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The memory it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.v4) + size_of_val(&*self.v6)
    }

    /// Whether an address is in it.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => within(&self.v6, address.to_bits()),
        }
    }
}

/// Joins ranges that meet or touch.
fn join<N: Copy + Ord>(mut ranges: Vec<(N, N)>, next: fn(N) -> Option<N>) -> Box<[(N, N)]> {
    ranges.sort_unstable();
    let mut joined: Vec<(N, N)> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match joined.last_mut() {
            Some((_, last)) if next(*last).is_none_or(|next| start <= next) => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined.into()
}

fn within<N: Copy + Ord>(ranges: &[(N, N)], address: N) -> bool {
    let after = ranges.partition_point(|(start, _)| *start <= address);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, end)| address <= *end)
}
