//! What a member of the staff answers to a reply by SMS.
//!
//! The answer is a message of the person's invitation with a place of its own (invariant I1). It goes
//! out within the plan's contact hours and never to a suppressed number (I2), though the case is
//! closed by then; the step that was planned comes after it. Its text is sealed like the reply.

use std::collections::BTreeMap;

use sqlx::AnyConnection;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::staff_answers::{self, NewStaffAnswer};
use crate::adapters::database::{
    DatabaseError, WriteTx, campaigns, invitations, links, replies, sms_interviews,
};
use crate::adapters::sms::STAFF_ANSWER;
use crate::domain::contact_plan::{ContactPlan, ContactPlanError};
use crate::domain::ids::InvitationId;
use crate::domain::personal::Personal;
use crate::domain::phone::PhoneKind;
use crate::domain::sms_text::{Template, TemplateError};
use crate::domain::time::Timestamp;
use crate::services::campaigns::message_text::{
    MessagePreview, MessageRecipient, PartPrice, compose_message, preview_message,
};
use crate::services::context::AppContext;
use crate::services::sealing::{open_person, open_phone, seal_context};
use crate::services::sms_sending::INTERVIEW_IS_STALE;

/// Characters of an answer; the parts it may have are fewer.
const MAX_CHARACTERS: usize = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("there is no such reply any more")]
    NotFound,
    #[error("write what the person is to read")]
    Empty,
    #[error(transparent)]
    Text(TemplateError),
    #[error("the answer has {parts} parts, allowed are {max}; shorten it")]
    TooLong { parts: u32, max: u32 },
    #[error("nobody here was ever written to at this number, so no campaign sends an answer")]
    Stranger,
    #[error("the person's data is deleted")]
    Deleted,
    #[error("this number gets no SMS; give the reply to the interviewers")]
    FixedLine,
    #[error("the number is suppressed: no messages and no calls")]
    Suppressed,
    #[error(
        "the campaign has ended and sends nothing any more; ring them yourself if they need an answer"
    )]
    CampaignEnded,
    #[error(
        "gateway {gateway} sends approved templates only and has none for answers; give the reply \
            to the interviewers, or add [template.{STAFF_ANSWER}] with {{text}} to its file"
    )]
    ApprovedTemplates { gateway: String },
    #[error(
        "the person is answering the questionnaire by SMS, and would answer this message instead; \
            wait until they have finished, or give the reply to the interviewers"
    )]
    Interviewing,
    #[error("somebody has answered meanwhile; read the thread, then answer again if need be")]
    AnsweredMeanwhile,
    #[error("another message to this person is on its way; answer when it has gone out")]
    MessageOnItsWay,
    #[error(transparent)]
    Plan(#[from] ContactPlanError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Shows an answer as it will look; nothing is kept.
pub async fn preview(
    context: &AppContext,
    reply: i64,
    text: &str,
) -> Result<MessagePreview, AnswerError> {
    let mut connection = context.database.read().await?;
    Addressee::find(context, &mut connection, reply).await?.compose(context, text)
}

/// An answer, as somebody has written it.
pub struct WrittenAnswer<'a> {
    pub text: &'a str,
    /// The account.
    pub by: &'a str,
    /// So many answers to the person were on the page.
    pub seen: u32,
}

/// Answers a reply by SMS, and marks it as dealt with. The caller writes it down. Returns false if
/// this very answer is there already: a form that was sent twice sends one message.
pub async fn answer(
    context: &AppContext,
    tx: &mut WriteTx,
    reply: i64,
    written: &WrittenAnswer<'_>,
) -> Result<bool, AnswerError> {
    let WrittenAnswer { text, by, seen } = *written;
    let now = context.clock.now();
    let to = Addressee::find(context, tx, reply).await?;
    let composed = to.compose(context, text)?;
    if composed.parts > to.plan.max_parts {
        return Err(AnswerError::TooLong { parts: composed.parts, max: to.plan.max_parts });
    }
    to.check(context, tx, now).await?;
    let sealer = context.keys.sealer(&to.person.key_id)?;
    let answers = staff_answers::of_invitation(tx, to.invitation).await?;
    if answers.len() != seen as usize {
        let last = answers.last().and_then(|answer| answer.text_sealed.as_deref());
        let last = last.map(|sealed| sealer.open_text(seal_context::STAFF_ANSWER, sealed));
        return match last.transpose()?.is_some_and(|last| last == text.trim()) {
            true => Ok(false),
            false => Err(AnswerError::AnsweredMeanwhile),
        };
    }
    let new = NewStaffAnswer {
        invitation: to.invitation,
        reply,
        text_sealed: sealer.seal(seal_context::STAFF_ANSWER, text.trim().as_bytes())?,
        written_by: by.to_owned(),
    };
    if staff_answers::add(tx, &new, now).await?.is_none() {
        return Err(AnswerError::MessageOnItsWay);
    }
    replies::mark_handled(tx, reply, now).await?;
    Ok(true)
}

