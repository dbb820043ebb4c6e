//! `tollgate backup`: a consistent copy of what is stored, while it is in use.

use super::{BackupArgs, GOOD, PROBLEMS, found, show_problems, style};
use crate::configuration::{Outside, read};
use crate::paths;

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
            paths::directory(snapshot, &args.config.config)
        }
    };
    let saved = store::backup(&directory, &args.to)?;
    let (to, bytes, schema) = (args.to.display(), saved.bytes, saved.schema);
    style::print(&format!("{to}: {bytes} bytes, schema {schema}, from {}", directory.display()))?;
    Ok(GOOD)
}
