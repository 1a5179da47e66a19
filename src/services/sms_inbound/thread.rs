//! What was said to a person and what they said, in one thread, for somebody who deals with a reply.

use std::collections::BTreeMap;

use crate::adapters::crypto::{KeyRingError, SealError, Sealer};
use crate::adapters::database::timeline::{self, MessageDetails};
use crate::adapters::database::{
    DatabaseError, WriteTx, call_queue, campaigns, cases, invitations, links, replies,
    staff_answers, suppressions,
};
use crate::domain::contact_plan::{
    Contact, ContactPlan, ContactPlanError, MessageKind, MessageSlot, text_in,
};
use crate::domain::ids::InvitationId;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::sms_text::Template;
use crate::domain::time::Timestamp;
use crate::services::campaigns::message_text::{MessageRecipient, compose_message};
use crate::services::context::AppContext;
use crate::services::sealing::{open_person, open_phone, seal_context};

/// So often somebody is called who asked for it, where the plan has no calls.
const CALLS_ON_REQUEST: u32 = 3;

/// A thread with a person.
pub struct Thread {
    /// `None`: the person's data is deleted.
    pub person: Option<(Personal, Personal)>,
    pub entries: Vec<ThreadEntry>,
    /// The person waits for an interviewer already.
    pub is_in_queue: bool,
    /// The campaign runs, so that an answer can go out.
    pub is_running: bool,
    /// A case is open, so that an interviewer may call.
    pub has_open_case: bool,
    /// So many times the staff have answered.
    pub answers: u32,
    /// No contact at all: a suppression stands.
    pub is_suppressed: bool,
}

pub struct ThreadEntry {
    pub at: Timestamp,
    pub said: Said,
}

pub enum Said {
    /// A message to the person: its name in the plan, its text with the link left out, its state.
    Sent { name: String, text: Option<Personal>, message: MessageDetails },
    /// What a member of the staff has answered.
    Answered { by: String, text: Option<Personal>, state: AnswerState },
    /// A reply of theirs.
    Received { id: i64, meaning: String, text: Option<Personal> },
}

/// What has become of an answer.
pub enum AnswerState {
    /// It goes out from then on, when the hours allow.
    DueAt(Timestamp),
    /// The gateway has it, or had it.
    Sent(MessageDetails),
    /// It did not go out and never will: the person has opted out, or moved on, meanwhile.
    Dropped,
}

