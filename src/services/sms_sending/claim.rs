//! Claims due invitations: reads the facts about them, decides about each, and marks what will be
//! submitted, in one transaction.

use std::collections::HashSet;
use std::time::Duration;

use super::capacity::RouteCapacity;
use super::claim_facts::{ClaimFacts, load_facts};
use super::eligibility::{
    ContactDecision, EligibilityInput, decide_answer, decide_confirmation, decide_handover,
    decide_link, decide_message,
};
use super::prepare::{PreparedMessage, prepare_message};
use super::{DispatchError, DispatchJob};
use crate::adapters::database::invitations::{self, DueInvitation, NextContact};
use crate::adapters::database::messages::{self, NewMessage};
use crate::adapters::database::{WriteTx, call_queue, campaigns, paper_forms};
use crate::adapters::sms::OutgoingMessage;
use crate::domain::contact_plan::{Contact, ContactPlan, MessageKind, MessageSlot, Step, Upcoming};
use crate::domain::ids::{InvitationId, MessageKey};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;

/// An unanswered question of an interview by SMS is asked once more after this time.
const REMINDER_AFTER: Duration = Duration::from_secs(86_400);
/// A number that is being interviewed by SMS for another invitation is checked again after this.
const RECHECK_AFTER_INTERVIEW: Duration = Duration::from_secs(3_600);

/// A message that waits for somebody to read the person's reply is looked at again after this.
const RECHECK_UNREAD_REPLY: Duration = Duration::from_secs(600);

/// A message marked `submitting`.
pub struct ClaimedMessage {
    pub invitation: InvitationId,
    pub upcoming: Upcoming,
    pub phone_hash: String,
    pub zones: Zones,
    pub gateway: String,
    /// The first attempt is 1.
    pub attempt_count: u32,
    pub cost_micros: i64,
    pub message: OutgoingMessage,
}

impl ClaimedMessage {
    pub fn key(&self) -> MessageKey {
        MessageKey { invitation: self.invitation, slot: self.upcoming.slot }
    }

    pub fn is_acknowledgement(&self) -> bool {
        self.upcoming.slot.kind.is_acknowledgement()
    }

    /// The step of the plan after this message.
    pub fn next_plan_step(&self) -> Option<u32> {
        plan_step_after(self.upcoming)
    }
}

/// Messages marked for submission, and how the gateways stood when they were.
pub struct ClaimedBatch {
    pub messages: Vec<ClaimedMessage>,
    /// Invitations moved without a message.
    pub moved: u64,
    /// When the rules were checked that allow these messages.
    pub checked_at: Timestamp,
    pub capacity: RouteCapacity,
}

/// What is decided about the invitations of one claim.
#[derive(Default)]
struct ClaimDecisions {
    prepared: Vec<ClaimedMessage>,
    next: Vec<NextContact>,
    stopped: Vec<InvitationId>,
    /// For the interviewers.
    to_call: Vec<call_queue::NewQueueEntry>,
    /// Due for a paper form, with the step.
    to_print: Vec<(InvitationId, u32)>,
}

/// What is decided about one invitation.
enum Decision {
    /// The step does not apply to this person; the plan continues with the next one.
    Skip,
    Contact(ContactDecision),
}

