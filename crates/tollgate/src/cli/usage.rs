//! What is wrong with the command line itself, whatever the configuration says.

use std::fmt;

use crate::configuration::Configuration;

/// A mistake on the command line: what is wrong, and how to mend it.
#[derive(Debug)]
pub(super) struct Usage(String);

impl Usage {
    /// As an error of a command.
    pub(super) fn error(message: impl fmt::Display) -> anyhow::Error {
        anyhow::Error::new(Self(message.to_string()))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Whether there is something at the path that was given; what it says is another matter.
pub(crate) fn found(configuration: &Configuration) -> anyhow::Result<()> {
    let mut problems = configuration.problems.iter();
    match problems.next() {
        Some(first) if configuration.root.is_none() && first.code == "config.unreadable" => {
            let message = &first.message;
            Err(Usage::error(format_args!("{message}; name a configuration file or folder with `--config PATH`")))
        }
        _ => Ok(()),
    }
}
