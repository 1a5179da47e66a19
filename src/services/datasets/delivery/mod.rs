//! The delivery of dataset versions to the scoring step, and the verdicts that it returns.
//!
//! Each version is delivered through every configured channel until it arrives. The deliveries are
//! planned in the transaction that records the version as written, so a crash loses none. A
//! delivery may be attempted again after it has arrived: folders are written atomically, a bucket
//! gets the same objects, and an announcement has the same id on every attempt, so the receiver
//! recognizes a repetition. A version has one verdict: repeating it changes nothing, and a
//! different one is refused (invariant I6).

mod bucket;
mod folder;
mod webhook;

use std::path::PathBuf;

use super::DatasetError;
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::deliveries::{self, Delivery, DeliveryChannel, Verdict};
use crate::adapters::database::{DatabaseError, WriteTx};
use crate::domain::retry_delay::retry_delay;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind};

/// The reason why a delivery attempt failed.
pub(super) enum DeliveryFailure {
    Retry(String),
    Abandoned(String),
}

/// Returns the configured channels.
fn configured_channels(context: &AppContext) -> Vec<DeliveryChannel> {
    let config = &context.config.delivery;
    let all = [
        (DeliveryChannel::Folder, config.folder.is_some()),
        (DeliveryChannel::S3, config.s3.is_some()),
        (DeliveryChannel::Webhook, config.webhook.is_some()),
    ];
    all.into_iter().filter(|(_, is_set)| *is_set).map(|(channel, _)| channel).collect()
}

/// Plans a version's deliveries in the transaction that records the version as written.
pub(super) async fn plan_deliveries(
    context: &AppContext,
    tx: &mut WriteTx,
    dataset: &Dataset,
) -> Result<(), DatabaseError> {
    for channel in configured_channels(context) {
        deliveries::schedule(tx, dataset.id, channel, context.clock.now()).await?;
    }
    Ok(())
}

/// Runs the deliveries that are due. Returns the number that arrived.
pub async fn deliver_due(context: &AppContext) -> Result<u64, DatasetError> {
    let mut arrived = 0;
    loop {
        let now = context.clock.now();
        if deliveries::next_due(&mut *context.database.read().await?)
            .await?
            .is_none_or(|next| next > now)
        {
            return Ok(arrived);
        }
        let mut tx = context.database.write().await?;
        let retry_at = now + retry_delay(1).unwrap_or_default();
        let Some(delivery) = deliveries::take_due(&mut tx, now, retry_at).await? else {
            return Ok(arrived);
        };
        tx.commit().await?;
        let mut isolation = Isolation::load(context, WorkKind::DeliverDataset).await?;
        let item = delivery.id.to_string();
        if !isolation.holds_back(&item) {
            let result = deliver(context, &delivery, now).await;
            arrived += u64::from(isolation.record(&item, result).await? == Some(true));
        }
    }
}

