//! `tollgate backup`: a consistent copy of what is stored, while it is in use.

use std::path::PathBuf;

use super::usage::Usage;
use super::{BackupArgs, GOOD, PROBLEMS, found, show_problems, style};
use crate::configuration::{Outside, read};

pub(super) fn backup(args: &BackupArgs) -> anyhow::Result<u8> {
    let directory = match &args.data {
        Some(directory) => directory.clone(),
        None => {
            let configuration = read(&args.config.config, Outside::Offline);
            found(&configuration)?;
            let Some(snapshot) = &configuration.snapshot else {
                show_problems(&configuration);
                return Ok(PROBLEMS);
            };
            let Some(store) = &snapshot.store else {
                let path = args.config.config.display();
                return Err(Usage::error(format_args!(
                    "{path} has no `store`; name the data directory with `--data DIR`"
                )));
            };
            PathBuf::from(&store.directory.value)
        }
    };
    let saved = store::backup(&directory, &args.to)?;
    let (to, bytes, schema) = (args.to.display(), saved.bytes, saved.schema);
    style::print(&format!("{to}: {bytes} bytes, schema {schema}, from {}", directory.display()))?;
    Ok(GOOD)
}