/// Claims one batch of a campaign's due invitations.
#[tracing::instrument(level = "debug", skip_all)]
pub async fn claim(
    job: &DispatchJob,
    mut capacity: RouteCapacity,
) -> Result<ClaimedBatch, DispatchError> {
    let context = &job.context;
    let mut claim_lock = context.database.claim_lock().await?;
    // Read after the wait for other claims: slots in the past are of no use.
    let now = context.clock.now();
    let limit = capacity.total().min(context.config.dispatch.batch);
    let due = invitations::list_due(claim_lock.connection(), job.campaign.id, now, limit).await?;
    if due.is_empty() {
        return Ok(ClaimedBatch { messages: Vec::new(), moved: 0, checked_at: now, capacity });
    }
    let mut facts = load_facts(job, claim_lock.connection(), &due, now).await?;
    let mut decisions = ClaimDecisions::default();
    for invitation in &due {
        let decision = decide_one(job, &facts, invitation, now);
        decisions.apply(job, &mut facts, &mut capacity, (invitation, decision), now);
    }
    let mut tx = claim_lock.write().await?;
    let engine = tx.engine();
    let seen: Vec<(InvitationId, MessageSlot)> =
        due.iter().map(|invitation| (invitation.id, invitation.upcoming.slot)).collect();
    decisions.keep_claimed(&invitations::lock_due(&mut tx, engine, &seen, now).await?);
    let out_of_budget = enforce_budget(job, &mut tx, &mut decisions, now).await?;
    let ClaimDecisions { mut prepared, next, stopped, to_call, to_print } = decisions;
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
    invitations::set_next_contacts(&mut tx, &next).await?;
    invitations::cancel_next_contacts(&mut tx, &stopped).await?;
    call_queue::enqueue(&mut tx, job.campaign.id, &to_call, now).await?;
    paper_forms::enqueue(&mut tx, job.campaign.id, &to_print, now).await?;
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
    /// Drops those that somebody has moved meanwhile.
    fn keep_claimed(&mut self, taken: &HashSet<InvitationId>) {
        self.prepared.retain(|claimed| taken.contains(&claimed.invitation));
        self.next.retain(|next| taken.contains(&next.id));
        self.stopped.retain(|id| taken.contains(id));
        self.to_call.retain(|entry| taken.contains(&entry.invitation));
        self.to_print.retain(|(invitation, _)| taken.contains(invitation));
    }

    /// Records one decision: prepares the message, queues the call, or sets the next contact.
    fn apply(
        &mut self,
        job: &DispatchJob,
        facts: &mut ClaimFacts,
        capacity: &mut RouteCapacity,
        (invitation, decision): (&DueInvitation, Decision),
        now: Timestamp,
    ) {
        let plan = job.plan();
        let zones = plan.zones_of(invitation.zone.as_deref());
        let gets_sms = !facts.history(invitation).fixed_line;
        let retry_at =
            |at| NextContact { id: invitation.id, upcoming: invitation.upcoming, at: Some(at) };
        let decision = match decision {
            Decision::Skip => {
                return self.next.push(next_contact_after(plan, invitation, &zones, gets_sms, now));
            }
            Decision::Contact(decision) => decision,
        };
        match decision {
            ContactDecision::Stop => self.stopped.push(invitation.id),
            ContactDecision::PostponeUntil(at) => self.next.push(retry_at(at)),
            ContactDecision::HandOver => {
                self.to_call.extend(queue_entry(plan, invitation));
                self.to_print.extend(paper_entry(plan, invitation));
                self.next.push(next_contact_after(plan, invitation, &zones, gets_sms, now));
            }
            ContactDecision::Send => {
                match prepare_message(job, facts, capacity, invitation, zones.clone(), now) {
                    Ok(PreparedMessage::Ready(claimed)) => {
                        facts.add_contact(invitation, now);
                        self.next.push(next_contact_after(plan, invitation, &zones, true, now));
                        self.prepared.push(*claimed);
                    }
                    Ok(PreparedMessage::RetryAt(at)) => self.next.push(retry_at(at)),
                    Ok(PreparedMessage::Obsolete) => {
                        self.next.push(next_contact_after(plan, invitation, &zones, true, now));
                    }
                    Ok(PreparedMessage::NoGateway) => {
                        tracing::error!(
                            invitation = invitation.id.0,
                            "no gateway of the campaign takes this number; the invitation is ended"
                        );
                        self.stopped.push(invitation.id);
                    }
                    // Only a purged or foreign key gets here: this person can never be contacted
                    // again, the others can.
                    Err(error) => {
                        tracing::error!(
                            invitation = invitation.id.0,
                            %error,
                            "an invitation cannot be opened and is ended"
                        );
                        self.stopped.push(invitation.id);
                    }
                }
            }
        }
    }
}

