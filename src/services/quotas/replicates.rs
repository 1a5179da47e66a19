//! Releases replicates into the field according to the response rate.

use std::time::Duration;

use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::campaigns;
use crate::adapters::database::invitations::{self, NextContact};
use crate::adapters::database::replicates::{self, Replicate};
use crate::adapters::database::{DatabaseError, WriteTx, quotas};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError, Upcoming};
use crate::domain::ids::{ApplicationId, CampaignId};
use crate::domain::replicates::{is_urgent, next_review_after, replicates_needed};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "replicate.", serialize_all = "snake_case")]
pub enum ReplicateError {
    #[error("the plan of campaign {code}, as launched, cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// Reviews the replicates that are due. Returns the number of released replicates.
pub async fn release_due_replicates(context: &AppContext) -> Result<u32, ReplicateError> {
    let due = replicates::due_for_review(&mut *context.database.read().await?, context.clock.now())
        .await?;
    if due.is_empty() {
        return Ok(0);
    }
    let mut isolation = Isolation::load(context, WorkKind::Replicates).await?;
    let mut released = 0;
    for (campaign, first) in due {
        let item = format!("{}-{}", campaign.0, first.0);
        if !isolation.holds_back(&item) {
            let result = review_list(context, campaign, first).await;
            released += isolation.record(&item, result).await?.unwrap_or(0);
        }
    }
    Ok(released)
}

/// Returns when the next review is due.
pub async fn next_review(context: &AppContext) -> Result<Option<Timestamp>, DatabaseError> {
    replicates::next_review(&mut *context.database.read().await?).await
}

async fn review_list(
    context: &AppContext,
    campaign: CampaignId,
    first: ApplicationId,
) -> Result<u32, ReplicateError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let launched = campaigns::get(&mut tx, campaign).await?;
    let plan = ContactPlan::from_stored(&launched.plan)
        .map_err(|error| ReplicateError::Plan { code: launched.code.clone(), error })?;
    let all = replicates::of_list(&mut tx, campaign, first).await?;
    let held_back: Vec<&Replicate> =
        all.iter().filter(|replicate| replicate.released_at.is_none()).collect();
    let maturity = maturity(&all, plan.length(), now);
    let (mut wanted, mut time_left) = (0, None::<Duration>);
    for id in replicates::applications_of_list(&mut tx, campaign, first).await? {
        let application = applications::get(&mut tx, id).await?;
        if application.state != ApplicationState::InField {
            continue;
        }
        let left = application.field_closes_at.map_or(Duration::ZERO, |closes| closes.since(now));
        time_left = Some(time_left.map_or(left, |shortest| shortest.min(left)));
        let mut replicate_status = replicates::status(&mut tx, application.id).await?;
        replicate_status.target =
            quotas::cells(&mut tx, application.id).await?.first().map_or(0, |total| total.target);
        replicate_status.replicates = u32::try_from(held_back.len()).unwrap_or(u32::MAX);
        replicate_status.maturity = maturity;
        wanted = wanted.max(replicates_needed(
            &replicate_status,
            context.config.expected_response_rate,
            is_urgent(left, plan.length()),
        ));
    }
    let mut released = 0;
    for replicate in held_back.iter().take(wanted as usize) {
        released += u32::from(release(&mut tx, campaign, &plan, replicate, now).await?);
    }
    let left = u32::try_from(held_back.len()).unwrap_or(u32::MAX).saturating_sub(released);
    let again = next_review_after(time_left.unwrap_or_default(), plan.length(), left);
    replicates::set_next_review(&mut tx, campaign, first, now + again).await?;
    tx.commit().await?;
    if released > 0 {
        tracing::info!(
            campaign = launched.code,
            released,
            held_back = left,
            "replicates went into the field"
        );
    }
    Ok(released)
}

/// Returns how far the people of released replicates are through the plan, on average.
fn maturity(replicates: &[Replicate], plan: Duration, now: Timestamp) -> f64 {
    let (mut people, mut gone) = (0.0, 0.0);
    for replicate in replicates {
        let Some(at) = replicate.released_at else { continue };
        people += f64::from(replicate.people);
        gone += f64::from(replicate.people)
            * (now.since(at).as_secs_f64() / plan.as_secs_f64().max(1.0)).min(1.0);
    }
    if people > 0.0 { gone / people } else { 0.0 }
}

async fn release(
    tx: &mut WriteTx,
    campaign: CampaignId,
    plan: &ContactPlan,
    replicate: &Replicate,
    now: Timestamp,
) -> Result<bool, ReplicateError> {
    let people = replicates::people_of(tx, campaign, replicate).await?;
    if !replicates::release(tx, campaign, replicate, &people, now).await? {
        return Ok(false);
    }
    let first = |person: &replicates::HeldBackPerson| {
        let zones = plan.zones_of(person.zone.as_deref());
        let (step, at) = plan.first_contact(now, &zones, &person.phone_hash, person.is_mobile);
        NextContact { id: person.invitation, upcoming: Upcoming::step(step), at }
    };
    invitations::set_next_contacts(tx, &people.iter().map(first).collect::<Vec<_>>()).await?;
    Ok(true)
}
