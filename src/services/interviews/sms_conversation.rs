//! The interview by SMS: what a reply means where somebody is being asked, and what is asked next.
//!
//! In go replies that are on disk ([`incoming::process_reply`]); out come answers (`collect/`'s, as
//! on the web) and the next question, planned as a step of its own so that the dispatcher sends it
//! within contact hours, once (invariant I1). A number has one interview under way at most,
//! whosever lists it is on: what belongs to one never comes to another. A reply is an answer to the
//! question that had gone out when it was sent; one that was sent before belongs to the question
//! before. Whatever breaks off half-way is done again when the gateway pushes the reply again, and
//! comes to the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::invitations::{self, NextContact};
use crate::adapters::database::sms_interviews::{self, AskedQuestion, SmsInterview};
use crate::adapters::database::{DatabaseError, campaigns, links, messages, replies};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError, MessageKind, MessageSlot};
use crate::domain::device::DeviceClass;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{InvitationId, MessageKey};
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{
    AnswerProblem, ChoiceOption, Item, ItemKind, ReadingContext, TextPiping,
};
use crate::domain::reply::ReplyMeaning;
use crate::domain::sms_interview::{
    ParsedReply, Prefix, QuestionMessage, compose_goodbye, compose_question, is_agreement,
    parse_reply, requests_link, requests_link_instead,
};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::interviews::{
    AnswerContext, InterviewError, InterviewService, InvitationCases, SaveOutcome, SubmittedPage,
};
use crate::services::sealing::seal_context;
use crate::services::sms_inbound::{StoredReply, carry_out_opt_out};
use crate::services::sms_sending::DispatchError;

