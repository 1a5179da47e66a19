//! Claims due invitations: decides about each, and marks what will be submitted, in one
//! transaction.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::AnyConnection;

use super::capacity::{GatewayAssignment, RouteCapacity};
use super::eligibility::{
    ContactDecision, EligibilityInput, SuppressionStatus, decide_confirmation, decide_handover,
    decide_link, decide_message, may_be_contacted,
};
use super::{DispatchError, DispatchJob};
use crate::adapters::database::invitations::{self, DueInvitation, InvitedCase, NextStep};
use crate::adapters::database::messages::{self, NewMessage};
use crate::adapters::database::{
    WriteTx, call_queue, calls, campaigns, sms_interviews, suppressions,
};
use crate::adapters::sms::{BATCH_REFUSED, OutgoingMessage};
use crate::domain::contact_plan::{
    CONFIRMATION_STEP, Contact, ContactHistory, ContactPlan, Step, goes_on_after,
    is_acknowledgement, is_interview_step, is_reminder, question_of, reminder_of,
};
use crate::domain::ids::{InvitationId, MessageKey};
use crate::domain::personal::Personal;
use crate::domain::sms_interview::compose_reminder;
use crate::domain::sms_text::measure_parts;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::campaigns::message_text::{MessageRecipient, compose_message};
use crate::services::sealing::{open_person, open_phone, seal_context};

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);
/// Whoever is being asked by SMS for another applicant is looked at again after so long.
const RECHECK_AFTER_INTERVIEW: Duration = Duration::from_secs(3_600);

/// A message marked `submitting`.
pub struct ClaimedMessage {
    pub invitation: InvitationId,
    pub step: u32,
    pub phone_hash: String,
    pub zones: Zones,
    pub gateway: String,
    /// The first is 1.
    pub attempt_count: u32,
    pub cost_micros: i64,
    pub message: OutgoingMessage,
}

impl ClaimedMessage {
    pub fn key(&self) -> MessageKey {
        MessageKey { invitation: self.invitation, step: self.step }
    }
}

pub struct ClaimedBatch {
    pub messages: Vec<ClaimedMessage>,
    pub moved: u64,
    /// When the rules were looked up that let these messages go.
    pub checked_at: Timestamp,
    /// How the gateways stood when it was claimed.
    pub capacity: RouteCapacity,
}

/// What is decided about the invitations of one claim.
#[derive(Default)]
struct ClaimDecisions {
    prepared: Vec<ClaimedMessage>,
    next: Vec<NextStep>,
    stopped: Vec<InvitationId>,
    /// For the interviewers.
    to_call: Vec<call_queue::NewQueueEntry>,
}

/// Claims one batch of a campaign's due invitations: looks at them, decides about each and prepares
/// its message, then marks them in one transaction.
#[tracing::instrument(level = "debug", skip_all)]
pub async fn claim(
    job: &DispatchJob,
    mut capacity: RouteCapacity,
) -> Result<ClaimedBatch, DispatchError> {
    let context = &job.context;
    let mut claim_lock = context.database.claim_lock().await?;
    // After the wait for others: slots in the past would be of no use.
    let now = context.clock.now();
    let limit = capacity.total().min(context.config.dispatch.batch);
    let due = invitations::list_due(claim_lock.connection(), job.campaign.id, now, limit).await?;
    if due.is_empty() {
        return Ok(ClaimedBatch { messages: Vec::new(), moved: 0, checked_at: now, capacity });
    }
    let mut decisions =
        decide_due_invitations(job, claim_lock.connection(), &mut capacity, &due, now).await?;
    let mut tx = claim_lock.write().await?;
    let engine = tx.engine();
    let seen: Vec<(InvitationId, u32)> = due.iter().map(|d| (d.id, d.step)).collect();
    decisions.keep_claimed(&invitations::lock_due(&mut tx, engine, &seen, now).await?);
    let out_of_budget = enforce_budget(job, &mut tx, &mut decisions, now).await?;
    let ClaimDecisions { mut prepared, next, stopped, to_call } = decisions;
    let moved = (next.len() - prepared.len() + stopped.len()) as u64 + u64::from(out_of_budget);
    mark_submitting(&mut tx, &mut prepared, now).await?;
    if job.campaign.budget_micros.is_some() {
        campaigns::add_spending(
            &mut tx,
            job.campaign.id,
            prepared.iter().map(|claimed| claimed.cost_micros).sum(),
        )
        .await?;
    }
    invitations::set_next_steps(&mut tx, &next).await?;
    invitations::cancel_next_steps(&mut tx, &stopped).await?;
    call_queue::enqueue(&mut tx, job.campaign.id, &to_call, now).await?;
    tx.commit().await?;
    if out_of_budget {
        tracing::error!(
            campaign = job.campaign.code,
            "the next message would pass the campaign's budget; the campaign is paused"
        );
    }
    Ok(ClaimedBatch { messages: prepared, moved, checked_at: now, capacity })
}