/// Decides about one invitation by the facts (invariant I2).
fn decide_one(
    job: &DispatchJob,
    facts: &ClaimFacts,
    invitation: &DueInvitation,
    now: Timestamp,
) -> Decision {
    let (plan, slot) = (job.plan(), invitation.upcoming.slot);
    let step = slot.plan_step().and_then(|step| plan.steps.get(step as usize));
    let history = facts.history(invitation);
    // A fixed line gets no messages.
    let is_skipped =
        |step: &Step| !step.applies_to(&history) || (history.fixed_line && step.is_message());
    if step.is_some_and(is_skipped) {
        return Decision::Skip;
    }
    // A reply to any other message would be taken for an answer to the interview's question.
    if facts.is_interviewed_elsewhere(invitation)
        && !slot.kind.is_acknowledgement()
        && step.is_none_or(Step::is_message)
    {
        return Decision::Contact(ContactDecision::PostponeUntil(now + RECHECK_AFTER_INTERVIEW));
    }
    if slot.kind.waits_for_reader()
        && step.is_none_or(Step::is_message)
        && let Some(arrived_at) = facts.unread_reply(invitation)
    {
        let ends_at = arrived_at + plan.unread_reply_hold;
        let at = ends_at.min(now + RECHECK_UNREAD_REPLY);
        return Decision::Contact(ContactDecision::PostponeUntil(at));
    }
    let zones = plan.zones_of(invitation.zone.as_deref());
    let input = EligibilityInput {
        cases: facts.cases(invitation),
        suppressed: facts.suppression(invitation),
        contacts: facts.contacts(invitation),
        zones: &zones,
        phone_hash: &invitation.phone_hash,
        slot,
    };
    Decision::Contact(match (slot.kind, step.map(|step| &step.contact)) {
        (MessageKind::Step, Some(Contact::Sms(_) | Contact::SmsInterviewOffer(_))) => {
            decide_message(&input, plan, &job.context.config.caps, now)
        }
        (MessageKind::Step, Some(Contact::Telephone { .. } | Contact::Paper)) => {
            decide_handover(&input, now)
        }
        (MessageKind::Step, None) => ContactDecision::Stop,
        (MessageKind::StaffAnswer, _) => decide_answer(&input, plan, now),
        (kind, _) if kind.is_acknowledgement() => decide_confirmation(&input, plan, now),
        _ => decide_link(&input, plan, now),
    })
}

fn queue_entry(
    plan: &ContactPlan,
    invitation: &DueInvitation,
) -> Option<call_queue::NewQueueEntry> {
    let step = invitation.upcoming.slot.plan_step()?;
    let Contact::Telephone { calls, .. } = plan.steps.get(step as usize)?.contact else {
        return None;
    };
    Some(call_queue::NewQueueEntry {
        invitation: invitation.id,
        step,
        max_calls: calls,
        language: invitation.language,
    })
}

fn paper_entry(plan: &ContactPlan, invitation: &DueInvitation) -> Option<(InvitationId, u32)> {
    let step = invitation.upcoming.slot.plan_step()?;
    let is_paper = matches!(plan.steps.get(step as usize)?.contact, Contact::Paper);
    is_paper.then_some((invitation.id, step))
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

/// The step of the plan that follows.
fn plan_step_after(upcoming: Upcoming) -> Option<u32> {
    match upcoming.slot.plan_step() {
        Some(step) => step.checked_add(1),
        None => upcoming.resume_step,
    }
}

/// What comes after this message, at the first open instant after its delay.
fn next_contact_after(
    plan: &ContactPlan,
    invitation: &DueInvitation,
    zones: &Zones,
    gets_sms: bool,
    at: Timestamp,
) -> NextContact {
    let (id, upcoming) = (invitation.id, invitation.upcoming);
    let open_from = |earliest: Timestamp, slot: MessageSlot| {
        plan.next_contact(earliest, zones, &invitation.phone_hash, slot)
    };
    if upcoming.slot.kind == MessageKind::Question {
        let reminder = MessageSlot::new(MessageKind::QuestionReminder, upcoming.slot.number);
        let at = open_from(at + REMINDER_AFTER, reminder);
        return NextContact { id, upcoming: upcoming.before(reminder), at };
    }
    let Some(following) = plan_step_after(upcoming) else {
        return NextContact { id, upcoming, at: None };
    };
    match plan.step_from(following, gets_sms) {
        Some((step, after)) => NextContact {
            id,
            upcoming: Upcoming::step(step),
            at: open_from(at + after, MessageSlot::step(step)),
        },
        None => NextContact { id, upcoming: Upcoming::step(following), at: None },
    }
}
