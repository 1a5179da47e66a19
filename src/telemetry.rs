//! The log: structured lines about what the program does, never about whom.
//!
//! Only this program's own lines follow the configured level. Libraries are held at warnings whatever the level: at «trace» an HTTP client logs
//! addresses, and some gateways want numbers in theirs (invariant I7).

use std::io;
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::config::{Config, LogLevel};

/// Begins to log to standard error, or to a file. A second call changes nothing.
pub fn start(config: &Config, file: Option<&Path>) -> io::Result<()> {
    let level = match config.log_level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let writer = match file {
        None => BoxMakeWriter::new(io::stderr),
        Some(path) => BoxMakeWriter::new(std::sync::Mutex::new(std::fs::OpenOptions::new().create(true).append(true).open(path)?)),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(format!("warn,fieldworkd={level}"))).with_writer(writer).with_ansi(false);
    // An error says that a log is there already.
    let _ = if config.log_json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
    Ok(())
}
