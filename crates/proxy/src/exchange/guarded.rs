//! What guards of a model found in an exchange: how often each check did, never what.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// The names of a policy's checks, each with what it does.
pub type Checks = Arc<[(Arc<str>, &'static str)]>;

/// How often the checks of a policy found something. A stream goes on finding after the exchange has let go of it.
#[derive(Debug)]
pub struct Guarded {
    checks: Checks,
    found: Box<[AtomicU32]>,
}

impl Guarded {
    /// Nothing found yet.
    pub fn new(checks: Checks) -> Self {
        let found = checks.iter().map(|_| AtomicU32::new(0)).collect();
        Self { checks, found }
    }

    /// A check found something so many times.
    pub fn found(&self, check: usize, times: u32) {
        if let Some(found) = self.found.get(check) {
            found.fetch_add(times, Relaxed);
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.iter().all(|found| found.load(Relaxed) == 0)
    }
}

/// `personal mask 3, words flag 1`
impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for ((name, act), found) in self.checks.iter().zip(&self.found) {
            let found = found.load(Relaxed);
            if found > 0 {
                f.write_str(if first { "" } else { ", " })?;
                write!(f, "{name} {act} {found}")?;
                first = false;
            }
        }
        Ok(())
    }
}