/// Marks messages as being submitted (invariant I1), and keeps only those that were free to be.
async fn mark_submitting(
    tx: &mut WriteTx,
    prepared: &mut Vec<ClaimedMessage>,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let new: Vec<NewMessage> = prepared
        .iter()
        .map(|claimed| NewMessage {
            key: claimed.key(),
            gateway: claimed.gateway.clone(),
            reference: claimed.message.reference.clone(),
            parts: claimed.message.parts,
            cost_micros: claimed.cost_micros,
        })
        .collect();
    let begun = messages::mark_submitting(tx, &new, now).await?;
    prepared.retain(|claimed| begun.contains(&claimed.key()));
    Ok(())
}

impl ClaimDecisions {
    /// Forgets those that somebody has moved meanwhile.
    fn keep_claimed(&mut self, taken: &HashSet<InvitationId>) {
        self.prepared.retain(|claimed| taken.contains(&claimed.invitation));
        self.next.retain(|next| taken.contains(&next.id));
        self.stopped.retain(|id| taken.contains(id));
        self.to_call.retain(|entry| taken.contains(&entry.invitation));
    }
}

/// Decides about each invitation, and prepares the messages that may go.
async fn decide_due_invitations(
    job: &DispatchJob,
    connection: &mut AnyConnection,
    capacity: &mut RouteCapacity,
    due: &[DueInvitation],
    now: Timestamp,
) -> Result<ClaimDecisions, DispatchError> {
    let plan = job.plan();
    let ids: Vec<InvitationId> = due.iter().map(|d| d.id).collect();
    let hashes: Vec<String> = due.iter().map(|d| d.phone_hash.clone()).collect();
    let cases = invitations::cases_of(connection, &ids).await?;
    let suppressed =
        suppressions::among(connection, &hashes, &job.cached_plan.programme, now).await?;
    let mut contacts: HashMap<String, Vec<Timestamp>> = HashMap::new();
    let sent = messages::recent_contacts(connection, &hashes, now - WEEK).await?;
    for (hash, at) in
        sent.into_iter().chain(calls::recent_contacts(connection, &hashes, now - WEEK).await?)
    {
        contacts.entry(hash).or_default().push(at);
    }
    let needs_history = plan.has_telephone() || plan.steps.iter().any(Step::has_condition);
    let question_texts = if interview_invitations(due).is_empty() {
        HashMap::new()
    } else {
        sms_interviews::texts(connection, &interview_invitations(due)).await?
    };
    let numbers_in_interview = sms_interviews::under_way(connection, &hashes, now - DAY).await?;
    let facts =
        if needs_history { calls::contact_facts(connection, &ids).await? } else { HashMap::new() };
    let mut cases_of: HashMap<InvitationId, Vec<&InvitedCase>> = HashMap::new();
    cases.iter().for_each(|case| cases_of.entry(case.invitation).or_default().push(case));

    let mut decisions = ClaimDecisions::default();
    for invitation in due {
        let zones = zones_of(invitation, plan);
        let theirs = contacts.entry(invitation.phone_hash.clone()).or_default();
        let cases = cases_of.get(&invitation.id).map(Vec::as_slice).unwrap_or_default();
        let input = EligibilityInput {
            cases,
            suppressed: match suppressed.get(&invitation.phone_hash) {
                None => SuppressionStatus::NotSuppressed,
                Some(None) => SuppressionStatus::Forever,
                Some(Some(until)) => SuppressionStatus::Until(*until),
            },
            contacts: theirs,
            zones: &zones,
            phone_hash: &invitation.phone_hash,
            step: invitation.step,
        };
        let history =
            contact_history(facts.get(&invitation.id).copied().unwrap_or_default(), invitation);
        let step = plan.steps.get(invitation.step as usize);
        // Who gets no messages, or whom the condition leaves out, goes on as if the step had been.
        if step.is_some_and(|step| {
            !step.applies_to(&history) || (history.fixed_line && !step.is_telephone())
        }) {
            decisions.next.push(next_step_after(
                plan,
                invitation,
                &zones,
                !history.fixed_line,
                now,
            ));
            continue;
        }
        // While somebody is being asked by SMS, no other message comes in between: a reply would be
        // taken for an answer.
        let is_being_interviewed = numbers_in_interview
            .get(&invitation.phone_hash)
            .is_some_and(|other| *other != invitation.id)
            && !step.is_some_and(Step::is_telephone);
        if is_being_interviewed && !is_acknowledgement(invitation.step) {
            decisions.next.push(NextStep {
                id: invitation.id,
                step: invitation.step,
                at: Some(now + RECHECK_AFTER_INTERVIEW),
            });
            continue;
        }
        let decision = match (invitation.step, step.map(|step| &step.contact)) {
            (step, None) if is_acknowledgement(step) => decide_confirmation(&input, plan, now),
            (_, Some(Contact::Sms(_) | Contact::SmsInterviewOffer(_))) => {
                decide_message(&input, plan, &job.context.config.caps, now)
            }
            (_, Some(Contact::Telephone { .. })) => decide_handover(&input, now),
            (step, None) if goes_on_after(step).is_some() => decide_link(&input, plan, now),
            _ => ContactDecision::Stop,
        };
        let later = |at| NextStep { id: invitation.id, step: invitation.step, at: Some(at) };
        match decision {
            ContactDecision::Stop => decisions.stopped.push(invitation.id),
            ContactDecision::PostponeUntil(at) => decisions.next.push(later(at)),
            ContactDecision::Call => {
                let max_calls = step.map_or(0, |step| {
                    if let Contact::Telephone { calls } = step.contact { calls } else { 0 }
                });
                let language = invitation.language;
                decisions.to_call.push(call_queue::NewQueueEntry {
                    invitation: invitation.id,
                    step: invitation.step,
                    max_calls,
                    language,
                });
                decisions.next.push(next_step_after(
                    plan,
                    invitation,
                    &zones,
                    !history.fixed_line,
                    now,
                ));
            }
            ContactDecision::Send => match prepare_message(
                job,
                capacity,
                invitation,
                cases,
                zones,
                question_texts.get(&(invitation.id, question_of(invitation.step))),
                now,
            ) {
                Ok(PreparedMessage::Ready(claimed)) => {
                    // Counted at once: the same number may be due twice in this very batch.
                    theirs.push(now);
                    decisions.next.push(next_step_after(
                        plan,
                        invitation,
                        &claimed.zones,
                        true,
                        now,
                    ));
                    decisions.prepared.push(*claimed);
                }
                Ok(PreparedMessage::RetryAt(at)) => decisions.next.push(later(at)),
                Ok(PreparedMessage::Obsolete) => decisions.next.push(next_step_after(
                    plan,
                    invitation,
                    &zones_of(invitation, plan),
                    true,
                    now,
                )),
                Ok(PreparedMessage::NoGateway) => {
                    tracing::error!(
                        invitation = invitation.id.0,
                        "no gateway of the campaign takes this number; the invitation is ended"
                    );
                    decisions.stopped.push(invitation.id);
                }
                // Only a purged or foreign key gets here: this person can never be contacted again,
                // the others can.
                Err(error) => {
                    tracing::error!(invitation = invitation.id.0, %error, "an invitation cannot \
                        be opened and is ended");
                    decisions.stopped.push(invitation.id);
                }
            },
        }
    }
    Ok(decisions)
}