#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    #[error("there is no such reply any more")]
    NotFound,
    #[error("nobody can be called: the case is closed, or the number is suppressed")]
    NotCallable,
    #[error(transparent)]
    Plan(#[from] ContactPlanError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Returns the thread of an invitation, the earliest first.
pub async fn thread(context: &AppContext, invitation: InvitationId) -> Result<Thread, ThreadError> {
    let now = context.clock.now();
    let mut connection = context.database.read().await?;
    let invited = links::invited_person(&mut connection, invitation).await?;
    let campaign = campaigns::find(&mut connection, &invited.campaign).await?;
    let campaign = campaign.ok_or(ThreadError::NotFound)?;
    let plan = ContactPlan::from_stored(&campaign.plan)?;
    let subjects: Vec<String> = invitations::cases_of(&mut connection, &[invitation])
        .await?
        .iter()
        .map(|case| case.subject.title())
        .collect();
    let sealer = match context.keys.sealer(&invited.key_id) {
        Err(KeyRingError::Destroyed { .. }) => None,
        sealer => Some(sealer?),
    };
    let person = match &sealer {
        Some(sealer) => {
            let name = open_person(sealer, &invited.person_sealed)?.name;
            let phone = open_phone(sealer, &invited.phone_sealed)?;
            Some((name, Personal::new(phone.displayed())))
        }
        None => None,
    };
    let shown = |texts: &BTreeMap<Language, Template>| {
        let (name, _) = person.as_ref()?;
        text_in(texts, invited.language)?;
        let recipient = MessageRecipient {
            name,
            applicant: &invited.applicant,
            subjects: subjects.clone(),
            // The link is the person's own: who has it answers for them.
            link: "…",
            language: invited.language,
            field_closes_at: now,
        };
        Some(compose_message(&plan, texts, &recipient, now).text)
    };
    let (answers, messages): (Vec<MessageDetails>, Vec<MessageDetails>) =
        timeline::messages(&mut connection, invitation)
            .await?
            .into_iter()
            .partition(|message| message.slot.kind == MessageKind::StaffAnswer);
    let zones = plan.zones_of(invited.zone.as_deref());
    let mut entries = Vec::new();
    for answer in staff_answers::of_invitation(&mut connection, invitation).await? {
        let sent = answers.iter().find(|message| message.slot.number == answer.number);
        let slot = MessageSlot::new(MessageKind::StaffAnswer, answer.number);
        let goes_at =
            |at: Timestamp| plan.next_contact(at.max(now), &zones, &invited.phone_hash, slot);
        let state = match (sent, answer.due_at.and_then(goes_at)) {
            (Some(message), _) if message.state != "deferred" => AnswerState::Sent(message.clone()),
            (_, Some(at)) => AnswerState::DueAt(at),
            (_, None) => AnswerState::Dropped,
        };
        let at = match &state {
            AnswerState::Sent(message) => message.submitted_at.unwrap_or(message.claimed_at),
            _ => answer.written_at,
        };
        let text =
            open_text(sealer.as_ref(), seal_context::STAFF_ANSWER, answer.text_sealed.as_deref())?;
        // It was parsed when it was written.
        let template = text.and_then(|text| Template::parse_answer(text.reveal()).ok());
        let text =
            template.and_then(|template| shown(&BTreeMap::from([(invited.language, template)])));
        entries
            .push(ThreadEntry { at, said: Said::Answered { by: answer.written_by, text, state } });
    }
    for message in messages {
        let step = message.slot.plan_step().and_then(|step| plan.steps.get(step as usize));
        let texts = match message.slot.kind {
            MessageKind::Step => step.and_then(|step| step.texts()),
            MessageKind::CallLink | MessageKind::SmsLink => {
                plan.link_texts().map(|(_, texts)| texts)
            }
            _ => None,
        };
        let text = texts.and_then(shown);
        entries.push(ThreadEntry {
            at: message.submitted_at.unwrap_or(message.claimed_at),
            said: Said::Sent {
                name: step.map(|step| step.name.clone()).unwrap_or_default(),
                text,
                message,
            },
        });
    }
    for reply in replies::of_invitation(&mut connection, invitation).await? {
        let text = open_text(sealer.as_ref(), seal_context::REPLY, reply.text_sealed.as_deref())?;
        entries.push(ThreadEntry {
            at: reply.received_at,
            said: Said::Received { id: reply.id, meaning: reply.meaning, text },
        });
    }
    entries.sort_by_key(|entry| entry.at);
    let programme =
        crate::adapters::database::programmes::get(&mut connection, campaign.programme_id).await?;
    let hash = std::slice::from_ref(&invited.phone_hash);
    let suppressed = suppressions::among(&mut connection, hash, &programme.code, now).await?;
    Ok(Thread {
        person,
        entries,
        is_running: campaign.state != campaigns::CampaignState::Closed,
        has_open_case: !cases::open_of_invitations(&mut connection, &[invitation])
            .await?
            .is_empty(),
        answers: staff_answers::count(&mut connection, invitation).await?,
        is_in_queue: call_queue::is_waiting(&mut connection, invitation).await?,
        is_suppressed: !suppressed.is_empty(),
    })
}

fn open_text(
    sealer: Option<&Sealer>,
    context: &str,
    sealed: Option<&[u8]>,
) -> Result<Option<Personal>, SealError> {
    match (sealer, sealed) {
        (Some(sealer), Some(sealed)) => Ok(Some(Personal::new(sealer.open_text(context, sealed)?))),
        _ => Ok(None),
    }
}

/// Promises the person of a reply a call as soon as the plan's hours allow, and marks the reply as
/// dealt with. Who is not in the interviewers' queue yet gets into it.
pub async fn hand_to_interviewers(context: &AppContext, reply: i64) -> Result<(), ThreadError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let entry = replies::find(&mut tx, reply).await?.ok_or(ThreadError::NotFound)?;
    let invitation = entry.invitation.ok_or(ThreadError::NotCallable)?;
    if cases::open_of_invitations(&mut tx, &[invitation]).await?.is_empty() {
        return Err(ThreadError::NotCallable);
    }
    let invited = links::invited_person(&mut tx, invitation).await?;
    let campaign = campaigns::find(&mut tx, &invited.campaign).await?;
    let campaign = campaign.ok_or(ThreadError::NotFound)?;
    if is_suppressed(&mut tx, &campaign, &invited.phone_hash, now).await? {
        return Err(ThreadError::NotCallable);
    }
    if !call_queue::is_waiting(&mut tx, invitation).await? {
        let plan = ContactPlan::from_stored(&campaign.plan)?;
        let call = (0..).zip(&plan.steps).find_map(|(number, step)| match step.contact {
            Contact::Telephone { calls, .. } => Some((number, calls)),
            _ => None,
        });
        let (step, max_calls) = call.unwrap_or((0, CALLS_ON_REQUEST));
        let new =
            call_queue::NewQueueEntry { invitation, step, max_calls, language: invited.language };
        call_queue::enqueue(&mut tx, campaign.id, &[new], now).await?;
    }
    call_queue::promise(&mut tx, invitation, now).await?;
    replies::mark_handled(&mut tx, reply, now).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn is_suppressed(
    tx: &mut WriteTx,
    campaign: &campaigns::Campaign,
    phone_hash: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let programme = crate::adapters::database::programmes::get(tx, campaign.programme_id).await?;
    let hash = [phone_hash.to_owned()];
    Ok(!suppressions::among(tx, &hash, &programme.code, now).await?.is_empty())
}
