//! «Do not contact me» on the personal page, and taking it back.
//!
//! An opt-out always wins. Taking it back lifts only what this page's own refusal has made, within
//! [`UNDO_PERIOD`] and only while the field is open: any other opt-out since then (a reply, the
//! gateway, staff) makes the refusal final. What was answered is deleted at once and stays deleted.

use std::time::Duration;

use super::respondent_requests::withdraw_answers;
use super::{InterviewError, InterviewService};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::refusals::{self, UndoableRefusal};
use crate::adapters::database::{
    WriteTx, consents, further_numbers, invitations, links, programmes, suppressions,
};
use crate::domain::audit::{Action, Actor};
use crate::domain::disposition::Disposition;
use crate::domain::ids::InvitationId;
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::services::interviews::InvitationCases;
use crate::services::suppressions::opt_out;

/// So long a refusal can be taken back: who pressed by mistake sees it at once, and a link that is
/// passed on later lifts nothing.
pub const UNDO_PERIOD: Duration = Duration::from_secs(24 * 3_600);

impl InterviewService {
    /// The respondent refuses for good (AAPOR 2.112): all open cases end, and the number is
    /// suppressed like after an opt-out by SMS.
    pub async fn refuse(&self, code: &str) -> Result<(), InterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, Mode::Web).await?;
        let programme =
            invitation_cases.programme_id().filter(|_| !self.context.config.opts_out_of_all);
        let invitation = invitation_cases.invitation.id;
        let phone_hash = links::invited_person(&mut tx, invitation).await?.phone_hash;
        // Cases are locked before invitations, here as everywhere.
        let answered = cases::lock_answered(&mut tx, invitation).await?;
        let earlier = refusals::find(&mut tx, invitation, now).await?;
        let mut ended: Vec<InvitationId> = Vec::new();
        for number in further_numbers::of_same_person(&mut tx, &phone_hash).await? {
            ended.extend(invitations::list_by_phone(&mut tx, &number, programme).await?);
        }
        let before = refusals::capture(&mut tx, &ended).await?;
        opt_out(&mut tx, &phone_hash, programme, DispositionSource::Web, now).await?;
        let withdraws = consents::withdraw(&mut tx, invitation, now).await?;
        if withdraws {
            withdraw_answers(&mut tx, &answered, DispositionSource::Web, now).await?;
        }
        // A second press of the same button ends nothing more, and takes nothing from the first.
        let undoable = match (earlier, invitation_cases.field_closes_at()) {
            (Some(earlier), _) => Some(earlier),
            (None, Some(closes)) if !before.cases.is_empty() => Some(UndoableRefusal {
                refused_at: now,
                expires_at: (now + UNDO_PERIOD).min(closes),
                before: refusals::BeforeRefusal { answers_deleted: withdraws, ..before },
            }),
            _ => None,
        };
        if let Some(undoable) = undoable {
            refusals::put(&mut tx, invitation, &undoable).await?;
        }
        invitations::mark_opened(&mut tx, invitation, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns until when the refusal on this page can be taken back, and whether answers were
    /// deleted with it; `None`: it cannot.
    pub async fn undoable_refusal(
        &self,
        invitation_cases: &InvitationCases,
    ) -> Result<Option<(Timestamp, bool)>, InterviewError> {
        let now = self.context.clock.now();
        let mut connection = self.context.database.read().await?;
        let found = refusals::find(&mut connection, invitation_cases.invitation.id, now).await?;
        Ok(found.map(|refusal| (refusal.expires_at, refusal.before.answers_deleted)))
    }

    /// The respondent takes the refusal on this page back. The cases and planned contacts stand as
    /// before; consent and answers do not come back. Returns false if it cannot be taken back.
    pub async fn undo_refusal(&self, code: &str) -> Result<bool, InterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, Mode::Web).await?;
        let invitation = invitation_cases.invitation.id;
        let Some(refusal) = refusals::take(&mut tx, invitation, now).await? else {
            return Ok(false);
        };
        if !self.lift(&mut tx, &invitation_cases, &refusal).await? {
            // Something else keeps the number from being contacted: the refusal is final.
            drop(tx);
            let mut tx = self.context.database.write().await?;
            refusals::make_final(&mut tx, &[invitation]).await?;
            tx.commit().await?;
            return Ok(false);
        }
        for (case, code) in &refusal.before.cases {
            let Some(before) = Disposition::from_code(code) else { continue };
            let to = match before {
                // Without its answers, it is not partial any more.
                Disposition::Partial if refusal.before.answers_deleted => Disposition::BreakOff,
                other => other,
            };
            refusals::reopen(&mut tx, *case, to, DispositionSource::Web.as_str(), now).await?;
        }
        for contact in &refusal.before.contacts {
            refusals::plan_again(&mut tx, contact).await?;
        }
        let (actor, action) = (Actor::respondent(), Action::OptOutLifted);
        let case = refusal.before.cases.first().map(|(case, _)| format!("case:{case}"));
        self.context.audit(&mut tx, &actor, action, &case.unwrap_or_default()).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Lifts the opt-outs that the refusal made. Returns whether the person can be contacted then.
    async fn lift(
        &self,
        tx: &mut WriteTx,
        invitation_cases: &InvitationCases,
        refusal: &UndoableRefusal,
    ) -> Result<bool, InterviewError> {
        let Some(programme) = invitation_cases.programme_id() else { return Ok(false) };
        let programme = programmes::get(tx, programme).await?.code;
        let scope = match self.context.config.opts_out_of_all {
            true => suppressions::ALL.to_owned(),
            false => programme.clone(),
        };
        let invitation = invitation_cases.invitation.id;
        let own = links::invited_person(tx, invitation).await?.phone_hash;
        let numbers: Vec<String> =
            further_numbers::of_same_person(tx, &own).await?.into_iter().collect();
        refusals::lift_opt_outs(tx, &numbers, &scope, refusal.refused_at).await?;
        let now = self.context.clock.now();
        Ok(suppressions::among(tx, &[own], &programme, now).await?.is_empty())
    }
}