/// Returns whether it has arrived.
async fn deliver(
    context: &AppContext,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<bool, DatasetError> {
    let dataset = datasets::get(&mut *context.database.read().await?, delivery.dataset).await?;
    let result = send(context, &dataset, delivery.channel, now).await;
    let mut tx = context.database.write().await?;
    let has_arrived = result.is_ok();
    match result {
        Ok(()) => {
            deliveries::set_arrived(&mut tx, delivery.id, context.clock.now()).await?;
            tracing::info!(
                application = dataset.application_code,
                version = dataset.version,
                channel = delivery.channel.as_str(),
                "a dataset has arrived"
            );
        }
        Err(failed) => set_failed(&mut tx, delivery, failed, now).await?,
    }
    tx.commit().await?;
    Ok(has_arrived)
}

async fn set_failed(
    tx: &mut WriteTx,
    delivery: &Delivery,
    failed: DeliveryFailure,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let attempt_count = delivery.attempt_count + 1;
    let (next, problem) = match failed {
        DeliveryFailure::Retry(problem) => {
            (retry_delay(attempt_count).map(|wait| now + wait), problem)
        }
        DeliveryFailure::Abandoned(problem) => (None, problem),
    };
    let (application, channel) = (&delivery.application_code, delivery.channel.as_str());
    match next {
        Some(_) => tracing::warn!(
            application,
            channel,
            attempt_count,
            error = problem,
            "a dataset did not arrive; it is tried again"
        ),
        None => tracing::error!(
            application,
            channel,
            attempt_count,
            error = problem,
            "dataset delivery failed; «dataset deliver» tries once more"
        ),
    }
    deliveries::set_failed(tx, delivery.id, next, &problem).await
}

#[tracing::instrument(name = "deliver dataset", level = "debug", skip_all, fields(application = dataset.application_code, channel = channel.as_str()))]
async fn send(
    context: &AppContext,
    dataset: &Dataset,
    channel: DeliveryChannel,
    now: Timestamp,
) -> Result<(), DeliveryFailure> {
    let config = &context.config.delivery;
    let not_configured = || DeliveryFailure::Abandoned("this way is not set up any more".into());
    let written = dataset
        .folder
        .as_ref()
        .map(PathBuf::from)
        .ok_or_else(|| DeliveryFailure::Retry("it is not written yet".into()))?;
    if !written.exists() {
        return Err(DeliveryFailure::Abandoned(
            "its files are gone, with the people of the \
            applicant; «dataset export» writes what may still be told"
                .into(),
        ));
    }
    match channel {
        DeliveryChannel::Folder => {
            folder::copy(&written, &config.folder.clone().ok_or_else(not_configured)?, dataset)
                .await
        }
        DeliveryChannel::S3 => {
            bucket::put(&written, config.s3.as_ref().ok_or_else(not_configured)?, dataset).await
        }
        DeliveryChannel::Webhook => {
            webhook::announce(
                context,
                config.webhook.as_ref().ok_or_else(not_configured)?,
                dataset,
                now,
            )
            .await
        }
    }
}

/// Delivers a version again through every configured channel.
pub async fn deliver_again(context: &AppContext, dataset: &Dataset) -> Result<(), DatasetError> {
    let mut tx = context.database.write().await?;
    plan_deliveries(context, &mut tx, dataset).await?;
    if deliveries::schedule_again(&mut tx, dataset.id, context.clock.now()).await? == 0 {
        return Err(DatasetError::NoDeliveryChannel);
    }
    tx.commit().await?;
    Ok(())
}

/// Records the scoring step's verdict on a version: accepted, or rejected with a reason. `sha256`
/// is the hash of the `SHA256SUMS` that it received, which must be this version's.
pub async fn record_verdict(
    context: &AppContext,
    dataset: &Dataset,
    sha256: &str,
    verdict: &Verdict,
) -> Result<(), DatasetError> {
    let version =
        || format!("{} {} {}", dataset.application_code, dataset.kind.as_str(), dataset.version);
    if dataset.sha256.as_deref() != Some(sha256) {
        return Err(DatasetError::HashMismatch {
            version: version(),
            sha256: dataset.sha256.clone().unwrap_or_default(),
        });
    }
    if !verdict.is_accepted && verdict.reason.trim().is_empty() {
        return Err(DatasetError::NoReason);
    }
    let mut tx = context.database.write().await?;
    if !deliveries::record_verdict(&mut tx, dataset, verdict).await? {
        let before = deliveries::verdict(&mut tx, dataset.id).await?;
        // A repeated verdict changes nothing.
        if before.is_some_and(|before| before.is_accepted == verdict.is_accepted) {
            return Ok(());
        }
        return Err(DatasetError::VerdictExists(version()));
    }
    tx.commit().await?;
    if verdict.is_accepted {
        tracing::info!(
            application = dataset.application_code,
            version = dataset.version,
            "the scoring step has taken the dataset"
        );
    } else {
        tracing::error!(
            application = dataset.application_code,
            version = dataset.version,
            reason = verdict.reason,
            "the scoring step rejects the dataset"
        );
    }
    Ok(())
}
