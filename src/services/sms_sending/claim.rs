//! Claims due invitations: decides about each, and marks what will be submitted, in one transaction.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::AnyConnection;

use super::eligibility::{Circumstances, Decision, Suppressed, decide, decide_call, decide_confirmation, decide_link, is_wanted};
use super::capacity::{Place, Rooms};
use super::{DispatchError, Lane};
use crate::services::campaigns::message_text::{Addressee, compose};
use crate::domain::contact_plan::{
    CONFIRMATION_STEP, Contact, ContactPlan, Happened, Step, goes_on_after, is_answer, is_interview_step, is_reminder, question_of, reminder_of,
};
use crate::domain::ids::{InvitationId, MessageKey};
use crate::domain::personal::Personal;
use crate::domain::sms_interview::once_more;
use crate::domain::sms_text::segment;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::adapters::sms::{OutgoingMessage, REFUSED_TOGETHER};
use crate::services::sealing::{open_person, open_phone, place};
use crate::adapters::database::invitations::{self, DueInvitation, InvitedCase, NextStep};
use crate::adapters::database::messages::{self, NewMessage};
use crate::adapters::database::{WriteTx, call_queue, calls, campaigns, sms_interviews, suppressions};

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);
/// Whoever is being asked by SMS for another applicant is looked at again after so long.
const AFTER_TALK: Duration = Duration::from_secs(3_600);

/// A message marked `submitting`.
pub struct ClaimedMessage {
    pub invitation: InvitationId,
    pub step: u32,
    pub phone_hash: String,
    pub zones: Zones,
    pub gateway: String,
    /// The first is 1.
    pub tries: u32,
    pub cost_micros: i64,
    pub message: OutgoingMessage,
}

impl ClaimedMessage {
    pub fn key(&self) -> MessageKey {
        MessageKey { invitation: self.invitation, step: self.step }
    }
}

pub struct Batch {
    pub messages: Vec<ClaimedMessage>,
    pub moved: u64,
    /// When the rules were looked up that let these messages go.
    pub looked_at: Timestamp,
    /// How the gateways stood when it was claimed.
    pub rooms: Rooms,
}

/// What is decided about the invitations of one claim.
#[derive(Default)]
struct Decided {
    prepared: Vec<ClaimedMessage>,
    next: Vec<NextStep>,
    stopped: Vec<InvitationId>,
    /// For the interviewers.
    to_call: Vec<call_queue::Entry>,
}

/// Claims one batch of a campaign's due invitations: looks at them, decides about each and prepares its message, then marks them in one transaction.
#[tracing::instrument(level = "debug", skip_all)]
pub async fn claim(lane: &Lane, mut rooms: Rooms) -> Result<Batch, DispatchError> {
    let installation = &lane.installation;
    let mut turn = installation.store.turn().await?;
    // After the wait for others: slots in the past would be of no use.
    let now = installation.clock.now();
    let limit = rooms.total().min(installation.config.dispatch.batch);
    let due = invitations::due(turn.connection(), lane.campaign.id, now, limit).await?;
    if due.is_empty() {
        return Ok(Batch { messages: Vec::new(), moved: 0, looked_at: now, rooms });
    }
    let mut decided = decide_about(lane, turn.connection(), &mut rooms, &due, now).await?;
    let mut tx = turn.write().await?;
    let engine = tx.engine();
    let seen: Vec<(InvitationId, u32)> = due.iter().map(|d| (d.id, d.step)).collect();
    decided.keep_only(&invitations::take(&mut tx, engine, &seen, now).await?);
    let out_of_budget = keep_to_budget(lane, &mut tx, &mut decided, now).await?;
    let Decided { mut prepared, next, stopped, to_call } = decided;
    let moved = (next.len() - prepared.len() + stopped.len()) as u64 + u64::from(out_of_budget);
    mark(&mut tx, &mut prepared, now).await?;
    if lane.campaign.budget_micros.is_some() {
        campaigns::spend(&mut tx, lane.campaign.id, prepared.iter().map(|claimed| claimed.cost_micros).sum()).await?;
    }
    invitations::set_next(&mut tx, &next).await?;
    invitations::stop(&mut tx, &stopped).await?;
    call_queue::enter(&mut tx, lane.campaign.id, &to_call, now).await?;
    tx.commit().await?;
    if out_of_budget {
        tracing::error!(campaign = lane.campaign.code, "the next message would pass the campaign's budget; the campaign is paused");
    }
    Ok(Batch { messages: prepared, moved, looked_at: now, rooms })
}