/// Drops the messages that the campaign's budget has no money for, and pauses the campaign before
/// it is passed. True: it is paused.
async fn enforce_budget(
    job: &DispatchJob,
    tx: &mut WriteTx,
    decisions: &mut ClaimDecisions,
    now: Timestamp,
) -> Result<bool, DispatchError> {
    if job.campaign.budget_micros.is_none() {
        return Ok(false);
    }
    // Read again: other workers spend as well, one claim after another.
    let campaign = campaigns::get(tx, job.campaign.id).await?;
    let mut left = campaign.budget_micros.map_or(i64::MAX, |budget| budget - campaign.spent_micros);
    let affordable = decisions
        .prepared
        .iter()
        .take_while(|claimed| {
            left -= claimed.cost_micros;
            left >= 0
        })
        .count();
    let unaffordable: Vec<InvitationId> =
        decisions.prepared.drain(affordable..).map(|claimed| claimed.invitation).collect();
    if unaffordable.is_empty() {
        return Ok(false);
    }
    // They stay due, for the day when there is more money.
    decisions.next.retain(|next| !unaffordable.contains(&next.id));
    campaigns::pause_because(tx, job.campaign.id, "budget", now).await?;
    Ok(true)
}

enum PreparedMessage {
    Ready(Box<ClaimedMessage>),
    RetryAt(Timestamp),
    NoGateway,
    /// It is not to be said any more.
    Obsolete,
}

