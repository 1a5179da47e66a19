//! Delivers due events. Endpoints are served concurrently, so that a slow one delays no other.

use std::time::Duration;

use futures_util::future::join_all;

use super::valid_secrets;
use crate::adapters::database::DatabaseError;
use crate::adapters::database::events::{self, Endpoint, EventDelivery};
use crate::adapters::outbound_guard::OutboundGuard;
use crate::adapters::transports::webhook::{self, WebhookError};
use crate::domain::time::Timestamp;
use crate::domain::webhook_state::{FAILING_AFTER, next_attempt};
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind};

/// The number of events delivered before their results are recorded.
const EVENTS_PER_BATCH: u32 = 20;
/// The time after which no further event is delivered in one run.
const MAX_RUN: Duration = Duration::from_secs(30);
/// The lease of an endpoint, in case its daemon dies: longer than a run and one more post.
const ENDPOINT_LEASE: Duration = Duration::from_secs(60);

/// The result of a delivery attempt.
enum DeliveryResult {
    Delivered,
    /// The endpoint refuses this event.
    Refused(String),
    /// The endpoint accepts no events at present.
    Failing(String),
    /// The endpoint is permanently gone (410).
    Gone(String),
}

impl DeliveryResult {
    /// Returns the endpoint's failures in a row after this result.
    fn failures_after(&self, before: u32) -> u32 {
        match self {
            DeliveryResult::Delivered => 0,
            _ => before.saturating_add(1),
        }
    }

    /// Whether the endpoint is left alone for a while after this result. One event that it refuses is
    /// that event's matter; several in a row are the endpoint's.
    fn pauses(&self, failures: u32) -> bool {
        match self {
            DeliveryResult::Delivered => false,
            DeliveryResult::Refused(_) => failures >= FAILING_AFTER,
            DeliveryResult::Failing(_) | DeliveryResult::Gone(_) => true,
        }
    }
}

/// Delivers the events that are due.
pub async fn deliver_due_events(context: &AppContext) -> Result<(), DatabaseError> {
    let endpoints =
        events::due_endpoints(&mut *context.database.read().await?, context.clock.now()).await?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let mut isolation = Isolation::load(context, WorkKind::Webhook).await?;
    let names: Vec<&String> =
        endpoints.iter().filter(|endpoint| !isolation.holds_back(endpoint)).collect();
    let results = join_all(names.iter().map(|name| deliver_to(context, name))).await;
    for (name, result) in names.into_iter().zip(results) {
        isolation.record(name, result).await?;
    }
    Ok(())
}

/// Delivers events to the endpoint of this name, which may have been removed meanwhile.
async fn deliver_to(context: &AppContext, name: &str) -> Result<(), DatabaseError> {
    match events::endpoint(&mut *context.database.read().await?, name).await? {
        Some(endpoint) => deliver_to_endpoint(context, &endpoint).await,
        None => Ok(()),
    }
}

/// Delivers events to one endpoint until none is due or it does not answer. Only one daemon at a
/// time does so, which preserves the order.
async fn deliver_to_endpoint(
    context: &AppContext,
    endpoint: &Endpoint,
) -> Result<(), DatabaseError> {
    let guard = OutboundGuard::new(&context.config.webhook_networks);
    let client = webhook::guarded_client(&endpoint.url, &guard);
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    if !events::lease(&mut tx, endpoint.id, now, now + ENDPOINT_LEASE).await? {
        return Ok(());
    }
    tx.commit().await?;
    let mut failures = endpoint.failures;
    loop {
        let began = context.clock.now();
        let due =
            events::due(&mut *context.database.read().await?, endpoint.id, EVENTS_PER_BATCH, began)
                .await?;
        let mut results = Vec::with_capacity(due.len());
        for delivery in &due {
            if context.clock.now().since(began) >= MAX_RUN {
                break;
            }
            let result = match &client {
                Ok(client) => post(context, client, endpoint, delivery).await,
                Err(error) => DeliveryResult::Failing(error.to_string()),
            };
            let before = failures;
            failures = result.failures_after(failures);
            let is_last = result.pauses(failures);
            results.push((before, result));
            if is_last {
                break;
            }
        }
        let now = context.clock.now();
        let mut tx = context.database.write().await?;
        let is_failing = record_results(&mut tx, endpoint, due.iter().zip(&results), now).await?;
        let is_done = is_failing || due.is_empty();
        events::extend_lease(
            &mut tx,
            endpoint.id,
            if is_done { now } else { now + ENDPOINT_LEASE },
        )
        .await?;
        tx.commit().await?;
        if is_done {
            return Ok(());
        }
    }
}

