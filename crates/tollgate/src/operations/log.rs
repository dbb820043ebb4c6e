//! The gateway's own log: text or JSON on standard error, with a level that can be changed while it runs.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};
use model::resource::{Log, LogLevel, LogStyle};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

/// Changes the level.
#[derive(Clone)]
pub struct LevelHandle {
    handle: reload::Handle<LevelFilter, Registry>,
    now: Arc<Mutex<LevelFilter>>,
}

/// Begins to log. A second call in a process changes nothing but what its own handle says.
pub fn install(written: &Log) -> LevelHandle {
    let level = filter(written.level);
    let (layer, handle) = reload::Layer::new(level);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let base = tracing_subscriber::registry().with(layer);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let installed = match written.format {
        LogStyle::Text => base.with(lines.with_ansi(colours)).try_init(),
        LogStyle::Json => base.with(lines.json().flatten_event(true)).try_init(),
    };
    if installed.is_err() {
        tracing::debug!(target: "tollgate::log", "a log is installed already");
    }
    LevelHandle { handle, now: Arc::new(Mutex::new(level)) }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

impl LevelHandle {
    /// The level now.
    pub fn get(&self) -> String {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).to_string()
    }

    /// Sets the level by its name.
    pub fn set(&self, name: &str) -> Result<()> {
        let level = match name {
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            other => return Err(anyhow!("`{other}` is not a level; write error, warn, info, debug or trace")),
        };
        self.handle.modify(|now| *now = level)?;
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = level;
        tracing::info!(target: "tollgate::log", %level, "log level changed");
        Ok(())
    }
}