fn prepare_message(
    job: &DispatchJob,
    capacity: &mut RouteCapacity,
    invitation: &DueInvitation,
    cases: &[&InvitedCase],
    zones: Zones,
    question_text: Option<&Vec<u8>>,
    at: Timestamp,
) -> Result<PreparedMessage, DispatchError> {
    let (context, campaign, plan) = (&job.context, &job.campaign, job.plan());
    let sealer = context.keys.sealer(&invitation.key_id)?;
    let phone = open_phone(&sealer, &invitation.phone_sealed)?;
    let (previous_gateway, previous_code) = invitation
        .last_attempt
        .as_ref()
        .map_or((None, ""), |tried| (Some(tried.gateway.as_str()), tried.code.as_str()));
    let alone = previous_code == BATCH_REFUSED;
    // What was only refused together with others is tried alone at the same gateway.
    let gateway = match capacity.assign_gateway(
        &job.route,
        &phone,
        &invitation.phone_hash,
        previous_gateway.filter(|_| !alone),
        at,
    ) {
        GatewayAssignment::Assigned(gateway) => gateway,
        GatewayAssignment::RetryAt(at) => return Ok(PreparedMessage::RetryAt(at)),
        GatewayAssignment::NoGateway => return Ok(PreparedMessage::NoGateway),
    };
    let person = open_person(&sealer, &invitation.person_sealed)?;
    let hasher = context.keys.hasher();
    let link = context.personal_link(&hasher.link_code(
        &campaign.code,
        &invitation.key_id,
        &invitation.phone_hash,
    ));
    let askable: Vec<&&InvitedCase> =
        cases.iter().filter(|case| may_be_contacted(case, at)).collect();
    let recipient = MessageRecipient {
        name: &person.name,
        applicant: &invitation.applicant_name,
        subjects: askable.iter().map(|case| case.subject.title()).collect(),
        link: &link,
        language: invitation.language,
        field_closes_at: askable.iter().map(|case| case.field_closes_at).min().unwrap_or(at),
    };
    let planned = plan
        .steps
        .get(invitation.step as usize)
        .and_then(|step| Some((step.name.as_str(), step.texts()?)));
    let link = || plan.link_texts().filter(|_| invitation.step != CONFIRMATION_STEP);
    let (step, texts) =
        planned.or_else(link).unwrap_or((crate::adapters::sms::CONFIRMATION, &plan.confirmation));
    let mut composed = compose_message(plan, texts, &recipient, at);
    let step = if is_interview_step(invitation.step) {
        // Another question is asked by now.
        let Some(question_text) = question_text else { return Ok(PreparedMessage::Obsolete) };
        let text = sealer.open_text(seal_context::SMS_QUESTION, question_text)?;
        composed.text = Personal::new(if is_reminder(invitation.step) {
            compose_reminder(&text, invitation.language)
        } else {
            text
        });
        composed.segmentation = measure_parts(composed.text.reveal());
        crate::adapters::sms::QUESTION
    } else {
        step
    };
    let parts = composed.segmentation.parts;
    Ok(PreparedMessage::Ready(Box::new(ClaimedMessage {
        invitation: invitation.id,
        step: invitation.step,
        phone_hash: invitation.phone_hash.clone(),
        zones,
        cost_micros: context.config.gateways.get(&gateway).map_or(0, |g| g.cost_micros(parts)),
        gateway,
        attempt_count: invitation.last_attempt.as_ref().map_or(0, |tried| tried.attempt_count) + 1,
        message: OutgoingMessage {
            reference: hasher.message_reference(invitation.id.0, invitation.step),
            to: phone,
            text: composed.text,
            parts,
            step: step.to_owned(),
            fields: composed.fields,
            must_be_alone: alone,
        },
    })))
}

