//! Developer tasks: `cargo xtask gen | models | tidy | need`. The Makefile calls them; so does CI.

mod generate;
mod models;
mod need;
mod reference;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask TASK

Tasks:
  gen             write the generated files: JSON Schema and reference docs
  gen --check     fail if one of them is out of date
  models [WHEEL]  refresh the models' data from the newest LiteLLM package, or from a wheel of it
  tidy            check the rules of the house that a program can check
  need PROGRAM…   install programs that tests need, or say what is missing";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["gen"] => generate::write(&root()),
        ["gen", "--check"] => generate::check(&root()),
        ["models"] => models::models(&root(), None),
        ["models", wheel] => models::models(&root(), Some(wheel)),
        ["tidy"] => tidy::tidy(&root()),
        ["need", programs @ ..] if !programs.is_empty() => need::need(programs),
        ["help" | "--help" | "-h"] => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

#[expect(clippy::print_stdout, reason = "a command line tool speaks here")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a command line tool speaks here")]
fn complain(text: &str) {
    eprintln!("{text}");
}
