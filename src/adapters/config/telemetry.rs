//! Configuration of the log and of traces.

use super::Reader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Export of traces by OTLP over HTTP.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// Address of the collector; `/v1/traces` is appended.
    pub otlp: String,
    /// Share of traces that are exported.
    pub share: f64,
}

/// Reads the log level and whether lines are JSON.
pub(super) fn read_log(r: &mut Reader<'_>) -> (LogLevel, bool) {
    r.section("log", |r| {
        let levels = [
            ("info", LogLevel::Info),
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("debug", LogLevel::Debug),
            ("trace", LogLevel::Trace),
        ];
        (r.choice("level", &levels), r.choice("format", &[("json", true), ("text", false)]))
    })
}

/// Reads the traces section; returns `None` if no collector is named.
pub(super) fn read_traces(r: &mut Reader<'_>) -> Option<TracesConfig> {
    r.section("traces", |r| {
        let (otlp, share) = (r.text("otlp").unwrap_or_default(), r.decimal("share", 1.0));
        if !(0.0..=1.0).contains(&share) {
            r.problem("share", "must be between 0 and 1".into());
        }
        if otlp.is_empty() {
            return None;
        }
        if !(otlp.starts_with("http://") || otlp.starts_with("https://")) || otlp.ends_with('/') {
            r.problem(
                "otlp",
                "must begin with http:// or https:// and end without a slash, as \
                http://127.0.0.1:4318 does"
                    .into(),
            );
        }
        Some(TracesConfig { otlp, share })
    })
}
