//! Claims due invitations: decides about each, and marks what will be submitted, in one transaction.

use std::collections::HashMap;
use std::time::Duration;

use chrono_tz::Tz;

use super::DispatchError;
use super::eligibility::{Circumstances, Decision, decide, is_askable};
use crate::campaign::text::{Addressee, compose};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;
use crate::gateway::OutgoingMessage;
use crate::installation::{Installation, open_person, open_phone};
use crate::store::campaigns::Campaign;
use crate::store::invitations::{self, DueInvitation, InvitedCase, NextStep};
use crate::store::messages::{self, NewMessage};
use crate::store::{programmes, suppressions};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A message marked `submitting`.
pub struct ClaimedMessage {
    pub invitation: InvitationId,
    pub step: u32,
    pub phone_hash: String,
    pub zone: Tz,
    pub message: OutgoingMessage,
}

pub struct Batch {
    pub messages: Vec<ClaimedMessage>,
    pub moved: u64,
    pub programme: String,
}

/// Claims one batch of a campaign's due invitations.
pub async fn claim(installation: &Installation, campaign: &Campaign, plan: &ContactPlan) -> Result<Batch, DispatchError> {
    let mut tx = installation.store.write().await?;
    let engine = tx.engine();
    invitations::lock_claims(&mut tx, engine).await?;
    // After the wait for other daemons: slots in the past would be of no use.
    let now = installation.clock.now();
    // No more than goes out in a second: what is marked and not sent when a daemon dies comes into doubt.
    let a_second = installation.config.gateways.get(&campaign.gateway).map_or(1, |g| g.rate_per_second);
    let limit = installation.config.dispatch.batch.min(a_second);
    let due = invitations::claim_due(&mut tx, engine, campaign.id, now, limit).await?;
    let programme = programmes::get(&mut tx, campaign.programme_id).await?.code;
    if due.is_empty() {
        return Ok(Batch { messages: Vec::new(), moved: 0, programme });
    }
    let ids: Vec<InvitationId> = due.iter().map(|d| d.id).collect();
    let hashes: Vec<String> = due.iter().map(|d| d.phone_hash.clone()).collect();
    let cases = invitations::cases_of(&mut tx, &ids).await?;
    let suppressed = suppressions::among(&mut tx, &hashes, &programme, now).await?;
    let mut contacts: HashMap<String, Vec<Timestamp>> = HashMap::new();
    for (hash, at) in messages::recent_contacts(&mut tx, &hashes, now - WEEK).await? {
        contacts.entry(hash).or_default().push(at);
    }
    let mut cases_of: HashMap<InvitationId, Vec<&InvitedCase>> = HashMap::new();
    cases.iter().for_each(|case| cases_of.entry(case.invitation).or_default().push(case));

    let (mut sendable, mut next, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for invitation in &due {
        let zone = invitation.zone.as_deref().and_then(|z| z.parse().ok()).unwrap_or(plan.time_zone);
        let theirs = contacts.entry(invitation.phone_hash.clone()).or_default();
        let who = Circumstances {
            cases: cases_of.get(&invitation.id).map(Vec::as_slice).unwrap_or_default(),
            is_suppressed: suppressed.contains(&invitation.phone_hash),
            contacts: theirs,
            zone,
        };
        let is_planned = (invitation.step as usize) < plan.steps.len();
        match decide(&who, &plan.hours, &installation.config.caps, now) {
            Decision::Send if is_planned => {
                // Counted at once: the same number may be due twice in this very batch.
                theirs.push(now);
                sendable.push((invitation, zone));
            }
            Decision::Later(at) => next.push(NextStep { id: invitation.id, step: invitation.step, at: Some(at) }),
            _ => stopped.push(invitation.id),
        }
    }
    let mut prepared = Vec::new();
    for (invitation, zone) in sendable {
        let theirs = cases_of.get(&invitation.id).map(Vec::as_slice).unwrap_or_default();
        match prepare(installation, campaign, plan, invitation, theirs, zone, now) {
            Ok(message) => {
                next.push(next_after(plan, invitation, zone, now));
                prepared.push(message);
            }
            // Only a purged or foreign key gets here: this person can never be contacted again, the others can.
            Err(error) => {
                tracing::error!(invitation = invitation.id.0, %error, "an invitation cannot be opened and is ended");
                stopped.push(invitation.id);
            }
        }
    }
    let new: Vec<NewMessage> = prepared
        .iter()
        .map(|claimed| NewMessage {
            invitation: claimed.invitation,
            step: claimed.step,
            gateway: campaign.gateway.clone(),
            reference: claimed.message.reference.clone(),
            phone_hash: claimed.phone_hash.clone(),
            parts: claimed.message.parts,
        })
        .collect();
    let begun = messages::begin_submit(&mut tx, &new, now).await?;
    prepared.retain(|claimed| begun.contains(&claimed.message.reference));
    let moved = next.len() as u64 - prepared.len() as u64 + stopped.len() as u64;
    invitations::set_next(&mut tx, &next).await?;
    invitations::stop(&mut tx, &stopped).await?;
    tx.commit().await?;
    Ok(Batch { messages: prepared, moved, programme })
}

fn prepare(
    installation: &Installation,
    campaign: &Campaign,
    plan: &ContactPlan,
    invitation: &DueInvitation,
    cases: &[&InvitedCase],
    zone: Tz,
    at: Timestamp,
) -> Result<ClaimedMessage, DispatchError> {
    let sealer = installation.keys.sealer(&invitation.key_id)?;
    let phone = open_phone(&sealer, &invitation.phone_sealed)?;
    let person = open_person(&sealer, &invitation.person_sealed)?;
    let hasher = installation.keys.hasher();
    let link = format!("{}/i/{}", installation.config.public_url, hasher.link_code(&campaign.code, &invitation.key_id, &invitation.phone_hash));
    let askable: Vec<&&InvitedCase> = cases.iter().filter(|case| is_askable(case, at)).collect();
    let addressee = Addressee {
        name: &person.name,
        applicant: &invitation.applicant_name,
        subjects: askable.iter().map(|case| case.subject.title()).collect(),
        link: &link,
        language: invitation.language,
        field_closes_at: askable.iter().map(|case| case.field_closes_at).min().unwrap_or(at),
    };
    let step = &plan.steps[invitation.step as usize];
    let composed = compose(plan, step, &addressee, at);
    let reference = hasher.message_reference(invitation.id.0, invitation.step);
    Ok(ClaimedMessage {
        invitation: invitation.id,
        step: invitation.step,
        phone_hash: invitation.phone_hash.clone(),
        zone,
        message: OutgoingMessage {
            reference,
            to: phone,
            text: composed.text,
            parts: composed.segmentation.parts,
            step: step.name.clone(),
            fields: composed.fields,
        },
    })
}

/// The step after this one, at the first open instant after its delay.
fn next_after(plan: &ContactPlan, invitation: &DueInvitation, zone: Tz, at: Timestamp) -> NextStep {
    let step = invitation.step + 1;
    let after = plan.steps.get(step as usize).map(|step| step.after);
    NextStep { id: invitation.id, step, at: after.and_then(|after| plan.hours.next_open(at + after, zone)) }
}