/// Those that are due with a message of an interview.
fn interview_invitations(due: &[DueInvitation]) -> Vec<InvitationId> {
    due.iter()
        .filter(|invitation| is_interview_step(invitation.step))
        .map(|invitation| invitation.id)
        .collect()
}

fn zones_of(invitation: &DueInvitation, plan: &ContactPlan) -> Zones {
    plan.zones_of(invitation.zone.as_deref())
}

fn contact_history(facts: calls::ContactFacts, invitation: &DueInvitation) -> ContactHistory {
    ContactHistory {
        delivered: facts.is_delivered,
        begun: facts.has_begun,
        calls: facts.calls,
        reached: facts.is_reached,
        fixed_line: facts.is_fixed_line,
        language: invitation.language,
    }
}

/// The step that comes after this one, at the first open instant after its delay.
fn next_step_after(
    plan: &ContactPlan,
    invitation: &DueInvitation,
    zones: &Zones,
    gets_sms: bool,
    at: Timestamp,
) -> NextStep {
    // A question that is not answered is asked once more, a day later.
    if is_interview_step(invitation.step)
        && !is_reminder(invitation.step)
        && !is_acknowledgement(invitation.step)
    {
        let step = reminder_of(invitation.step);
        return NextStep {
            id: invitation.id,
            step,
            at: plan.next_contact(at + DAY, zones, &invitation.phone_hash, step),
        };
    }
    let following =
        goes_on_after(invitation.step).unwrap_or_else(|| invitation.step.saturating_add(1));
    match plan.step_from(following, gets_sms) {
        Some((step, after)) => NextStep {
            id: invitation.id,
            step,
            at: plan.next_contact(at + after, zones, &invitation.phone_hash, step),
        },
        None => NextStep { id: invitation.id, step: following, at: None },
    }
}
