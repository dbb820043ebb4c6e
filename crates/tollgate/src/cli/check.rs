//! `tollgate check`: every problem at once.

use model::problem::{render, render_json};
use serde_json::json;

use super::{CheckArgs, Format, GOOD, PROBLEMS, found, style};
use crate::configuration::{Configuration, Outside, environment, read};

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<u8> {
    let outside = if args.offline { Outside::Offline } else { Outside::Required };
    let mut configuration = read(&args.config.config, outside);
    found(&configuration)?;
    let program = configuration.compile(&environment(1, outside));
    let good = program.is_some();
    match args.format {
        Format::Json => {
            let mut report = json!({ "valid": good, "hash": configuration.hash });
            if let (Some(all), serde_json::Value::Object(found)) =
                (report.as_object_mut(), render_json(&configuration.problems, &configuration.sources))
            {
                all.extend(found);
            }
            style::print(&serde_json::to_string_pretty(&report)?)?;
        }
        Format::Text => {
            show_problems(&configuration);
            if let Some(program) = program {
                let snapshot = &program.snapshot;
                let routes: usize = snapshot.apis.iter().map(|api| api.routes.len()).sum();
                style::print(&format!(
                    "{} is good: {}, {}, {}, {}, {}",
                    args.config.config.display(),
                    count(snapshot.listeners.len(), "listener"),
                    count(snapshot.apis.len(), "api"),
                    count(routes, "route"),
                    count(snapshot.upstreams.len(), "upstream"),
                    count(snapshot.consumers.len(), "consumer"),
                ))?;
            }
        }
    }
    Ok(if good { GOOD } else { PROBLEMS })
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Prints problems, if any, on standard error.
pub(crate) fn show_problems(configuration: &Configuration) {
    if !configuration.problems.is_empty() {
        style::say(&render(&configuration.problems, &configuration.sources, style::for_stderr()));
    }
}
