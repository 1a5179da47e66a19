//! Tells what is due: every endpoint beside the others, so that a slow one holds nobody up.

use std::time::Duration;

use futures_util::future::join_all;

use super::secret_of;
use crate::domain::retries::wait_after;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::transports::webhook::{self, WebhookError};
use crate::adapters::database::StoreError;
use crate::adapters::database::events::{self, Endpoint, EventDelivery};

/// Told at a time, before it is written down what came of it.
const AT_A_TIME: u32 = 20;
/// No further one is told after so long.
const AT_A_STRETCH: Duration = Duration::from_secs(30);
/// An endpoint is a daemon's for so long, should that die: longer than a stretch and one more post.
const LEASE: Duration = Duration::from_secs(60);

/// What a try came to.
enum Tried {
    Arrived,
    /// It does not take this one.
    Refused(String),
    /// It takes nothing, now.
    Failing(String),
    /// It says that it is gone for good (410).
    Gone(String),
}

/// Tells what is due.
pub async fn due(installation: &Installation) -> Result<(), StoreError> {
    let endpoints = events::due_endpoints(&mut *installation.store.read().await?, installation.clock.now()).await?;
    let told = join_all(endpoints.iter().map(|endpoint| tell(installation, endpoint))).await;
    told.into_iter().collect()
}

/// Tells one endpoint, until nothing is due to it or it does not answer; one daemon at a time, so that it hears of everything in order.
async fn tell(installation: &Installation, endpoint: &Endpoint) -> Result<(), StoreError> {
    let client = match webhook::client() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(endpoint = endpoint.name, %error, "events cannot be told");
            return Ok(());
        }
    };
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    if !events::lease(&mut tx, endpoint.id, now, now + LEASE).await? {
        return Ok(());
    }
    tx.commit().await?;
    loop {
        let began = installation.clock.now();
        let due = events::due(&mut *installation.store.read().await?, endpoint.id, AT_A_TIME, began).await?;
        let mut tried = Vec::with_capacity(due.len());
        for delivery in &due {
            let is_enough = installation.clock.now().since(began) >= AT_A_STRETCH;
            if is_enough || tried.iter().any(|tried| matches!(tried, Tried::Failing(_) | Tried::Gone(_))) {
                break;
            }
            tried.push(post(installation, &client, endpoint, delivery).await);
        }
        let now = installation.clock.now();
        let mut tx = installation.store.write().await?;
        let is_failing = settle(&mut tx, endpoint, due.iter().zip(&tried), now).await?;
        let is_done = is_failing || due.is_empty();
        events::prolong(&mut tx, endpoint.id, if is_done { now } else { now + LEASE }).await?;
        tx.commit().await?;
        if is_done {
            return Ok(());
        }
    }
}

#[tracing::instrument(name = "tell event", level = "debug", skip_all, fields(otel.kind = "client", webhook = endpoint.name, event = delivery.kind))]
async fn post(installation: &Installation, client: &reqwest::Client, endpoint: &Endpoint, delivery: &EventDelivery) -> Tried {
    // The same on every try, of this installation's event alone.
    let id = format!("event-{}-{}", delivery.created_at.0, delivery.id);
    let secret = secret_of(installation, endpoint);
    match webhook::post_with(client, &endpoint.url, &secret, &id, &delivery.body, installation.clock.now()).await {
        Ok(()) => Tried::Arrived,
        Err(error @ WebhookError::Gone) => Tried::Gone(error.to_string()),
        // 408 and 429 say that it is to come later, which is true of whatever comes.
        Err(error @ WebhookError::Refused(status)) if status < 500 && status != 408 && status != 429 => Tried::Refused(error.to_string()),
        Err(error) => Tried::Failing(error.to_string()),
    }
}

/// Writes down what came of it; true: the endpoint is left alone for now.
async fn settle(
    tx: &mut crate::adapters::database::WriteTx,
    endpoint: &Endpoint,
    tried: impl Iterator<Item = (&EventDelivery, &Tried)>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut is_failing = false;
    for (delivery, tried) in tried {
        let next = wait_after(delivery.tries + 1).map(|wait| now + wait);
        match tried {
            Tried::Arrived => {
                events::set_arrived(tx, delivery.id, now).await?;
                events::set_well(tx, endpoint.id).await?;
            }
            Tried::Refused(problem) => {
                tracing::warn!(endpoint = endpoint.name, event = delivery.kind, problem, "an event was refused");
                events::set_failed(tx, delivery.id, next, problem).await?;
            }
            Tried::Failing(problem) => {
                tracing::warn!(endpoint = endpoint.name, problem, "an endpoint takes no events");
                events::set_failed(tx, delivery.id, next, problem).await?;
                // However long it fails, it is asked again: at the longest wait that there is.
                let wait = (1..=endpoint.failures + 1).map_while(wait_after).last().unwrap_or(LEASE);
                events::set_failing(tx, endpoint.id, now + wait, problem, now).await?;
                is_failing = true;
            }
            Tried::Gone(problem) => {
                tracing::error!(endpoint = endpoint.name, "an endpoint is gone for good; take it away, or set it up again");
                events::set_failed(tx, delivery.id, None, problem).await?;
                events::set_failing(tx, endpoint.id, events::FOR_GOOD, problem, now).await?;
                is_failing = true;
            }
        }
    }
    Ok(is_failing)
}
