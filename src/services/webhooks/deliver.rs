//! Tells what is due: every endpoint beside the others, so that a slow one holds nobody up.

use std::time::Duration;

use futures_util::future::join_all;

use super::endpoint_secret;
use crate::adapters::database::DatabaseError;
use crate::adapters::database::events::{self, Endpoint, EventDelivery};
use crate::adapters::transports::webhook::{self, WebhookError};
use crate::domain::retry_delay::retry_delay;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// Told at a time, before it is written down what came of it.
const EVENTS_PER_BATCH: u32 = 20;
/// No further one is told after so long.
const MAX_RUN: Duration = Duration::from_secs(30);
/// An endpoint is a daemon's for so long, should that die: longer than a stretch and one more post.
const ENDPOINT_LEASE: Duration = Duration::from_secs(60);

/// What a try came to.
enum DeliveryResult {
    Delivered,
    /// It does not take this one.
    Refused(String),
    /// It takes nothing, now.
    Failing(String),
    /// It says that it is gone for good (410).
    Gone(String),
}

/// Tells what is due.
pub async fn deliver_due_events(context: &AppContext) -> Result<(), DatabaseError> {
    let endpoints =
        events::due_endpoints(&mut *context.database.read().await?, context.clock.now()).await?;
    let results_by_endpoint =
        join_all(endpoints.iter().map(|endpoint| deliver_to_endpoint(context, endpoint))).await;
    results_by_endpoint.into_iter().collect()
}

/// Tells one endpoint, until nothing is due to it or it does not answer; one daemon at a time, so
/// that it hears of everything in order.
async fn deliver_to_endpoint(
    context: &AppContext,
    endpoint: &Endpoint,
) -> Result<(), DatabaseError> {
    let client = match webhook::client() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(endpoint = endpoint.name, %error, "events cannot be told");
            return Ok(());
        }
    };
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    if !events::lease(&mut tx, endpoint.id, now, now + ENDPOINT_LEASE).await? {
        return Ok(());
    }
    tx.commit().await?;
    loop {
        let began = context.clock.now();
        let due =
            events::due(&mut *context.database.read().await?, endpoint.id, EVENTS_PER_BATCH, began)
                .await?;
        let mut results = Vec::with_capacity(due.len());
        for delivery in &due {
            let is_enough = context.clock.now().since(began) >= MAX_RUN;
            if is_enough
                || results.iter().any(|result| {
                    matches!(result, DeliveryResult::Failing(_) | DeliveryResult::Gone(_))
                })
            {
                break;
            }
            results.push(post(context, &client, endpoint, delivery).await);
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

#[tracing::instrument(name = "tell event", level = "debug", skip_all, fields(otel.kind = "client", webhook = endpoint.name, event = delivery.kind))]
async fn post(
    context: &AppContext,
    client: &reqwest::Client,
    endpoint: &Endpoint,
    delivery: &EventDelivery,
) -> DeliveryResult {
    // The same on every try, of this installation's event alone.
    let id = format!("event-{}-{}", delivery.created_at.0, delivery.id);
    let secret = endpoint_secret(context, endpoint);
    match webhook::post_with(
        client,
        &endpoint.url,
        &secret,
        &id,
        &delivery.body,
        context.clock.now(),
    )
    .await
    {
        Ok(()) => DeliveryResult::Delivered,
        Err(error @ WebhookError::Gone) => DeliveryResult::Gone(error.to_string()),
        // 408 and 429 say that it is to come later, which is true of whatever comes.
        Err(error @ WebhookError::Refused(status))
            if status < 500 && status != 408 && status != 429 =>
        {
            DeliveryResult::Refused(error.to_string())
        }
        Err(error) => DeliveryResult::Failing(error.to_string()),
    }
}

/// Writes down what came of it; true: the endpoint is left alone for now.
async fn record_results(
    tx: &mut crate::adapters::database::WriteTx,
    endpoint: &Endpoint,
    results: impl Iterator<Item = (&EventDelivery, &DeliveryResult)>,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let mut is_failing = false;
    for (delivery, result) in results {
        let next = retry_delay(delivery.attempt_count + 1).map(|wait| now + wait);
        match result {
            DeliveryResult::Delivered => {
                events::set_arrived(tx, delivery.id, now).await?;
                events::mark_healthy(tx, endpoint.id).await?;
            }
            DeliveryResult::Refused(problem) => {
                tracing::warn!(
                    endpoint = endpoint.name,
                    event = delivery.kind,
                    problem,
                    "an event was refused"
                );
                events::set_failed(tx, delivery.id, next, problem).await?;
            }
            DeliveryResult::Failing(problem) => {
                tracing::warn!(endpoint = endpoint.name, problem, "an endpoint takes no events");
                events::set_failed(tx, delivery.id, next, problem).await?;
                // However long it fails, it is asked again: at the longest wait that there is.
                let wait = (1..=endpoint.failures + 1)
                    .map_while(retry_delay)
                    .last()
                    .unwrap_or(ENDPOINT_LEASE);
                events::mark_failing(tx, endpoint.id, now + wait, problem, now).await?;
                is_failing = true;
            }
            DeliveryResult::Gone(problem) => {
                tracing::error!(
                    endpoint = endpoint.name,
                    "an endpoint is gone for good; take it away, or set it up again"
                );
                events::set_failed(tx, delivery.id, None, problem).await?;
                events::mark_failing(tx, endpoint.id, events::NEVER_AGAIN, problem, now).await?;
                is_failing = true;
            }
        }
    }
    Ok(is_failing)
}
