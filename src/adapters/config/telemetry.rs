//! What is logged, and where traces go.

use super::Reader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Where traces are told, by OTLP over HTTP.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// The collector's address; `/v1/traces` is added.
    pub otlp: String,
    /// Of all traces, so many are told.
    pub share: f64,
}

/// The level, and whether lines are JSON.
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

/// `None`: no collector is named.
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
