//! Submits claimed messages, each at its slot, so many at a time as the gateway's configuration allows.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::DispatchError;
use super::claim::{Batch, ClaimedMessage};
use super::pace::Pacers;
use super::settle::{Answered, Ending, settle};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::time::Timestamp;
use crate::gateway::{Gateway, Outcome};
use crate::installation::Installation;
use crate::store::campaigns::Campaign;
use crate::store::invitations;

/// Outcomes are written in sets of about so many.
const SETTLE_SET: usize = 100;

/// Sends a batch and writes what came of it; returns how many messages were submitted.
pub async fn submit_and_settle(
    installation: &Arc<Installation>,
    pacers: &Pacers,
    gateway: &Arc<dyn Gateway>,
    campaign: &Campaign,
    plan: &ContactPlan,
    batch: Batch,
) -> Result<u64, DispatchError> {
    let config = installation.config.gateways.get(&campaign.gateway);
    let (per_second, in_flight) = config.map_or((1, 1), |g| (g.rate_per_second, g.in_flight));
    let permits = Arc::new(Semaphore::new(in_flight as usize));
    let mut under_way: JoinSet<Answered> = JoinSet::new();
    let mut answered: Vec<Answered> = Vec::new();
    let mut submitted = 0;
    for claimed in batch.messages {
        // The semaphore is never closed.
        let Ok(permit) = permits.clone().acquire_owned().await else { break };
        installation.clock.sleep_until(claimed.at).await;
        pacers.wait(&campaign.gateway, per_second).await;
        let now = installation.clock.now();
        if !may_still_send(installation, plan, &claimed, &batch.programme, now).await? {
            answered.push(Answered { claimed, ending: Ending::Withdrawn, at: now });
            continue;
        }
        submitted += 1;
        let gateway = gateway.clone();
        under_way.spawn(async move {
            let outcome = gateway.submit(std::slice::from_ref(&claimed.message)).await.pop();
            drop(permit);
            let outcome = outcome.unwrap_or(Outcome::InDoubt { code: "no_outcome".into() });
            Answered { claimed, ending: Ending::Answered(outcome), at: now }
        });
        while let Some(Ok(done)) = under_way.try_join_next() {
            answered.push(done);
        }
        if answered.len() >= SETTLE_SET {
            settle(installation, campaign, plan, std::mem::take(&mut answered)).await?;
        }
    }
    // A submit that panicked stays `submitting`, and so comes into doubt: never sent again.
    while let Some(done) = under_way.join_next().await {
        answered.extend(done.ok());
    }
    settle(installation, campaign, plan, answered).await?;
    Ok(submitted)
}

/// The rules once more, at the moment of submit (invariant I2).
async fn may_still_send(
    installation: &Installation,
    plan: &ContactPlan,
    claimed: &ClaimedMessage,
    programme: &str,
    now: Timestamp,
) -> Result<bool, DispatchError> {
    if !plan.hours.is_open(now, claimed.zone) {
        return Ok(false);
    }
    let mut connection = installation.store.read().await?;
    Ok(invitations::may_send(&mut connection, claimed.invitation, &claimed.phone_hash, programme, now).await?)
}