/// Marks messages as being submitted (invariant I1), and keeps only those that were free to be.
async fn mark(tx: &mut WriteTx, prepared: &mut Vec<ClaimedMessage>, now: Timestamp) -> Result<(), DispatchError> {
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
    let begun = messages::begin_submit(tx, &new, now).await?;
    prepared.retain(|claimed| begun.contains(&claimed.key()));
    Ok(())
}

impl Decided {
    /// Forgets those that somebody has moved meanwhile.
    fn keep_only(&mut self, taken: &HashSet<InvitationId>) {
        self.prepared.retain(|claimed| taken.contains(&claimed.invitation));
        self.next.retain(|next| taken.contains(&next.id));
        self.stopped.retain(|id| taken.contains(id));
        self.to_call.retain(|entry| taken.contains(&entry.invitation));
    }
}

/// Decides about each invitation, and prepares the messages that may go.
async fn decide_about(
    lane: &Lane,
    connection: &mut AnyConnection,
    rooms: &mut Rooms,
    due: &[DueInvitation],
    now: Timestamp,
) -> Result<Decided, DispatchError> {
    let plan = lane.plan();
    let ids: Vec<InvitationId> = due.iter().map(|d| d.id).collect();
    let hashes: Vec<String> = due.iter().map(|d| d.phone_hash.clone()).collect();
    let cases = invitations::cases_of(connection, &ids).await?;
    let suppressed = suppressions::among(connection, &hashes, &lane.launched.programme, now).await?;
    let mut contacts: HashMap<String, Vec<Timestamp>> = HashMap::new();
    let sent = messages::recent_contacts(connection, &hashes, now - WEEK).await?;
    for (hash, at) in sent.into_iter().chain(calls::recent_contacts(connection, &hashes, now - WEEK).await?) {
        contacts.entry(hash).or_default().push(at);
    }
    let asks_what_happened = plan.has_telephone() || plan.steps.iter().any(Step::has_condition);
    let asked = if ids_of_interviews(due).is_empty() { HashMap::new() } else { sms_interviews::texts(connection, &ids_of_interviews(due)).await? };
    let talking = sms_interviews::under_way(connection, &hashes, now - DAY).await?;
    let facts = if asks_what_happened { calls::facts(connection, &ids).await? } else { HashMap::new() };
    let mut cases_of: HashMap<InvitationId, Vec<&InvitedCase>> = HashMap::new();
    cases.iter().for_each(|case| cases_of.entry(case.invitation).or_default().push(case));

    let mut decided = Decided::default();
    for invitation in due {
        let zones = zones_of_due(invitation, plan);
        let theirs = contacts.entry(invitation.phone_hash.clone()).or_default();
        let cases = cases_of.get(&invitation.id).map(Vec::as_slice).unwrap_or_default();
        let who = Circumstances {
            cases,
            suppressed: match suppressed.get(&invitation.phone_hash) {
                None => Suppressed::No,
                Some(None) => Suppressed::ForGood,
                Some(Some(until)) => Suppressed::Until(*until),
            },
            contacts: theirs,
            zones: &zones,
            phone_hash: &invitation.phone_hash,
            step: invitation.step,
        };
        let happened = happened(facts.get(&invitation.id).copied().unwrap_or_default(), invitation);
        let step = plan.steps.get(invitation.step as usize);
        // Who gets no messages, or whom the condition leaves out, goes on as if the step had been.
        if step.is_some_and(|step| !step.is_taken(&happened) || (happened.fixed_line && !step.is_telephone())) {
            decided.next.push(next_after(plan, invitation, &zones, !happened.fixed_line, now));
            continue;
        }
        // While somebody is being asked by SMS, no other message comes in between: a reply would be taken for an answer.
        let is_talking = talking.get(&invitation.phone_hash).is_some_and(|other| *other != invitation.id) && !step.is_some_and(Step::is_telephone);
        if is_talking && !is_answer(invitation.step) {
            decided.next.push(NextStep { id: invitation.id, step: invitation.step, at: Some(now + AFTER_TALK) });
            continue;
        }
        let decision = match (invitation.step, step.map(|step| &step.contact)) {
            (step, None) if is_answer(step) => decide_confirmation(&who, plan, now),
            (_, Some(Contact::Sms(_) | Contact::Interview(_))) => decide(&who, plan, &lane.installation.config.caps, now),
            (_, Some(Contact::Telephone { .. })) => decide_call(&who, now),
            (step, None) if goes_on_after(step).is_some() => decide_link(&who, plan, now),
            _ => Decision::Stop,
        };
        let later = |at| NextStep { id: invitation.id, step: invitation.step, at: Some(at) };
        match decision {
            Decision::Stop => decided.stopped.push(invitation.id),
            Decision::Later(at) => decided.next.push(later(at)),
            Decision::Call => {
                let most_calls = step.map_or(0, |step| if let Contact::Telephone { calls } = step.contact { calls } else { 0 });
                let language = invitation.language;
                decided.to_call.push(call_queue::Entry { invitation: invitation.id, step: invitation.step, most_calls, language });
                decided.next.push(next_after(plan, invitation, &zones, !happened.fixed_line, now));
            }
            Decision::Send => match prepare(lane, rooms, invitation, cases, zones, asked.get(&(invitation.id, question_of(invitation.step))), now) {
                Ok(Prepared::Message(claimed)) => {
                    // Counted at once: the same number may be due twice in this very batch.
                    theirs.push(now);
                    decided.next.push(next_after(plan, invitation, &claimed.zones, true, now));
                    decided.prepared.push(*claimed);
                }
                Ok(Prepared::Later(at)) => decided.next.push(later(at)),
                Ok(Prepared::Gone) => decided.next.push(next_after(plan, invitation, &zones_of_due(invitation, plan), true, now)),
                Ok(Prepared::Never) => {
                    tracing::error!(invitation = invitation.id.0, "no gateway of the campaign takes this number; the invitation is ended");
                    decided.stopped.push(invitation.id);
                }
                // Only a purged or foreign key gets here: this person can never be contacted again, the others can.
                Err(error) => {
                    tracing::error!(invitation = invitation.id.0, %error, "an invitation cannot be opened and is ended");
                    decided.stopped.push(invitation.id);
                }
            },
        }
    }
    Ok(decided)
}

