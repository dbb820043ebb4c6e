//! Files made from the code, committed and compared in CI, so that docs cannot lie.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::{reference, say};

/// Each generated file with its content.
fn files() -> Vec<(&'static str, String)> {
    let schema = tollgate::schema::schema();
    vec![
        ("schema/tollgate.schema.json", tollgate::schema::text()),
        ("docs/reference.md", reference::configuration(&schema)),
        ("docs/ai-formats.md", reference::ai_formats()),
        ("docs/ai-providers.md", reference::ai_providers()),
        ("docs/errors.md", reference::errors()),
        ("docs/expressions.md", proxy::expr::reference()),
        ("docs/metrics.md", proxy::telemetry::catalog::reference()),
        ("docs/access-log.md", proxy::telemetry::access_log::reference()),
    ]
}

/// Writes them.
pub(crate) fn write(root: &Path) -> Result<()> {
    for (name, content) in files() {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {name}"))?;
        say(&format!("wrote {name}"));
    }
    Ok(())
}

/// Fails if one is out of date.
pub(crate) fn check(root: &Path) -> Result<()> {
    let stale: Vec<&str> = files()
        .into_iter()
        .filter(|(name, content)| fs::read_to_string(root.join(name)).unwrap_or_default() != *content)
        .map(|(name, _)| name)
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    bail!("out of date: {}; run `make gen` and commit what it writes", stale.join(", "))
}