/// Replies to one question that are answered with «not understood»; after that the respondent is
/// left to the link.
const MAX_CORRECTIONS: u32 = 1;
/// Nobody reads a message and answers it within so long of its submit: such a reply was on its way
/// before.
const MIN_READING_TIME: Duration = Duration::from_secs(4);
/// Replies that come at the same moment are taken one after another; so often one is looked at
/// again.
const MAX_ATTEMPTS: usize = 5;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "sms_interview.", serialize_all = "snake_case")]
pub enum SmsInterviewError {
    #[error("campaign {code}: its stored plan cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Interview(#[from] InterviewError),
    #[error(transparent)]
    #[strum(transparent)]
    Dispatch(#[from] DispatchError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

const BY_SMS: AnswerContext = AnswerContext { mode: Mode::Sms, since: None, account: None };

/// Somebody who may be interviewed.
struct SmsConversation<'a> {
    context: &'a AppContext,
    interview_service: &'a InterviewService,
    reply: &'a StoredReply,
    invitation: InvitationId,
    code: String,
    key_id: String,
    plan: ContactPlan,
}

/// Takes a reply as a part of an interview, if it is one.
pub async fn handle_reply(
    context: &AppContext,
    interview_service: &InterviewService,
    reply: &StoredReply,
) -> Result<(), SmsInterviewError> {
    // A wish to be called stays in the staff's inbox.
    if reply.meaning != ReplyMeaning::Other {
        return Ok(());
    }
    for _ in 0..MAX_ATTEMPTS {
        if try_handle_reply(context, interview_service, reply).await? {
            break;
        }
    }
    Ok(())
}

/// False: another reply of the same number came in between; it is to be looked at again.
async fn try_handle_reply(
    context: &AppContext,
    interview_service: &InterviewService,
    reply: &StoredReply,
) -> Result<bool, SmsInterviewError> {
    let active_interview = {
        let mut connection = context.database.read().await?;
        if replies::is_consumed(&mut connection, &reply.dedup_hash).await? != Some(false) {
            return Ok(true);
        }
        sms_interviews::find_by_phone(&mut connection, &reply.phone_hash).await?
    };
    match (active_interview, &reply.contacted) {
        (Some(interview), _) => {
            SmsConversation::load(context, interview_service, reply, interview.invitation)
                .await?
                .handle_answer(interview)
                .await
        }
        (None, Some(contacted))
            if is_agreement(reply.text.reveal()) || requests_link(reply.text.reveal()) =>
        {
            SmsConversation::load(context, interview_service, reply, contacted.invitation)
                .await?
                .start_interview()
                .await
        }
        // Not asked: for the staff's inbox.
        _ => Ok(true),
    }
}

/// What comes after a reply.
enum NextMessage {
    /// The item is asked.
    Ask { question: AskedQuestion, prefix: Prefix, corrections: u32 },
    /// All is asked, or nothing can be answered any more.
    End { is_complete: bool },
    /// The link, for whoever would rather go on there.
    Link,
}

impl SmsConversation<'_> {
    async fn load<'a>(
        context: &'a AppContext,
        interview_service: &'a InterviewService,
        reply: &'a StoredReply,
        invitation: InvitationId,
    ) -> Result<SmsConversation<'a>, SmsInterviewError> {
        let mut connection = context.database.read().await?;
        let to = links::invited_person(&mut connection, invitation).await?;
        let campaign = campaigns::find(&mut connection, &to.campaign).await?;
        let plan = campaign.map(|campaign| ContactPlan::from_stored(&campaign.plan)).transpose();
        let plan =
            plan.map_err(|error| SmsInterviewError::Plan { code: to.campaign.clone(), error })?;
        let plan = plan.ok_or(DatabaseError::Unreadable {
            what: "an invitation",
            value: "without campaign".into(),
        })?;
        let code = context.keys.hasher().link_code(&to.campaign, &to.key_id, &to.phone_hash);
        Ok(SmsConversation {
            context,
            interview_service,
            reply,
            invitation,
            code,
            key_id: to.key_id,
            plan,
        })
    }

    /// Whoever has been offered an interview and agrees is asked the first question.
    async fn start_interview(&self) -> Result<bool, SmsInterviewError> {
        let sent = messages::steps_sent(&mut *self.context.database.read().await?, self.invitation)
            .await?;
        let was_offered = sent.iter().any(|step| {
            self.plan.steps.get(*step as usize).is_some_and(|step| step.offers_sms_interview())
        });
        if !was_offered {
            return Ok(true);
        }
        if requests_link(self.reply.text.reveal()) {
            return self.plan_next(None, NextMessage::Link, None).await;
        }
        let invitation_cases =
            self.interview_service.open_invitation(&self.code, Mode::Sms).await?;
        let ended =
            sms_interviews::find(&mut *self.context.database.read().await?, self.invitation)
                .await?
                .is_some_and(|known| !known.is_asking);
        if ended && matches!(next_question(&invitation_cases, None), NextMessage::End { .. }) {
            // «好的» to the goodbye, or an answer that comes late: nobody is thanked twice.
            return self.mark_handled().await;
        }
        let notice = invitation_cases.programme.privacy.version.clone();
        self.interview_service
            .begin(&self.code, invitation_cases.language(), &notice, BY_SMS)
            .await?;
        let invitation_cases =
            self.interview_service.open_invitation(&self.code, Mode::Sms).await?;
        let next = next_question(&invitation_cases, None);
        self.plan_next(None, next, None).await
    }

    /// A reply to what was asked last, or to what was asked before that.
    async fn handle_answer(&self, interview: SmsInterview) -> Result<bool, SmsInterviewError> {
        let (text, sent_at) = (self.reply.text.reveal(), self.reply.sent_at);
        if self.requests_link_instead(&interview.current, text).await? {
            return self.plan_next(Some(&interview), NextMessage::Link, None).await;
        }
        let words = &self.context.config.replies.words;
        if words.is_upset(text, true) && !self.is_open_question(&interview.current).await? {
            // A person answers, and no machine.
            return self.leave_to_staff(ReplyMeaning::Other).await;
        }
        let asked_at = messages::submitted_at(
            &mut *self.context.database.read().await?,
            MessageKey {
                invitation: self.invitation,
                slot: MessageSlot::new(MessageKind::Question, interview.question_seq),
            },
        )
        .await?;
        // Sent before the question had gone out: nobody answers what they have not been asked.
        if asked_at.is_none_or(|asked_at| sent_at <= asked_at + MIN_READING_TIME) {
            if let Some((before, answered_at)) = &interview.previous
                && sent_at > *answered_at
            {
                // Another word on the question before: the later one counts. The same one twice
                // changes nothing.
                if let Ok(raw) = self.parse_reply(before, text).await? {
                    self.save(before, &raw).await?;
                }
            }
            return self.mark_handled().await;
        }
        let current = interview.current.clone();
        let again = |problem: AnswerProblem| match interview.unclear_count {
            corrections if corrections < MAX_CORRECTIONS => NextMessage::Ask {
                question: current.clone(),
                prefix: Prefix::Rejected(problem),
                corrections: corrections + 1,
            },
            _ => NextMessage::Link,
        };
        let next = match self.parse_reply(&current, text).await? {
            // «N» is an answer to some questions, and a no where it is none.
            Err(AnswerProblem::OutOfRange) if words.meaning(text, false) != ReplyMeaning::Other => {
                return self.leave_to_staff(words.meaning(text, false)).await;
            }
            Err(problem) => again(problem),
            Ok(raw) => match self.save(&current, &raw).await? {
                SaveOutcome::Problems(problems) => {
                    again(problems.into_values().next().unwrap_or(AnswerProblem::OutOfRange))
                }
                SaveOutcome::Accepted
                | SaveOutcome::NotAccepting
                | SaveOutcome::PlacesReserved
                | SaveOutcome::AnsweredOnWeb => next_question(
                    &self.interview_service.open_invitation(&self.code, Mode::Sms).await?,
                    Some(&current),
                ),
            },
        };
        let answered = matches!(
            &next,
            NextMessage::Ask { prefix: Prefix::None, .. } | NextMessage::End { .. }
        )
        .then_some((current, sent_at));
        self.plan_next(Some(&interview), next, answered).await
    }

    /// The reply in the form that is stored; empty: it leaves out what may be left out. `Err`: it is
    /// no answer to this item. «Yesterday» is reckoned from when the reply was sent.
    async fn parse_reply(
        &self,
        question: &AskedQuestion,
        text: &str,
    ) -> Result<Result<String, AnswerProblem>, SmsInterviewError> {
        let invitation_cases =
            self.interview_service.open_invitation(&self.code, Mode::Sms).await?;
        let Some((item, choices)) = find_item(&invitation_cases, question) else {
            return Ok(Err(AnswerProblem::OutOfRange));
        };
        let reading = ReadingContext {
            today: self.reply.sent_at.date(self.plan.time_zone),
            language: invitation_cases.language(),
        };
        Ok(match parse_reply(item, &choices, text, reading) {
            ParsedReply::Answer(raw) => Ok(raw),
            ParsedReply::Skip => Ok(String::new()),
            ParsedReply::Unclear => Err(AnswerProblem::OutOfRange),
            ParsedReply::Rejected(problem) => Err(problem),
        })
    }

    async fn requests_link_instead(
        &self,
        question: &AskedQuestion,
        text: &str,
    ) -> Result<bool, SmsInterviewError> {
        let invitation_cases =
            self.interview_service.open_invitation(&self.code, Mode::Sms).await?;
        Ok(match find_item(&invitation_cases, question) {
            Some((item, choices)) => requests_link_instead(item, &choices, text),
            None => requests_link(text),
        })
    }

    async fn save(
        &self,
        question: &AskedQuestion,
        raw: &str,
    ) -> Result<SaveOutcome, SmsInterviewError> {
        let invitation_cases =
            self.interview_service.open_invitation(&self.code, Mode::Sms).await?;
        let Some(case) = invitation_cases.cases.get(question.place) else {
            return Ok(SaveOutcome::NotAccepting);
        };
        let page = case
            .application
            .questionnaire
            .pages
            .iter()
            .position(|page| page.items.iter().any(|item| item.id == question.item))
            .unwrap_or(0);
        let fields = BTreeMap::from([(question.item.clone(), raw.to_owned())]);
        let sent = SubmittedPage {
            answer_context: BY_SMS,
            case: question.place,
            page,
            single_item: Some(&question.item),
            fields: &fields,
            language: invitation_cases.language(),
            device: DeviceClass::Phone,
            origin: None,
            shown_at: None,
        };
        Ok(self.interview_service.save_page(&self.code, &sent).await?)
    }

    /// A question that any words may answer.
    async fn is_open_question(&self, question: &AskedQuestion) -> Result<bool, SmsInterviewError> {
        let invitation_cases =
            self.interview_service.open_invitation(&self.code, Mode::Sms).await?;
        Ok(find_item(&invitation_cases, question)
            .is_some_and(|(item, _)| matches!(item.kind, ItemKind::Open { .. })))
    }

    /// The reply is no answer: it is what it means, and stays in the inbox. The interview waits.
    async fn leave_to_staff(&self, meaning: ReplyMeaning) -> Result<bool, SmsInterviewError> {
        let mut tx = self.context.database.write().await?;
        if meaning == ReplyMeaning::OptOut {
            carry_out_opt_out(self.context, &mut tx, self.reply, true).await?;
        }
        let now = self.context.clock.now();
        replies::set_meaning(&mut tx, &self.reply.dedup_hash, meaning.as_str()).await?;
        replies::mark_not_understood(&mut tx, &self.reply.dedup_hash, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn mark_handled(&self) -> Result<bool, SmsInterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        replies::mark_consumed(&mut tx, &self.reply.dedup_hash, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Plans what comes next, and notes that the reply is taken, in one transaction.
    async fn plan_next(
        &self,
        interview: Option<&SmsInterview>,
        next: NextMessage,
        answered: Option<(AskedQuestion, Timestamp)>,
    ) -> Result<bool, SmsInterviewError> {
        let now = self.context.clock.now();
        let invitation_cases =
            self.interview_service.open_invitation(&self.code, Mode::Sms).await?;
        let mut tx = self.context.database.write().await?;
        let planned = invitations::upcoming(&mut tx, self.invitation).await?;
        let before = sms_interviews::find(&mut tx, self.invitation).await?;
        let is_superseded = match (&before, interview) {
            (Some(known), Some(seen)) => {
                known.question_seq != seen.question_seq || !known.is_asking
            }
            (Some(known), None) => known.is_asking,
            (None, _) => false,
        };
        if is_superseded {
            return Ok(false);
        }
        let is_understood = match &next {
            NextMessage::Ask { prefix, .. } => *prefix == Prefix::None,
            NextMessage::Link => requests_link(self.reply.text.reveal()),
            NextMessage::End { .. } => true,
        };
        let nth = before.as_ref().map_or(0, |known| known.question_seq + 1);
        let sealer = self.context.keys.sealer(&self.key_id)?;
        let seal = |text: &str| sealer.seal(seal_context::SMS_QUESTION, text.as_bytes());
        let known = |interview: Option<&SmsInterview>| {
            interview
                .map(|known| known.current.clone())
                .unwrap_or(AskedQuestion { place: 0, item: String::new() })
        };
        let (is_asking, current, text, corrections, kind) = match next {
            NextMessage::Ask { question, prefix, corrections } => {
                let text = self.question_text(&invitation_cases, &question, prefix);
                (true, question, text, corrections, MessageKind::Question)
            }
            NextMessage::End { is_complete } => (
                false,
                known(interview),
                compose_goodbye(&self.plan.signature, invitation_cases.language(), is_complete),
                0,
                MessageKind::Goodbye,
            ),
            NextMessage::Link => (false, known(interview), String::new(), 0, MessageKind::SmsLink),
        };
        let entry = SmsInterview {
            invitation: self.invitation,
            is_asking,
            question_seq: nth,
            current,
            text_sealed: seal(&text)?,
            unclear_count: corrections,
            previous: answered.or_else(|| interview.and_then(|known| known.previous.clone())),
        };
        sms_interviews::put(&mut tx, &entry, &self.reply.phone_hash, now).await?;
        let upcoming = planned.before(MessageSlot::new(kind, nth));
        invitations::set_next_contacts(
            &mut tx,
            &[NextContact { id: self.invitation, upcoming, at: Some(now) }],
        )
        .await?;
        if is_understood {
            replies::mark_consumed(&mut tx, &self.reply.dedup_hash, now).await?;
        } else {
            replies::mark_not_understood(&mut tx, &self.reply.dedup_hash, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    fn question_text(
        &self,
        invitation_cases: &InvitationCases,
        question: &AskedQuestion,
        prefix: Prefix,
    ) -> String {
        let Some((item, choices)) = find_item(invitation_cases, question) else {
            return String::new();
        };
        let (case, language) =
            (&invitation_cases.cases[question.place], invitation_cases.language());
        let piped = TextPiping {
            questionnaire: &case.application.questionnaire,
            subject: &case.application.subject,
            applicant: invitation_cases.applicant_name(),
            answers: &case.answers,
            language,
            isolates: false,
        };
        let path = case.path();
        let all: Vec<&Item> = path.items().filter(|item| item.is_question()).collect();
        let place =
            (all.iter().position(|other| other.id == item.id).map_or(1, |at| at + 1), all.len());
        let text = piped.fill(item.sms.as_ref().unwrap_or(&item.text));
        let says_what = place.0 == 1 || invitation_cases.cases.len() > 1;
        let subject = says_what.then_some(case.application.subject.as_str());
        compose_question(&QuestionMessage {
            item,
            text: &text,
            options: &choices,
            position: place,
            signature: &self.plan.signature,
            subject,
            language,
            prefix,
        })
    }
}

/// An item that was asked, and its options as this respondent sees them.
fn find_item<'b>(
    invitation_cases: &'b InvitationCases,
    question: &AskedQuestion,
) -> Option<(&'b Item, Vec<&'b ChoiceOption>)> {
    let case = invitation_cases.cases.get(question.place)?;
    let item = case.application.questionnaire.item(&question.item)?;
    let choices = match &item.kind {
        ItemKind::Choice(choice) => choice.order_for(case.case.id.0, &item.id),
        _ => Vec::new(),
    };
    Some((item, choices))
}

/// The item to ask after this one: the next on the way without an answer, in this case or the next
/// one.
fn next_question(invitation_cases: &InvitationCases, after: Option<&AskedQuestion>) -> NextMessage {
    for (place, case) in
        invitation_cases.cases.iter().enumerate().filter(|(_, case)| case.accepts_answers)
    {
        let path = case.path();
        let items: Vec<&Item> = path.items().filter(|item| item.is_question()).collect();
        let from = match after {
            Some(question) if question.place == place => {
                items.iter().position(|item| item.id == question.item).map_or(0, |at| at + 1)
            }
            _ => 0,
        };
        let is_open = |item: &&&Item| !case.answers.contains_key(&item.id);
        // What was left out may be left out; what is required and was passed over is asked all the
        // same.
        let next = items
            .iter()
            .skip(from)
            .find(is_open)
            .or_else(|| items.iter().filter(|item| item.required).find(is_open));
        if let Some(item) = next {
            return NextMessage::Ask {
                question: AskedQuestion { place, item: item.id.clone() },
                prefix: Prefix::None,
                corrections: 0,
            };
        }
    }
    NextMessage::End {
        is_complete: invitation_cases.cases.iter().any(|case| {
            matches!(case.case.disposition, Disposition::Complete | Disposition::Excluded)
        }),
    }
}