/// Drops the messages that the campaign's budget has no money for, and pauses the campaign before it is passed. True: it is paused.
async fn keep_to_budget(lane: &Lane, tx: &mut WriteTx, decided: &mut Decided, now: Timestamp) -> Result<bool, DispatchError> {
    if lane.campaign.budget_micros.is_none() {
        return Ok(false);
    }
    // Read again: other workers spend as well, one claim after another.
    let campaign = campaigns::get(tx, lane.campaign.id).await?;
    let mut left = campaign.budget_micros.map_or(i64::MAX, |budget| budget - campaign.spent_micros);
    let affordable = decided
        .prepared
        .iter()
        .take_while(|claimed| {
            left -= claimed.cost_micros;
            left >= 0
        })
        .count();
    let unaffordable: Vec<InvitationId> = decided.prepared.drain(affordable..).map(|claimed| claimed.invitation).collect();
    if unaffordable.is_empty() {
        return Ok(false);
    }
    // They stay due, for the day when there is more money.
    decided.next.retain(|next| !unaffordable.contains(&next.id));
    campaigns::pause_because(tx, lane.campaign.id, "budget", now).await?;
    Ok(true)
}

enum Prepared {
    Message(Box<ClaimedMessage>),
    Later(Timestamp),
    Never,
    /// It is not to be said any more.
    Gone,
}

