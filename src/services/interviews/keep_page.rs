//! Keeps what stands on a page that the respondent leaves without sending it on: back to the page
//! before, later, or a call instead.

use super::save_page::{SaveOutcome, SubmittedPage, parse_page, store_answers};
use super::{InterviewError, InterviewService};
use crate::adapters::database::{cases, invitations, links};
use crate::domain::questionnaire::{AnswerProblem, ReadingContext};

impl InterviewService {
    /// Saves the good answers of a page. It asks for none that is missing and decides nothing about
    /// the case: who goes back from the last page has not finished, and who goes back from a
    /// screening question may have mistaken it.
    pub async fn keep_page(
        &self,
        code: &str,
        submitted: &SubmittedPage<'_>,
    ) -> Result<SaveOutcome, InterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let hash = self.context.keys.hasher().link_hash(code);
        let Some(case) = links::case_at_position(&mut tx, &hash, submitted.case).await? else {
            return Err(self.missing_case_error(&mut tx, code).await);
        };
        let is_open = cases::lock_open(&mut tx, case).await?;
        let mode = submitted.answer_context.mode;
        let invitation_cases = self.load_in_transaction(&mut tx, code, mode).await?;
        let Some(current) = invitation_cases
            .answerable_case(submitted.case)
            .filter(|current| invitation_cases.has_current_consent() && is_open != current.is_late)
        else {
            return Ok(SaveOutcome::NotAccepting);
        };
        let reading =
            ReadingContext { today: invitation_cases.today(now), language: submitted.language };
        let Some(mut parsed) = parse_page(current, submitted, reading) else {
            return Ok(SaveOutcome::NotAccepting);
        };
        parsed.problems.retain(|_, problem| *problem != AnswerProblem::Missing);
        let sealer = self.context.keys.sealer(invitation_cases.key_id())?;
        store_answers(&mut tx, &sealer, (current, submitted, &parsed), now).await?;
        invitations::mark_opened(&mut tx, invitation_cases.invitation.id, now).await?;
        tx.commit().await?;
        Ok(if parsed.problems.is_empty() {
            SaveOutcome::Accepted
        } else {
            SaveOutcome::Problems(parsed.problems)
        })
    }
}
