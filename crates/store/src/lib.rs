//! What must not be lost: the ledger that limits, quotas and budgets stand on, what calls of models took ([`usage`]), keys
//! that callers were given ([`keys`]), and sealed secrets, in one data directory ([`Store`]); money ahead ([`purse`]); and limits that several gateways share ([`shared`]).
//!
//! ```text
//! Store::open(directory) ─▶ lock (one writer) ─▶ migrate ─▶ load what still counts ─▶ SqliteLedger
//!                                                                                         │ meter(account, window)
//!  a worker: meter.charge(n), meter.reserve(n, limit)  memory only, never blocks ◀────────┘
//!                  │ what changed, once a meter
//!                  ▼
//!  the writer thread: one transaction for all that changed, then the receipts up to there are durable
//! ```
//!
//! Workers never wait for a disk: they count in memory, which is what decides, and one thread writes behind them.
//! [`ledger::MemoryLedger`] is the same without the disk.

mod clock;
mod directory;
mod error;
pub mod keys;
pub mod ledger;
pub mod purse;
mod retention;
mod revoked;
pub mod secrets;
pub mod shared;
mod sqlite;
mod store;
pub mod usage;

pub use clock::Clock;
pub use directory::{DATABASE, DataDirectory, LOCK};
pub use error::{Error, Kind};
pub use retention::Retention;
pub use revoked::{MOST_REVOKED, Revoked};
pub use sqlite::{Saved, backup};
pub use store::{Options, Status, Store};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