fn prepare(
    lane: &Lane,
    rooms: &mut Rooms,
    invitation: &DueInvitation,
    cases: &[&InvitedCase],
    zones: Zones,
    asked: Option<&Vec<u8>>,
    at: Timestamp,
) -> Result<Prepared, DispatchError> {
    let (installation, campaign, plan) = (&lane.installation, &lane.campaign, lane.plan());
    let sealer = installation.keys.sealer(&invitation.key_id)?;
    let phone = open_phone(&sealer, &invitation.phone_sealed)?;
    let (tried_on, said) = invitation.tried.as_ref().map_or((None, ""), |tried| (Some(tried.gateway.as_str()), tried.code.as_str()));
    let alone = said == REFUSED_TOGETHER;
    // What was only refused together with others is tried alone at the same gateway.
    let gateway = match rooms.place(&lane.route, &phone, &invitation.phone_hash, tried_on.filter(|_| !alone), at) {
        Place::Through(gateway) => gateway,
        Place::Later(at) => return Ok(Prepared::Later(at)),
        Place::Never => return Ok(Prepared::Never),
    };
    let person = open_person(&sealer, &invitation.person_sealed)?;
    let hasher = installation.keys.hasher();
    let link = format!("{}/i/{}", installation.config.public_url, hasher.link_code(&campaign.code, &invitation.key_id, &invitation.phone_hash));
    let askable: Vec<&&InvitedCase> = cases.iter().filter(|case| is_wanted(case, at)).collect();
    let addressee = Addressee {
        name: &person.name,
        applicant: &invitation.applicant_name,
        subjects: askable.iter().map(|case| case.subject.title()).collect(),
        link: &link,
        language: invitation.language,
        field_closes_at: askable.iter().map(|case| case.field_closes_at).min().unwrap_or(at),
    };
    let planned = plan.steps.get(invitation.step as usize).and_then(|step| Some((step.name.as_str(), step.texts()?)));
    let link = || plan.link_texts().filter(|_| invitation.step != CONFIRMATION_STEP);
    let (step, texts) = planned.or_else(link).unwrap_or((crate::adapters::sms::CONFIRMATION, &plan.confirmation));
    let mut composed = compose(plan, texts, &addressee, at);
    let step = if is_interview_step(invitation.step) {
        // Another question is asked by now.
        let Some(asked) = asked else { return Ok(Prepared::Gone) };
        let text = sealer.open_text(place::SMS_QUESTION, asked)?;
        composed.text = Personal::new(if is_reminder(invitation.step) { once_more(&text, invitation.language) } else { text });
        composed.segmentation = segment(composed.text.reveal());
        crate::adapters::sms::QUESTION
    } else {
        step
    };
    let parts = composed.segmentation.parts;
    Ok(Prepared::Message(Box::new(ClaimedMessage {
        invitation: invitation.id,
        step: invitation.step,
        phone_hash: invitation.phone_hash.clone(),
        zones,
        cost_micros: installation.config.gateways.get(&gateway).map_or(0, |g| g.cost_micros(parts)),
        gateway,
        tries: invitation.tried.as_ref().map_or(0, |tried| tried.tries) + 1,
        message: OutgoingMessage {
            reference: hasher.message_reference(invitation.id.0, invitation.step),
            to: phone,
            text: composed.text,
            parts,
            step: step.to_owned(),
            fields: composed.fields,
            alone,
        },
    })))
}

/// Those that are due with a message of an interview.
fn ids_of_interviews(due: &[DueInvitation]) -> Vec<InvitationId> {
    due.iter().filter(|invitation| is_interview_step(invitation.step)).map(|invitation| invitation.id).collect()
}

fn zones_of_due(invitation: &DueInvitation, plan: &ContactPlan) -> Zones {
    invitation.zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into())
}

fn happened(facts: calls::Facts, invitation: &DueInvitation) -> Happened {
    Happened {
        delivered: facts.is_delivered,
        begun: facts.has_begun,
        calls: facts.calls,
        reached: facts.is_reached,
        fixed_line: facts.is_fixed_line,
        language: invitation.language,
    }
}

/// The step that comes after this one, at the first open instant after its delay.
fn next_after(plan: &ContactPlan, invitation: &DueInvitation, zones: &Zones, gets_sms: bool, at: Timestamp) -> NextStep {
    // A question that is not answered is asked once more, a day later.
    if is_interview_step(invitation.step) && !is_reminder(invitation.step) && !is_answer(invitation.step) {
        let step = reminder_of(invitation.step);
        return NextStep { id: invitation.id, step, at: plan.next_contact(at + DAY, zones, &invitation.phone_hash, step) };
    }
    let following = goes_on_after(invitation.step).unwrap_or_else(|| invitation.step.saturating_add(1));
    match plan.step_from(following, gets_sms) {
        Some((step, after)) => NextStep { id: invitation.id, step, at: plan.next_contact(at + after, zones, &invitation.phone_hash, step) },
        None => NextStep { id: invitation.id, step: following, at: None },
    }
}
