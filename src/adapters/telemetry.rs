//! The log, as structured lines without personal data, and, if a collector is configured, traces by
//! OTLP (<https://opentelemetry.io/docs/specs/otlp/>, over HTTP).
//!
//! The configured level applies to this program's own lines, and only its own spans are exported.
//! Libraries log warnings at most: at «trace» an HTTP client logs addresses, and some gateways
//! expect numbers in theirs (invariant I7).

use std::io;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::adapters::config::{Config, LogLevel, TracesConfig};

/// Timeout for sending a batch to the collector; a batch that exceeds it is dropped, so that traces
/// do not block anything.
const COLLECTOR_TIME_OUT: Duration = Duration::from_secs(10);

/// The trace exporter; empty without a configured collector.
#[must_use = "its end tells the last traces"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Exports the remaining traces and shuts down.
    pub async fn end(self) {
        let Some(traces) = self.traces else { return };
        // The shutdown waits for the collector's response, which this runtime receives.
        let shutdown =
            tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(COLLECTOR_TIME_OUT))
                .await;
        if !matches!(shutdown, Ok(Ok(()))) {
            tracing::warn!("the collector did not take the last traces");
        }
    }
}

/// Starts logging to standard error or to a file, and starts the export of traces. A second call
/// has no effect. With a configured collector it must be called inside a runtime.
pub fn start(config: &Config, file: Option<&Path>) -> io::Result<Telemetry> {
    let level = match config.log_level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let writer = match file {
        None => BoxMakeWriter::new(io::stderr),
        Some(path) => BoxMakeWriter::new(std::sync::Mutex::new(
            std::fs::OpenOptions::new().create(true).append(true).open(path)?,
        )),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = if config.log_json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        lines.boxed()
    };
    let lines = lines.with_filter(EnvFilter::new(format!("warn,fieldworkd={level}")));
    let traces = config.traces.as_ref().map(provider).transpose()?;
    let spans = traces.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("fieldworkd"))
            .with_location(false)
            .with_threads(false);
        layer.with_filter(Targets::new().with_target("fieldworkd", LevelFilter::DEBUG))
    });
    // An error means that a log is already installed.
    let _ = tracing_subscriber::registry().with(lines).with(spans).try_init();
    Ok(Telemetry { traces })
}

fn provider(config: &TracesConfig) -> io::Result<SdkTracerProvider> {
    let client = crate::adapters::http_client::new(COLLECTOR_TIME_OUT).map_err(io::Error::other)?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", config.otlp))
        .with_http_client(Collector { client, runtime: Handle::current() })
        .build()
        .map_err(io::Error::other)?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.share))))
        .with_resource(
            Resource::builder().with_service_name("fieldworkd").with_attribute(version).build(),
        )
        .build())
}

/// An HTTP client for the exporter. Batches are exported from a separate thread on which the client
/// cannot wait; it waits on the runtime.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}
