//! Side-by-side benchmark: Tollgate, nginx, HAProxy and others, one core each, the same upstream and load.
//!
//! See README.md here for what is measured and how. The story of a measurement is in `run.rs`.

mod chaos;
mod cli;
mod histogram;
mod interrupt;
mod machine;
mod measure;
mod peer;
mod report;
mod run;
mod scenario;
mod sheet;
mod stats;
mod tools;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        None => run::run(&cli.run),
        Some(Command::List) => run::list(&cli.run).map(|()| true),
        Some(Command::Upstream(args)) => tools::upstream(args).map(|()| true),
        Some(Command::Load(args)) => tools::load(args).map(|()| true),
        Some(Command::Chaos(args)) => chaos::run(args),
        Some(Command::Pinned(args)) => tools::pinned(args).map(|()| true),
    };
    measure::restore_session();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to stderr, where progress goes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes to stdout, where results go.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
