//! Tells what is due: every endpoint beside the others, so that a slow one holds nobody up.

use std::time::Duration;

use futures_util::future::join_all;

use super::secret_of;
use crate::domain::retries::wait_after;
use crate::domain::time::Timestamp;
use crate::installation::Installation;
use crate::sink::webhook::{self, WebhookError};
use crate::store::StoreError;
use crate::store::events::{self, Endpoint, EventDelivery};

/// Taken at a time, for one endpoint.
const AT_A_TIME: u32 = 20;
/// What a daemon that died had taken is due again after so long; longer than that many posts may take.
const LEASE: Duration = Duration::from_secs(600);

/// What a try came to.
enum Tried {
    Arrived,
    /// It does not take this one.
    Refused(String),
    /// It takes nothing, now.
    Failing(String),
    /// It says that it is gone for good (410).
    Gone(String),
    /// Not tried, because the endpoint is failing.
    Left,
}

/// Tells what is due.
pub async fn due(installation: &Installation) -> Result<(), StoreError> {
    let now = installation.clock.now();
    if events::next_due(&mut *installation.store.read().await?).await?.is_none_or(|next| next > now) {
        return Ok(());
    }
    let endpoints = events::due_endpoints(&mut *installation.store.read().await?, now).await?;
    let told = join_all(endpoints.iter().map(|endpoint| tell(installation, endpoint))).await;
    told.into_iter().collect()
}

/// Tells one endpoint, until nothing is due to it or it does not answer.
async fn tell(installation: &Installation, endpoint: &Endpoint) -> Result<(), StoreError> {
    let client = match webhook::client() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(endpoint = endpoint.name, %error, "events cannot be told");
            return Ok(());
        }
    };
    loop {
        let now = installation.clock.now();
        let mut tx = installation.store.write().await?;
        let taken = events::take_due(&mut tx, endpoint.id, AT_A_TIME, now, now + LEASE).await?;
        tx.commit().await?;
        if taken.is_empty() {
            return Ok(());
        }
        let mut tried = Vec::with_capacity(taken.len());
        for delivery in &taken {
            let stopped = tried.iter().any(|tried| matches!(tried, Tried::Failing(_) | Tried::Gone(_)));
            tried.push(if stopped { Tried::Left } else { post(installation, &client, endpoint, delivery).await });
        }
        let mut tx = installation.store.write().await?;
        let is_failing = settle(&mut tx, endpoint, taken.iter().zip(&tried), installation.clock.now()).await?;
        tx.commit().await?;
        if is_failing {
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
    tx: &mut crate::store::WriteTx,
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
                events::set_failing(tx, endpoint.id, Timestamp(i64::MAX), problem, now).await?;
                is_failing = true;
            }
            Tried::Left => events::put_back(tx, delivery.id, now).await?,
        }
    }
    Ok(is_failing)
}
