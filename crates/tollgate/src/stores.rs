//! Opens what a program counts on outside of its process: the data directory, and the connections to Redis.

use std::path::Path;

use anyhow::Context as _;
use proxy::program::Program;
use store::{Options, Retention};

use crate::paths;

/// Opens the data directory, whether the program wants it or not: for who asks something of it while no gateway runs.
pub(crate) fn open_directory(program: &Program, configuration: &Path) -> anyhow::Result<()> {
    let directory = paths::directory(&program.snapshot, configuration);
    program.stores.open(&directory, &Options::default())?;
    Ok(())
}

/// Opens what is not open yet. To be called before the program carries traffic: it can fail.
pub(crate) fn open(program: &Program, configuration: &Path) -> anyhow::Result<()> {
    let written = program.snapshot.store.as_ref();
    if written.is_some() || program.wants_disk {
        let directory = paths::directory(&program.snapshot, configuration);
        let retention = written.map(|store| store.retention.clone()).unwrap_or_default();
        let retention = Retention { age: retention.age.get(), rows: retention.rows };
        let options = Options { retention, ..Options::default() };
        let opened = program.stores.open(&directory, &options);
        opened.with_context(|| format!("the store cannot be opened (`store`) in {}", directory.display()))?;
    }
    let restored = program.stores.restore(program).map_err(anyhow::Error::msg);
    restored.context("what the store has of the tokens that are issued here cannot be read")?;
    program.stores.restore_uses(program).context("what the store has of credentials cannot be read")?;
    program.shared.as_ref().map_or(Ok(()), |shared| shared.connect()).context("Redis cannot be used (`redis`)")
}
