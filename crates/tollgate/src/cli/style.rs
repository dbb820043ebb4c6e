//! What goes to the terminal: text to standard output, complaints to standard error, colours only on a terminal.

use std::io::{self, IsTerminal, Write};

use model::problem::Style;

/// The style for standard error.
pub(crate) fn for_stderr() -> Style {
    if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() { Style::Colour } else { Style::Plain }
}

/// Prints to standard output. A closed pipe is no error: who reads has read enough.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let done =
        out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    match done.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says what is wrong on standard error.
pub(crate) fn complain(text: &str) {
    let start = if for_stderr() == Style::Colour { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    say(&format!("{start}: {text}"));
}

/// Says something on standard error; there is nowhere to say that it cannot be said.
pub(crate) fn say(text: &str) {
    // In one piece, as the log goes there too.
    let _ = io::stderr().lock().write_all(format!("{}\n", text.trim_end_matches('\n')).as_bytes());
}
