//! Prepares a due message: assigns its gateway and composes its text.

use std::collections::BTreeMap;

use super::capacity::{GatewayAssignment, RouteCapacity};
use super::claim::ClaimedMessage;
use super::claim_facts::ClaimFacts;
use super::eligibility::may_be_contacted;
use super::{DispatchError, DispatchJob};
use crate::adapters::database::invitations::{DueInvitation, InvitedCase};
use crate::adapters::sms::{self, BATCH_REFUSED, OutgoingMessage};
use crate::domain::contact_plan::{ContactPlan, MessageKind, MessageSlot};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::sms_interview::compose_reminder;
use crate::domain::sms_text::{Template, measure_parts};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::campaigns::message_text::{
    ComposedMessage, MessageRecipient, compose_for_gateway,
};
use crate::services::sealing::{open_person, open_phone, seal_context};

/// A message that is due, or why there is none now.
pub enum PreparedMessage {
    Ready(Box<ClaimedMessage>),
    /// No gateway has room before this time.
    RetryAt(Timestamp),
    /// No gateway of the route takes this number.
    NoGateway,
    /// The interview has gone on; the question is not asked any more. Or the answer is deleted.
    Obsolete,
}

/// Prepares the message of one invitation. An error means that its key is purged or foreign.
pub fn prepare_message(
    job: &DispatchJob,
    facts: &ClaimFacts,
    capacity: &mut RouteCapacity,
    invitation: &DueInvitation,
    zones: Zones,
    now: Timestamp,
) -> Result<PreparedMessage, DispatchError> {
    let (context, slot) = (&job.context, invitation.upcoming.slot);
    let sealer = context.keys.sealer(&invitation.key_id)?;
    let phone = open_phone(&sealer, &invitation.phone_sealed)?;
    let last = invitation.last_attempt.as_ref();
    // What a gateway refused only together with others is tried alone at the same gateway.
    let must_be_alone = last.is_some_and(|attempt| attempt.code == BATCH_REFUSED);
    let avoided = last.filter(|_| !must_be_alone).map(|attempt| attempt.gateway.as_str());
    let assignment =
        capacity.assign_gateway(&job.route, &phone, &invitation.phone_hash, avoided, now);
    let gateway = match assignment {
        GatewayAssignment::Assigned(gateway) => gateway,
        GatewayAssignment::RetryAt(at) => return Ok(PreparedMessage::RetryAt(at)),
        GatewayAssignment::NoGateway => return Ok(PreparedMessage::NoGateway),
    };
    let person = open_person(&sealer, &invitation.person_sealed)?;
    let answer = match slot.kind {
        MessageKind::StaffAnswer => {
            let Some(sealed) = facts.answer_text(invitation) else {
                return Ok(PreparedMessage::Obsolete);
            };
            let text = sealer.open_text(seal_context::STAFF_ANSWER, sealed)?;
            // It was parsed when it was written.
            let Ok(template) = Template::parse_answer(&text) else {
                return Ok(PreparedMessage::Obsolete);
            };
            BTreeMap::from([(invitation.language, template)])
        }
        _ => BTreeMap::new(),
    };
    let own_words = (&person.name, &answer);
    let (step, mut composed) =
        compose(job, invitation, facts.cases(invitation), (own_words, &gateway), now);
    if slot.kind.is_interview() {
        let Some(sealed) = facts.question_text(invitation) else {
            return Ok(PreparedMessage::Obsolete);
        };
        let text = sealer.open_text(seal_context::SMS_QUESTION, sealed)?;
        composed.text = Personal::new(match slot.kind {
            MessageKind::QuestionReminder => compose_reminder(&text, invitation.language),
            _ => text,
        });
        composed.segmentation = measure_parts(composed.text.reveal());
    }
    let parts = composed.segmentation.parts;
    Ok(PreparedMessage::Ready(Box::new(ClaimedMessage {
        invitation: invitation.id,
        upcoming: invitation.upcoming,
        phone_hash: invitation.phone_hash.clone(),
        zones,
        cost_micros: context.config.gateways.get(&gateway).map_or(0, |g| g.cost_micros(parts)),
        gateway,
        attempt_count: last.map_or(0, |attempt| attempt.attempt_count) + 1,
        message: OutgoingMessage {
            reference: context.keys.hasher().message_reference(invitation.id.0, slot),
            to: phone,
            text: composed.text,
            parts,
            step,
            fields: composed.fields,
            must_be_alone,
            part: None,
        },
    })))
}

/// Composes the text, and names the step under which gateways with approved templates know it.
fn compose(
    job: &DispatchJob,
    invitation: &DueInvitation,
    cases: &[InvitedCase],
    ((name, answer), gateway): ((&Personal, &BTreeMap<Language, Template>), &str),
    now: Timestamp,
) -> (String, ComposedMessage) {
    let (context, campaign, plan) = (&job.context, &job.campaign, job.plan());
    let code =
        context.keys.hasher().link_code(&campaign.code, &invitation.key_id, &invitation.phone_hash);
    let link = context.personal_link(&code);
    let askable: Vec<&InvitedCase> =
        cases.iter().filter(|case| may_be_contacted(case, now)).collect();
    let recipient = MessageRecipient {
        name,
        applicant: &invitation.applicant_name,
        subjects: askable.iter().map(|case| case.subject.title()).collect(),
        link: &link,
        language: invitation.language,
        field_closes_at: askable.iter().map(|case| case.field_closes_at).min().unwrap_or(now),
    };
    let slot = invitation.upcoming.slot;
    let kind = slot.kind;
    let confirmation = (sms::CONFIRMATION, &plan.confirmation);
    let (step, texts) = match kind {
        MessageKind::Step => step_texts(plan, invitation).unwrap_or(confirmation),
        MessageKind::Confirmation if slot == MessageSlot::RESUBSCRIPTION => {
            (sms::RESUBSCRIPTION, &plan.resubscription)
        }
        MessageKind::Confirmation => confirmation,
        MessageKind::StaffAnswer => (sms::STAFF_ANSWER, answer),
        _ => plan.link_texts().unwrap_or(confirmation),
    };
    let step = if kind.is_interview() { sms::QUESTION } else { step };
    let gateway = context.gateways.get(gateway).map(|gateway| gateway.as_ref());
    let (composed, _) = compose_for_gateway(plan, (step, texts), &recipient, now, gateway);
    (step.to_owned(), composed)
}

type StepTexts<'a> = (&'a str, &'a BTreeMap<Language, Template>);

fn step_texts<'a>(plan: &'a ContactPlan, invitation: &DueInvitation) -> Option<StepTexts<'a>> {
    let step = plan.steps.get(invitation.upcoming.slot.plan_step()? as usize)?;
    Some((step.name.as_str(), step.texts()?))
}
