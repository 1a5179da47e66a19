//! `/metrics`: figures for Prometheus in the OpenMetrics text format. Requires a token with the
//! scope `read`; contains no personal data.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Failure;
use super::state::AppState;
use crate::services::monitoring::health::{HealthMetrics, collect_health_metrics};

const OPENMETRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Lifetime of the cached figures. Counting messages reads all of them, so it is done at most this
/// often.
const CACHE_TIME: Duration = Duration::from_secs(10);

/// The latest figures, encoded.
#[derive(Default)]
pub struct MetricsCache(Mutex<Option<(Instant, String)>>);

type FloatGauge = Gauge<f64, AtomicU64>;
pub type Labels = Vec<(String, String)>;

/// A counter since the start, with labels.
pub type LabelledCounter = Family<Labels, Counter>;

/// Registers gauges by name.
struct FieldworkRegistry(Registry);

impl FieldworkRegistry {
    fn add_gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge = FloatGauge::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn add_labelled_gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (String, f64)>,
    ) {
        let family = Family::<Labels, FloatGauge>::default();
        for (label_value, value) in values {
            family.get_or_create(&vec![(label.to_owned(), label_value)]).set(value);
        }
        self.0.register(name, help, family);
    }
}

fn encode_metrics(
    health: &HealthMetrics,
    unreadable_entries: &LabelledCounter,
) -> Result<String, std::fmt::Error> {
    let mut registry = FieldworkRegistry(Registry::with_prefix("fieldworkd"));
    let due = || health.due.iter();
    registry.add_labelled_gauges(
        "due_invitations",
        "Invitations whose next contact is due",
        "campaign",
        due().map(|(code, due, _)| (code.clone(), *due as f64)),
    );
    registry.add_labelled_gauges(
        "dispatch_lag_seconds",
        "Age of the oldest due invitation",
        "campaign",
        due().map(|(code, _, lag)| (code.clone(), *lag)),
    );
    let messages = Family::<Labels, FloatGauge>::default();
    for (gateway, state, count) in &health.messages {
        messages
            .get_or_create(&vec![
                ("gateway".to_owned(), gateway.clone()),
                ("state".to_owned(), state.clone()),
            ])
            .set(*count as f64);
    }
    registry.0.register("messages", "Messages by gateway and state", messages);
    let gateways = || health.gateways.iter();
    registry.add_labelled_gauges(
        "gateway_rate_utilisation_ratio",
        "Share of the gateway's rate that the last minute used",
        "gateway",
        gateways().map(|(name, used, ..)| (name.clone(), *used)),
    );
    registry.add_labelled_gauges(
        "gateway_throttle_ratio",
        "Share of its rate to which a gateway is throttled",
        "gateway",
        gateways().map(|(name, _, pace, _)| (name.clone(), *pace)),
    );
    registry.add_labelled_gauges(
        "gateway_pause_remaining_seconds",
        "Time until a paused gateway is used again",
        "gateway",
        gateways().map(|(name, .., held)| (name.clone(), *held)),
    );
    registry.add_gauge("messages_in_doubt", "Messages in doubt", health.in_doubt as f64);
    registry.add_gauge("unhandled_replies", "Replies that need a person", health.replies as f64);
    registry.add_gauge(
        "overdue_replies",
        "Replies that nobody has read for longer than they hold up a message",
        health.overdue_replies as f64,
    );
    registry.0.register(
        "push_entries_unreadable",
        "Entries of gateways' pushes that could not be read",
        unreadable_entries.clone(),
    );
    registry.add_gauge("due_calls", "People who may be called now", health.calls_due as f64);
    registry.add_gauge(
        "undelivered_datasets",
        "Versions that were rejected or did not arrive",
        health.delivery_problems as f64,
    );
    registry.add_labelled_gauges(
        "stuck_work",
        "Work that fails again and again, by kind",
        "kind",
        health.stuck.iter().map(|(kind, count)| (kind.clone(), *count as f64)),
    );
    registry.add_labelled_gauges(
        "webhook_failing",
        "Whether a webhook is failing or disabled",
        "webhook",
        health.webhooks.iter().map(|(name, fails)| (name.clone(), f64::from(u8::from(*fails)))),
    );
    registry.add_labelled_gauges(
        "responses_to_review",
        "Responses that came from one device or network, and about which nothing is decided",
        "application",
        health.to_be_reviewed.iter().map(|(code, count)| (code.clone(), *count as f64)),
    );
    registry.add_gauge(
        "interviews_completed_last_day",
        "Interviews completed in the last 24 hours",
        health.interviews as f64,
    );
    registry.add_gauge(
        "interview_duration_median_seconds",
        "Median duration of these interviews",
        health.interview_seconds.unwrap_or(f64::NAN),
    );
    registry.add_labelled_gauges(
        "target_chance_ratio",
        "The chance that an application reaches its target",
        "application",
        health.chances.iter().cloned(),
    );
    registry.add_gauge(
        "database_up",
        "The database answers",
        f64::from(u8::from(health.readiness.database.is_none())),
    );
    registry.add_gauge(
        "database_query_duration_seconds",
        "Duration of the queries behind these metrics",
        health.database_seconds,
    );
    let free_gauge = FloatGauge::default();
    free_gauge.set(health.readiness.disk_free_bytes as f64);
    registry.0.register_with_unit(
        "disk_free",
        "Free where datasets are written",
        Unit::Bytes,
        free_gauge,
    );
    registry.add_gauge(
        "clock_skew_seconds",
        "Difference between the clock and the database's",
        health.readiness.clock_offset_ms as f64 / 1_000.0,
    );
    let mut text = String::new();
    encode(&mut text, &registry.0)?;
    Ok(text)
}

pub async fn metrics(State(app): State<Arc<AppState>>) -> Result<Response, Failure> {
    let mut latest = app.metrics_cache.0.lock().await;
    let now = Instant::now();
    let text = match latest.as_ref().filter(|(at, _)| now < *at + CACHE_TIME) {
        Some((_, text)) => text.clone(),
        None => {
            let health = collect_health_metrics(&app.context).await?;
            let text = encode_metrics(&health, &app.unreadable_entries)
                .map_err(|error| Failure::Internal(error.to_string()))?;
            *latest = Some((now, text.clone()));
            text
        }
    };
    Ok(([(header::CONTENT_TYPE, OPENMETRICS_TYPE)], text).into_response())
}
