//! What the decisions about one claim need to know, read in a few statements for all of it.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::AnyConnection;

use super::eligibility::SuppressionStatus;
use super::{DispatchError, DispatchJob};
use crate::adapters::database::invitations::{self, DueInvitation, InvitedCase};
use crate::adapters::database::{
    calls, messages, replies, sms_interviews, staff_answers, suppressions,
};
use crate::domain::contact_plan::{ContactHistory, MessageKind, Step};
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;

const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// An interview by SMS that has not moved for so long no longer holds up other messages.
pub const INTERVIEW_IS_STALE: Duration = Duration::from_secs(86_400);

/// The facts about the invitations of one claim.
pub struct ClaimFacts {
    cases: HashMap<InvitationId, Vec<InvitedCase>>,
    /// By number; `None`: suppressed for good.
    suppressed_until: HashMap<String, Option<Timestamp>>,
    /// Contacts with each number within a week, across all campaigns.
    contacts: HashMap<String, Vec<Timestamp>>,
    /// The sealed text of each interview's latest message.
    question_texts: HashMap<(InvitationId, u32), Vec<u8>>,
    /// What the staff have answered, sealed, where that is due.
    answer_texts: HashMap<InvitationId, Vec<u8>>,
    /// Numbers in an interview by SMS, and for which invitation.
    interviews: HashMap<String, InvitationId>,
    histories: HashMap<InvitationId, calls::ContactFacts>,
    /// Numbers with a reply that nobody has understood or read yet, and when it arrived.
    unread_replies: HashMap<String, Timestamp>,
}

/// Reads the facts about these invitations.
pub async fn load_facts(
    job: &DispatchJob,
    connection: &mut AnyConnection,
    due: &[DueInvitation],
    now: Timestamp,
) -> Result<ClaimFacts, DispatchError> {
    let plan = job.plan();
    let ids: Vec<InvitationId> = due.iter().map(|invitation| invitation.id).collect();
    let hashes: Vec<String> = due.iter().map(|invitation| invitation.phone_hash.clone()).collect();
    let mut cases: HashMap<InvitationId, Vec<InvitedCase>> = HashMap::new();
    for case in invitations::cases_of(connection, &ids).await? {
        cases.entry(case.invitation).or_default().push(case);
    }
    let suppressed_until =
        suppressions::among(connection, &hashes, &job.cached_plan.programme, now).await?;
    let mut contacts: HashMap<String, Vec<Timestamp>> = HashMap::new();
    let sent = messages::recent_contacts(connection, &hashes, now - WEEK).await?;
    let called = calls::recent_contacts(connection, &hashes, now - WEEK).await?;
    for (hash, at) in sent.into_iter().chain(called) {
        contacts.entry(hash).or_default().push(at);
    }
    let interviewed: Vec<InvitationId> = due
        .iter()
        .filter(|invitation| invitation.upcoming.slot.kind.is_interview())
        .map(|invitation| invitation.id)
        .collect();
    let question_texts = match interviewed.is_empty() {
        true => HashMap::new(),
        false => sms_interviews::texts(connection, &interviewed).await?,
    };
    let mut answer_texts = HashMap::new();
    for invitation in due {
        let slot = invitation.upcoming.slot;
        if slot.kind == MessageKind::StaffAnswer
            && let Some(text) = staff_answers::text(connection, invitation.id, slot).await?
        {
            answer_texts.insert(invitation.id, text);
        }
    }
    let interviews =
        sms_interviews::under_way(connection, &hashes, now - INTERVIEW_IS_STALE).await?;
    let needs_history = plan.reaches_fixed_lines() || plan.steps.iter().any(Step::has_condition);
    let histories = match needs_history {
        true => calls::contact_facts(connection, &ids).await?,
        false => HashMap::new(),
    };
    let unread_replies = match plan.unread_reply_hold {
        Duration::ZERO => HashMap::new(),
        hold => replies::unread_since(connection, &hashes, now - hold).await?,
    };
    Ok(ClaimFacts {
        cases,
        suppressed_until,
        contacts,
        question_texts,
        answer_texts,
        interviews,
        histories,
        unread_replies,
    })
}

impl ClaimFacts {
    pub fn cases(&self, invitation: &DueInvitation) -> &[InvitedCase] {
        self.cases.get(&invitation.id).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn suppression(&self, invitation: &DueInvitation) -> SuppressionStatus {
        match self.suppressed_until.get(&invitation.phone_hash) {
            None => SuppressionStatus::NotSuppressed,
            Some(None) => SuppressionStatus::Forever,
            Some(Some(until)) => SuppressionStatus::Until(*until),
        }
    }

    pub fn contacts(&self, invitation: &DueInvitation) -> &[Timestamp] {
        self.contacts.get(&invitation.phone_hash).map(Vec::as_slice).unwrap_or_default()
    }

    /// Counts a contact of this claim: the same number may be due twice in it.
    pub fn add_contact(&mut self, invitation: &DueInvitation, at: Timestamp) {
        self.contacts.entry(invitation.phone_hash.clone()).or_default().push(at);
    }

    /// The sealed text of the interview's message that is due; `None`: the interview has gone on.
    pub fn question_text(&self, invitation: &DueInvitation) -> Option<&[u8]> {
        let key = (invitation.id, invitation.upcoming.slot.number);
        self.question_texts.get(&key).map(Vec::as_slice)
    }

    /// The sealed text of the answer that is due; `None`: the person's data is deleted.
    pub fn answer_text(&self, invitation: &DueInvitation) -> Option<&[u8]> {
        self.answer_texts.get(&invitation.id).map(Vec::as_slice)
    }

    /// The number is being interviewed by SMS for another invitation.
    pub fn is_interviewed_elsewhere(&self, invitation: &DueInvitation) -> bool {
        self.interviews.get(&invitation.phone_hash).is_some_and(|other| *other != invitation.id)
    }

    /// When the number's earliest unread reply arrived that was not understood.
    pub fn unread_reply(&self, invitation: &DueInvitation) -> Option<Timestamp> {
        self.unread_replies.get(&invitation.phone_hash).copied()
    }

    /// What a step's condition looks at.
    pub fn history(&self, invitation: &DueInvitation) -> ContactHistory {
        let facts = self.histories.get(&invitation.id).copied().unwrap_or_default();
        ContactHistory {
            delivered: facts.is_delivered,
            begun: facts.has_begun,
            calls: facts.calls,
            reached: facts.is_reached,
            fixed_line: facts.is_fixed_line,
            language: invitation.language,
        }
    }
}
