//! What a respondent wants instead of answering now: never, not as a user, later, or by telephone.
//! Each is one transaction.

use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::invitation_cases::{InvitationCases, RequestConfirmation};
use super::save_page::{AnswerContext, stop_contacts_without_open_case};
use super::{InterviewError, InterviewService};
use crate::adapters::database::cases::{self, DispositionSource, WithdrawnCase};
use crate::adapters::database::replies::{self, NewReply};
use crate::adapters::database::{
    DatabaseError, WriteTx, campaigns, invitations, links, quotas, responses,
};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::mode::Mode;
use crate::domain::reply::ReplyMeaning;
use crate::domain::time::Timestamp;
use crate::services::sealing::seal_context;

/// When somebody would rather be reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReminderTime {
    ThisEvening,
    Tomorrow,
    InAWeek,
}

impl ReminderTime {
    pub fn parse(raw: &str) -> Option<ReminderTime> {
        match raw {
            "evening" => Some(ReminderTime::ThisEvening),
            "tomorrow" => Some(ReminderTime::Tomorrow),
            "week" => Some(ReminderTime::InAWeek),
            _ => None,
        }
    }

    fn timestamp(self, now: Timestamp, zone: Tz) -> Timestamp {
        const DAY: Duration = Duration::from_secs(86_400);
        match self {
            ReminderTime::ThisEvening => {
                let seven = NaiveTime::from_hms_opt(19, 0, 0).unwrap_or_default();
                let evening = Timestamp::from_local(now.date(zone).and_time(seven), zone);
                if evening > now { evening } else { evening + DAY }
            }
            ReminderTime::Tomorrow => now + DAY,
            ReminderTime::InAWeek => now + DAY * 7,
        }
    }
}

/// When somebody would like to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallTime {
    AnyTime,
    Morning,
    Afternoon,
    Evening,
}

impl CallTime {
    pub fn parse(raw: &str) -> Option<CallTime> {
        match raw {
            "any" => Some(CallTime::AnyTime),
            "morning" => Some(CallTime::Morning),
            "afternoon" => Some(CallTime::Afternoon),
            "evening" => Some(CallTime::Evening),
            _ => None,
        }
    }

    /// As the staff reads it in its inbox.
    fn inbox_text(self) -> &'static str {
        match self {
            CallTime::AnyTime => "请致电：任何时间 · please call at any time",
            CallTime::Morning => "请致电：上午 · please call in the morning",
            CallTime::Afternoon => "请致电：下午 · please call in the afternoon",
            CallTime::Evening => "请致电：晚上 · please call in the evening",
        }
    }
}

/// What was answered goes with the consent, whether it had been counted or not (Personal
/// Information Protection Law, articles 15 and 47). Where it stands in a dataset that is frozen, a
/// corrected version follows. The cases are locked by [`cases::lock_answered`].
pub async fn withdraw_answers(
    tx: &mut WriteTx,
    answered: &[WithdrawnCase],
    source: DispositionSource,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    for taken in answered.iter().filter(|taken| taken.is_complete) {
        quotas::subtract_complete(tx, taken.application, taken.cell_mask).await?;
    }
    let answered_cases: Vec<CaseId> = answered.iter().map(|taken| taken.case).collect();
    cases::mark_withdrawn(tx, &answered_cases, now).await?;
    cases::correct_disposition(tx, &answered_cases, Disposition::Refusal, source, now).await?;
    responses::delete_answers(tx, &answered_cases).await
}

impl InterviewService {
    /// The respondent is no user of this case's subject (AAPOR 4.1).
    pub async fn mark_not_eligible(
        &self,
        code: &str,
        case_index: usize,
        answer_context: AnswerContext,
    ) -> Result<(), InterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, Mode::Web).await?;
        if let Some(current) = invitation_cases.answerable_case(case_index) {
            cases::set_disposition(
                &mut tx,
                &[current.case.id],
                Disposition::NotEligible,
                &[],
                answer_context.source(),
                now,
            )
            .await?;
            stop_contacts_without_open_case(&mut tx, &invitation_cases).await?;
            invitations::mark_opened(&mut tx, invitation_cases.invitation.id, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The respondent has no time now. The next step of the plan moves to when it suits, within
    /// contact hours and before the field closes; what caps forbid is looked at when it is sent,
    /// like always. Where no step is left, the link goes on being good.
    pub async fn remind_later(&self, code: &str, when: ReminderTime) -> Result<(), InterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, Mode::Web).await?;
        let Some(closes_at) = invitation_cases.field_closes_at() else { return Ok(()) };
        if let Some(step) = invitations::next_contact(&mut tx, invitation_cases.invitation.id)
            .await?
            .and_then(|(slot, _)| slot.plan_step())
        {
            let campaign = campaigns::get(&mut tx, invitation_cases.invitation.campaign_id).await?;
            let plan = ContactPlan::from_stored(&campaign.plan)
                .map_err(|error| InterviewError::Plan { campaign: campaign.code, error })?;
            let zone = links::invited_person(&mut tx, invitation_cases.invitation.id).await?.zone;
            let zones = plan.zones_of(zone.as_deref());
            let wanted = when.timestamp(now, invitation_cases.programme.time_zone);
            let open = plan
                .hours
                .next_open(wanted, &zones)
                .filter(|at| *at < closes_at && (step as usize) < plan.steps.len());
            if let Some(at) = open {
                invitations::reschedule_step(&mut tx, invitation_cases.invitation.id, step, at)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The respondent would rather be called: a request in the staff's inbox, one a day.
    pub async fn request_call(&self, code: &str, when: CallTime) -> Result<(), InterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, Mode::Web).await?;
        let which = format!(
            "{}\n{}\n{}",
            Mode::Web,
            invitation_cases.invitation.id.0,
            now.date(invitation_cases.programme.time_zone)
        );
        let request = NewReply {
            gateway: Mode::Web.to_string(),
            dedup_hash: self.context.keys.hasher().fingerprint(which.as_bytes()),
            phone_hash: links::invited_person(&mut tx, invitation_cases.invitation.id)
                .await?
                .phone_hash,
            invitation: Some(invitation_cases.invitation.id),
            meaning: ReplyMeaning::CallMe.as_str(),
            text_sealed: Some(
                self.context
                    .keys
                    .sealer(invitation_cases.key_id())?
                    .seal(seal_context::REPLY, when.inbox_text().as_bytes())?,
            ),
            sender_sealed: None,
            is_unmatched: false,
        };
        replies::add(&mut tx, &request, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What to say of a wish that was written down: for «later», the day of the reminder that will
    /// come.
    pub async fn reminder_confirmation(
        &self,
        invitation_cases: &InvitationCases,
    ) -> Result<RequestConfirmation, InterviewError> {
        let next = invitations::next_contact(
            &mut *self.context.database.read().await?,
            invitation_cases.invitation.id,
        )
        .await?;
        Ok(RequestConfirmation::RemindedOn(next.map(|(_, at)| at)))
    }
}