/// Who is answered.
struct Addressee {
    invitation: InvitationId,
    person: links::InvitedPerson,
    campaign: campaigns::Campaign,
    plan: ContactPlan,
    name: Personal,
    is_mobile: bool,
    subjects: Vec<String>,
    field_closes_at: Timestamp,
}

impl Addressee {
    async fn find(
        context: &AppContext,
        connection: &mut AnyConnection,
        reply: i64,
    ) -> Result<Addressee, AnswerError> {
        let entry = replies::find(connection, reply).await?.ok_or(AnswerError::NotFound)?;
        let invitation = entry.invitation.ok_or(AnswerError::Stranger)?;
        let person = links::invited_person(connection, invitation).await?;
        let campaign = campaigns::find(connection, &person.campaign).await?;
        let campaign = campaign.ok_or(AnswerError::NotFound)?;
        let plan = ContactPlan::from_stored(&campaign.plan)?;
        let cases = invitations::cases_of(connection, &[invitation]).await?;
        let sealer = match context.keys.sealer(&person.key_id) {
            Err(KeyRingError::Destroyed { .. }) => return Err(AnswerError::Deleted),
            sealer => sealer?,
        };
        let phone = open_phone(&sealer, &person.phone_sealed).map_err(|_| AnswerError::Deleted)?;
        Ok(Addressee {
            invitation,
            name: open_person(&sealer, &person.person_sealed)?.name,
            is_mobile: phone.kind() == PhoneKind::Mobile,
            subjects: cases.iter().map(|case| case.subject.title()).collect(),
            field_closes_at: cases
                .iter()
                .map(|case| case.field_closes_at)
                .min()
                .unwrap_or(Timestamp(0)),
            person,
            campaign,
            plan,
        })
    }

    /// The message as the person will read it, with a link of the length of their own.
    fn compose(&self, context: &AppContext, text: &str) -> Result<MessagePreview, AnswerError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AnswerError::Empty);
        }
        let text: String = text.chars().take(MAX_CHARACTERS).collect();
        let template = Template::parse_answer(&text).map_err(AnswerError::Text)?;
        let now = context.clock.now();
        let link = context.personal_link(SAMPLE_CODE);
        let recipient = MessageRecipient {
            name: &self.name,
            applicant: &self.person.applicant,
            subjects: self.subjects.clone(),
            link: &link,
            language: self.person.language,
            field_closes_at: self.field_closes_at.max(now),
        };
        let texts = BTreeMap::from([(self.person.language, template)]);
        let composed = compose_message(&self.plan, &texts, &recipient, now);
        Ok(preview_message(composed.text, &PartPrice::of(context, &self.campaign.gateway)))
    }

    /// Whatever stands against an answer.
    async fn check(
        &self,
        context: &AppContext,
        tx: &mut WriteTx,
        now: Timestamp,
    ) -> Result<(), AnswerError> {
        if !self.is_mobile {
            return Err(AnswerError::FixedLine);
        }
        if self.campaign.state == campaigns::CampaignState::Closed {
            return Err(AnswerError::CampaignEnded);
        }
        if super::thread::is_suppressed(tx, &self.campaign, &self.person.phone_hash, now).await? {
            return Err(AnswerError::Suppressed);
        }
        let route = context.config.route(&self.campaign.gateway);
        for name in route.iter().flat_map(|route| route.gateways()) {
            let gateway = context.gateways.get(name);
            if gateway.is_some_and(|gateway| gateway.check_step(STAFF_ANSWER).is_err()) {
                return Err(AnswerError::ApprovedTemplates { gateway: name.to_owned() });
            }
        }
        let hash = std::slice::from_ref(&self.person.phone_hash);
        let interviews = sms_interviews::under_way(tx, hash, now - INTERVIEW_IS_STALE).await?;
        if !interviews.is_empty() {
            return Err(AnswerError::Interviewing);
        }
        Ok(())
    }
}

/// Stands for a personal link: its code has the same length.
const SAMPLE_CODE: &str = "0123456789ABCDEF";
