//! Opening and closing all of it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::directory::DataDirectory;
use crate::error::Error;
use crate::keys::{Keys, Uses};
use crate::ledger::{Journal, SqliteLedger};
use crate::retention::{Retention, Sweep};
use crate::revoked::Revoked;
use crate::secrets::{Keyring, Vault};
use crate::sqlite::{self, Job, Writer};
use crate::usage::Book;
use crate::{Result, ledger};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long changes gather before they are saved together, and so how much a crash may lose.
    pub gather: Duration,
    /// How long and how much is kept.
    pub retention: Retention,
    /// Meters that there may be at once, some 150 bytes each.
    pub most_meters: usize,
    /// The wall clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(50),
            retention: Retention::default(),
            most_meters: 1_000_000,
            clock: Clock::system(),
        }
    }
}

/// How it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Meters in memory.
    pub meters: usize,
    /// Meters with changes that are not saved yet.
    pub unsaved: usize,
    /// Why saving fails, and for how long it has, if it does.
    pub trouble: Option<(String, Duration)>,
}

/// A data directory with what is in it, open to this process alone. Dropped, it saves what is unsaved and lets go.
pub struct Store {
    ledger: Arc<SqliteLedger>,
    usage: Arc<Book>,
    writer: Arc<Writer>,
    directory: DataDirectory,
    clock: Clock,
}

impl Store {
    /// Takes the directory's lock, brings its database up to date and reads what still counts.
    pub fn open(directory: &Path, options: &Options) -> Result<Self> {
        let directory = DataDirectory::open(directory)?;
        let database = directory.database();
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&database);
        made.map_err(|cause| Error::file("open", &database, cause))?;
        let mut connection = sqlite::open(&database)?;
        let migrated = sqlite::migrate(&mut connection)?;
        let (jobs, desk) = Writer::queue();
        let waking = || {
            let jobs = jobs.clone();
            move || {
                // A full queue is a writer at work, who looks for changes after each job.
                let _ = jobs.try_send(Job::Wake);
            }
        };
        let journal = Arc::new(Journal::new(waking()));
        let usage = Arc::new(Book::new(waking()));
        let loaded = ledger::load(&mut connection, options.most_meters, &journal, options.clock.clone())?;
        let found = loaded.found;
        tracing::info!(target: "tollgate::store", directory = %directory.path().display(), schema = migrated.to,
            from = migrated.from, meters = found.meters, "the store is open");
        if found.charged > 0 {
            tracing::warn!(target: "tollgate::store", totals = found.charged,
                "reservations that the last run left open are charged in full");
        }
        let sweep = Sweep::new(options.retention, options.clock.clone());
        let duty = sqlite::Duty {
            journal: journal.clone(),
            usage: usage.clone(),
            gather: options.gather,
            sweep,
            meters: loaded.meters.clone(),
        };
        let writer = Arc::new(Writer::start(jobs, desk, connection, duty)?);
        let ledger = Arc::new(SqliteLedger::new(loaded, journal, writer.clone(), &database));
        Ok(Self { ledger, usage, writer, directory, clock: options.clock.clone() })
    }

    /// The ledger. Let go of it before the store: what is charged after is not saved.
    pub fn ledger(&self) -> &Arc<SqliteLedger> {
        &self.ledger
    }

    /// What calls of models took.
    pub fn usage(&self) -> &Arc<Book> {
        &self.usage
    }

    /// The secrets that are sealed with these keys.
    pub fn vault(&self, keyring: Arc<Keyring>) -> Vault {
        Vault::new(keyring, self.writer.clone(), &self.directory.database(), self.clock.clone())
    }

    /// Tokens that are not good any more.
    pub fn revoked(&self) -> Revoked {
        Revoked::new(self.writer.clone(), &self.directory.database())
    }

    /// Keys that callers were given.
    pub fn keys(&self) -> Keys {
        Keys::new(self.writer.clone(), &self.directory.database())
    }

    /// When credentials were last shown.
    pub fn uses(&self) -> Uses {
        Uses::new(self.writer.clone(), &self.directory.database())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Saves what is unsaved, and saves nothing after: for who cannot drop it.
    pub fn close(&self) {
        self.ledger.take_back();
        self.writer.stop();
    }

    /// How it goes.
    pub fn status(&self) -> Status {
        let trouble = self.ledger.trouble().map(|trouble| (trouble.message, trouble.since.elapsed()));
        Status { meters: self.ledger.meters(), unsaved: self.ledger.unsaved(), trouble }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Before the lock goes, whoever still has the ledger.
        self.ledger.take_back();
        self.writer.stop();
    }
}