#[tracing::instrument(name = "deliver event", level = "debug", skip_all, fields(otel.kind = "client", webhook = endpoint.name, event = delivery.kind))]
async fn post(
    context: &AppContext,
    client: &reqwest::Client,
    endpoint: &Endpoint,
    delivery: &EventDelivery,
) -> DeliveryResult {
    // The id is the same on every attempt, and unique to this event of the installation.
    let id = format!("event-{}-{}", delivery.created_at.0, delivery.id);
    let secrets = valid_secrets(context, endpoint);
    match webhook::post_with(
        client,
        &endpoint.url,
        &secrets,
        &id,
        &delivery.body,
        context.clock.now(),
    )
    .await
    {
        Ok(()) => DeliveryResult::Delivered,
        Err(error @ WebhookError::Gone) => DeliveryResult::Gone(error.to_string()),
        // 408 and 429 ask for a later retry, which applies to every event.
        Err(error @ WebhookError::Refused(status))
            if status < 500 && status != 408 && status != 429 =>
        {
            DeliveryResult::Refused(error.to_string())
        }
        Err(error) => DeliveryResult::Failing(error.to_string()),
    }
}

/// Records the results, each with the endpoint's failures in a row before it. Returns `true` if the
/// endpoint is to be left alone for now.
async fn record_results(
    tx: &mut crate::adapters::database::WriteTx,
    endpoint: &Endpoint,
    results: impl Iterator<Item = (&EventDelivery, &(u32, DeliveryResult))>,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let mut is_failing = false;
    for (delivery, (before, result)) in results {
        let failures = result.failures_after(*before);
        let (problem, pause) = match result {
            DeliveryResult::Delivered => {
                events::set_arrived(tx, delivery.id, now).await?;
                events::mark_healthy(tx, endpoint.id).await?;
                continue;
            }
            DeliveryResult::Refused(problem) if !result.pauses(failures) => {
                tracing::warn!(
                    endpoint = endpoint.name,
                    event = delivery.kind,
                    error = problem,
                    "an event was refused"
                );
                (problem, now)
            }
            // The first refusals passed without a pause.
            DeliveryResult::Refused(problem) => {
                tracing::warn!(
                    endpoint = endpoint.name,
                    failures,
                    error = problem,
                    "an endpoint refuses one event after the other"
                );
                (problem, now + next_attempt(failures - (FAILING_AFTER - 1)))
            }
            DeliveryResult::Failing(problem) => {
                tracing::warn!(
                    endpoint = endpoint.name,
                    failures,
                    error = problem,
                    "an endpoint takes no events"
                );
                (problem, now + next_attempt(failures))
            }
            DeliveryResult::Gone(problem) => {
                tracing::error!(
                    endpoint = endpoint.name,
                    "an endpoint is gone for good; remove it, or set it up again"
                );
                (problem, events::NEVER_AGAIN)
            }
        };
        let next = now + next_attempt(delivery.attempt_count.saturating_add(1));
        events::set_failed(tx, delivery.id, next, problem).await?;
        events::mark_failing(tx, endpoint.id, pause, problem, now).await?;
        is_failing |= result.pauses(failures);
    }
    Ok(is_failing)
}
