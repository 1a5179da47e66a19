//! An interview that was left alone: its lease has run out, its call is recorded as lost, and the
//! person is called again later. As long as nobody else has the person, whoever interviewed them
//! can take them up again, in a call of its own; what was answered before stands.

use std::time::Duration;

use super::CallCenterError;
use super::queue::{self, Lease};
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::call_queue;
use crate::adapters::database::calls::{self, Call};
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::CallId;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// How long afterwards a lost call can be taken up again: no longer than two people stay on the
/// telephone, or a break lasts.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(2 * 3_600);

/// A person who was taken up again.
#[derive(Debug, Clone, Copy)]
pub struct TakenUp {
    pub lease: Lease,
    /// When the call began that was lost: what came on the web since then has come meanwhile.
    pub since: Timestamp,
}

/// Returns the interviewer's last call if it was lost a short time ago and its person is free.
pub async fn broken_off(
    context: &AppContext,
    account: &Account,
) -> Result<Option<CallId>, CallCenterError> {
    let mut connection = context.database.read().await?;
    let Some(call) = calls::latest_of(&mut connection, account.id).await? else { return Ok(None) };
    let entry = call_queue::find(&mut connection, call.invitation).await?;
    let now = context.clock.now();
    let is_free = entry.is_some_and(|entry| entry.leased_until.is_none_or(|until| until <= now));
    Ok((is_free && was_lost(&call, now)).then_some(call.id))
}

fn was_lost(call: &Call, now: Timestamp) -> bool {
    call.outcome == Some(CallOutcome::Lost)
        && call.ended_at.is_some_and(|ended| ended + TAKEN_UP_WITHIN > now)
}

/// Takes the person of the interviewer's last call up again. `None`: that call was not lost, or long
/// ago, or the person is with somebody else, or may not be called at this moment: outside the plan's
/// hours, in a campaign that is paused, or not any more.
pub async fn take_up_again(
    context: &AppContext,
    account: &Account,
    call: CallId,
) -> Result<Option<TakenUp>, CallCenterError> {
    queue::release_expired_leases(context).await?;
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    accounts::hold(&mut tx, account.id).await?;
    call_queue::detach_expired(&mut tx, account.id, now).await?;
    let Some(lost) = calls::latest_of(&mut tx, account.id).await? else { return Ok(None) };
    if lost.id != call || !was_lost(&lost, now) {
        return Ok(None);
    }
    let Some(entry) = call_queue::find(&mut tx, lost.invitation).await? else { return Ok(None) };
    // The number comes onto a screen again: the rules of a call hold at this moment (I2).
    let campaign = campaigns::get(&mut tx, entry.campaign).await?;
    let plan = ContactPlan::from_stored(&campaign.plan)
        .map_err(|error| CallCenterError::Plan { code: campaign.code.clone(), error })?;
    let is_open = plan.hours.is_open(now, &plan.zones_of(entry.zone.as_deref()));
    if !is_open || campaign.state != CampaignState::Running {
        return Ok(None);
    }
    let lease = queue::lease_again(context, &mut tx, account, &entry, lost.day_part, now).await?;
    let Some(lease) = lease else { return Ok(None) };
    tx.commit().await?;
    Ok(Some(TakenUp { lease, since: lost.begun_at }))
}
