//! The gateway's own log: text or JSON on standard error, with a level that can be changed while it runs. Lines go through
//! a bounded buffer and a thread, as those of the access log do: a reader of standard error that sleeps stalls no worker.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use model::resource::{Log, LogLevel, LogStyle};
use proxy::telemetry::access_log::{Destination, Sink};
use proxy::telemetry::catalog::TARGETS;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

/// How long the last lines may take when the process leaves.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Changes how the log is written.
#[derive(Clone)]
pub struct LevelHandle {
    state: Arc<State>,
}

struct State {
    filter: reload::Handle<Targets, Registry>,
    /// What was asked for, as text.
    level: Mutex<String>,
    json: Arc<AtomicBool>,
    sink: Arc<Sink>,
}

impl Drop for State {
    fn drop(&mut self) {
        self.sink.flush(LAST_LINES);
    }
}

/// Begins to log. A second call in a process changes nothing but what its own handle says.
pub fn install(written: &Log) -> LevelHandle {
    let (filter, handle) = reload::Layer::new(Targets::new());
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let json = Arc::new(AtomicBool::new(false));
    let style = Either {
        text: fmt::format().with_ansi(colours),
        json: fmt::format().json().flatten_event(true),
        is_json: json.clone(),
    };
    let sink = Arc::new(Sink::new(Destination::StandardError, 1, Duration::ZERO));
    let writer = sink.clone();
    let lines = fmt::layer().event_format(style).with_ansi(colours).with_writer(move || Lines(writer.clone()));
    // Where a log is installed already, this one's handle moves nothing.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    let state = State { filter: handle, level: Mutex::default(), json, sink };
    let handle = LevelHandle { state: Arc::new(state) };
    handle.follow(written);
    handle
}

impl LevelHandle {
    /// The level now, as it was asked for.
    pub fn get(&self) -> String {
        self.state.level.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the level: `info`, or with exceptions by target, `info,tollgate::upstream=debug`.
    pub fn set(&self, text: &str) -> Result<()> {
        let filter = parse(text)?;
        self.apply(filter, text);
        tracing::info!(target: "tollgate::log", to = text, "log level changed");
        Ok(())
    }

    /// Does what the configuration says.
    pub fn follow(&self, written: &Log) {
        self.state.json.store(written.format == LogStyle::Json, Relaxed);
        let (level, name) = match written.level {
            LogLevel::Error => (LevelFilter::ERROR, "error"),
            LogLevel::Warn => (LevelFilter::WARN, "warn"),
            LogLevel::Info => (LevelFilter::INFO, "info"),
            LogLevel::Debug => (LevelFilter::DEBUG, "debug"),
            LogLevel::Trace => (LevelFilter::TRACE, "trace"),
        };
        self.apply(filter(level), name);
    }

    fn apply(&self, filter: Targets, text: &str) {
        // Fails only where another log was installed first, and then there is nothing to change.
        let _ = self.state.filter.reload(filter);
        text.clone_into(&mut self.state.level.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Where the lines go, for what is lost of them.
    pub fn sink(&self) -> &Arc<Sink> {
        &self.state.sink
    }
}

/// Everything of ours at this level. Libraries keep to warnings, as their details are seldom what is asked for, until
/// it is everything that is.
fn filter(level: LevelFilter) -> Targets {
    const OURS: &[&str] = &["tollgate", "proxy", "model"];
    // It would tell of each line that is written to a log beside the configuration, and thus of its own for ever.
    const WATCHER: &[&str] = &["notify", "mio"];
    let quiet = level.min(LevelFilter::WARN);
    let theirs = if level == LevelFilter::TRACE { level } else { quiet };
    let targets = Targets::new().with_default(theirs).with_targets(OURS.iter().map(|name| (*name, level)));
    targets.with_targets(WATCHER.iter().map(|name| (*name, quiet)))
}

fn parse(text: &str) -> Result<Targets> {
    let mut parts = text.split(',').map(str::trim);
    let mut targets = filter(level(parts.next().unwrap_or_default())?);
    for part in parts {
        let Some((target, name)) = part.split_once('=') else {
            bail!("`{part}` is not `target=level`; the level of all the others comes first");
        };
        if !TARGETS.iter().any(|known| known.name == target) {
            let known: Vec<_> = TARGETS.iter().map(|known| known.name).collect();
            bail!("`{target}` is not a target; there are {}", known.join(", "));
        }
        targets = targets.with_target(target, level(name)?);
    }
    Ok(targets)
}

fn level(name: &str) -> Result<LevelFilter> {
    Ok(match name {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        other => bail!("`{other}` is not a level; write error, warn, info, debug or trace"),
    })
}

/// Text or JSON, as the configuration says at the moment.
struct Either {
    text: Format,
    json: Format<Json>,
    is_json: Arc<AtomicBool>,
}

impl<S, N> FormatEvent<S, N> for Either
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        if self.is_json.load(Relaxed) {
            self.json.format_event(context, writer, event)
        } else {
            self.text.format_event(context, writer, event)
        }
    }
}

/// A line at a time, as the formatter gives them.
struct Lines(Arc<Sink>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.append_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_are_of_all_or_of_one_target() {
        for (text, target, most) in [
            ("info", "tollgate::run", Level::INFO),
            ("debug", "tollgate::run", Level::DEBUG),
            ("debug", "hyper::proto", Level::WARN),
            ("error", "hyper::proto", Level::ERROR),
            ("trace", "hyper::proto", Level::TRACE),
            ("trace", "notify::inotify", Level::WARN),
            ("warn,tollgate::upstream=debug", "tollgate::upstream", Level::DEBUG),
            ("warn, tollgate::upstream=debug", "tollgate::run", Level::WARN),
        ] {
            let filter = parse(text).unwrap();
            let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
            for level in levels {
                assert_eq!(filter.would_enable(target, &level), level <= most, "{text}: {target} {level}");
            }
        }
        for wrong in ["", "loud", "info,debug", "info,nothing=debug", "info,tollgate::run=loud"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_handle_says_what_was_asked_for() {
        let handle = install(&Log { level: LogLevel::Warn, format: LogStyle::Json });
        assert_eq!(handle.get(), "warn");
        handle.set("debug,tollgate::run=error").unwrap();
        assert_eq!(handle.get(), "debug,tollgate::run=error");
        assert!(handle.set("loud").is_err());
        assert_eq!(handle.get(), "debug,tollgate::run=error");
    }
}
