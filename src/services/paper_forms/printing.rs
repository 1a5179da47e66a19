//! Print runs: who gets a form, and its number.

use std::collections::BTreeMap;

use super::PaperFormError;
use crate::adapters::crypto::password::NoRandom;
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::paper_forms::{
    self, FormState, NewForm, PaperCandidate, PrintSelection,
};
use crate::adapters::database::{WriteTx, consents, programmes};
use crate::domain::audit::{Action, Actor};
use crate::domain::disposition::{Disposition, OutcomeGroup};
use crate::domain::form_number::FormNumber;
use crate::domain::ids::CaseId;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// What to print.
pub struct PrintRequest<'a> {
    pub campaign: &'a str,
    /// `None`: those whom the plan has made due.
    pub cases: Option<&'a [CaseId]>,
    /// Whether forms and letters carry the name.
    pub with_names: bool,
}

/// Why a case is not printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// The person does not want to be contacted.
    Suppressed,
    /// The person has refused.
    Refused,
    /// The case is answered.
    Answered,
    QuotaFull,
    /// The form has come back.
    Returned,
    /// The case has ended otherwise, or its field is closed.
    Closed,
    /// The application is on hold; the case stays due.
    OnHold,
    /// The case's replicate is held back; the case stays due.
    HeldBack,
    /// The person's data is deleted.
    Erased,
}

impl LeftOut {
    pub const ALL: [LeftOut; 9] = [
        LeftOut::Suppressed,
        LeftOut::Refused,
        LeftOut::Answered,
        LeftOut::QuotaFull,
        LeftOut::Returned,
        LeftOut::Closed,
        LeftOut::OnHold,
        LeftOut::HeldBack,
        LeftOut::Erased,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            LeftOut::Suppressed => "suppressed",
            LeftOut::Refused => "refused",
            LeftOut::Answered => "answered",
            LeftOut::QuotaFull => "quota_full",
            LeftOut::Returned => "returned",
            LeftOut::Closed => "closed",
            LeftOut::OnHold => "on_hold",
            LeftOut::HeldBack => "held_back",
            LeftOut::Erased => "erased",
        }
    }

    /// Returns the label in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            LeftOut::Suppressed => ("免打扰", "suppressed"),
            LeftOut::Refused => ("已拒绝", "refused"),
            LeftOut::Answered => ("已作答", "answered"),
            LeftOut::QuotaFull => ("配额已满", "quota full"),
            LeftOut::Returned => ("问卷已寄回", "form has come back"),
            LeftOut::Closed => ("个案或调查已结束", "case or field closed"),
            LeftOut::OnHold => ("申报暂停中", "application on hold"),
            LeftOut::HeldBack => ("尚未放出的样本", "sample held back"),
            LeftOut::Erased => ("个人信息已删除", "personal data deleted"),
        }
    }

    /// Whether the case may be printed later.
    fn is_for_now(self) -> bool {
        matches!(self, LeftOut::OnHold | LeftOut::HeldBack)
    }

    /// Decides about a candidate (invariant I2).
    fn of(candidate: &PaperCandidate, now: Timestamp) -> Option<LeftOut> {
        let disposition = candidate.disposition;
        Some(match disposition.group() {
            _ if candidate.is_erased => LeftOut::Erased,
            _ if candidate.is_suppressed => LeftOut::Suppressed,
            OutcomeGroup::Complete | OutcomeGroup::Partial => LeftOut::Answered,
            OutcomeGroup::RefusalOrBreakOff if disposition.is_final() => LeftOut::Refused,
            OutcomeGroup::TurnedAway => LeftOut::QuotaFull,
            _ if !candidate.is_open || !candidate.in_field => LeftOut::Closed,
            _ if candidate.is_held => LeftOut::OnHold,
            _ if candidate.field_closes_at <= now => LeftOut::Closed,
            _ if candidate.has_full_cell => LeftOut::QuotaFull,
            _ if !candidate.is_sampled => LeftOut::HeldBack,
            _ => match candidate.form {
                Some((_, FormState::Keyed | FormState::Blank | FormState::Refused)) => {
                    LeftOut::Returned
                }
                // What came back undelivered is sent again only to whom staff choose.
                Some((_, FormState::Undelivered)) if candidate.step.is_some() => LeftOut::Returned,
                _ => return None,
            },
        })
    }
}

/// What was printed.
#[derive(Debug, Default)]
pub struct PrintReport {
    /// `None`: nobody was left to print.
    pub run: Option<i64>,
    pub numbers: Vec<FormNumber>,
    pub left_out: BTreeMap<LeftOut, u64>,
}

/// Draws up a print run in one transaction: gives numbers, records who printed how many with names
/// or without, and notes the contact. The pages are made by [`super::documents`].
pub async fn print(
    context: &AppContext,
    actor: &Actor,
    request: &PrintRequest<'_>,
) -> Result<PrintReport, PaperFormError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let campaign = campaigns::find(&mut tx, request.campaign)
        .await?
        .ok_or_else(|| PaperFormError::UnknownCampaign(request.campaign.to_owned()))?;
    if campaign.state != CampaignState::Running {
        return Err(PaperFormError::NotRunning(campaign.code));
    }
    let programme = programmes::get(&mut tx, campaign.programme_id).await?;
    let selection = request.cases.map_or(PrintSelection::Due, PrintSelection::Cases);
    let select = async |tx: &mut WriteTx| {
        paper_forms::candidates(tx, campaign.id, &programme.code, selection, now).await
    };
    // Somebody may answer, or print, at the same moment: what holds under the lock decides.
    let found: Vec<CaseId> = select(&mut tx).await?.into_iter().map(|one| one.case).collect();
    cases::lock(&mut tx, &found).await?;
    let mut report = PrintReport::default();
    let (mut printed, mut done, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    let notice = &programme.privacy;
    for candidate in select(&mut tx).await? {
        match LeftOut::of(&candidate, now) {
            Some(reason) => {
                *report.left_out.entry(reason).or_default() += 1;
                let list = if reason.is_for_now() { &mut waiting } else { &mut done };
                list.push(candidate.invitation);
                continue;
            }
            None => done.push(candidate.invitation),
        }
        let number = match candidate.form {
            Some((number, _)) => number,
            None => new_number(&mut tx).await?,
        };
        let form = NewForm {
            case: candidate.case,
            number: &number,
            questionnaire: candidate.questionnaire,
            language: candidate.language,
            notice: &notice.version,
        };
        paper_forms::put(&mut tx, &form).await?;
        printed.push((candidate.case, candidate.step));
        report.numbers.push(number);
    }
    // Who has a case that is left out only for now stays due; forms that are printed once more then
    // keep their numbers.
    done.retain(|invitation| !waiting.contains(invitation));
    paper_forms::mark_printed(&mut tx, &done, now).await?;
    if !printed.is_empty() {
        let text = serde_json::to_string(&notice.text).unwrap_or_default();
        consents::store_notice(&mut tx, campaign.programme_id, &notice.version, &text).await?;
        let by = (actor.name.as_str(), request.with_names);
        let run = paper_forms::add_run(&mut tx, campaign.id, by.0, by.1, &printed, now).await?;
        report.run = Some(run);
        // Posted, and nothing has come back (AAPOR 3.19).
        let cases: Vec<CaseId> = printed.iter().map(|(case, _)| *case).collect();
        let before = [Disposition::NotAttempted, Disposition::NotCovered];
        let (to, source) = (Disposition::NothingHeard, DispositionSource::Paper);
        cases::set_disposition(&mut tx, &cases, to, &before, source, now).await?;
    }
    let names = if request.with_names { "with names" } else { "without names" };
    let detail = format!("{} forms, {names}", printed.len());
    let object = format!("campaign:{}", campaign.code);
    context.audit_with_detail(&mut tx, actor, Action::FormsPrinted, (&object, &detail)).await?;
    tx.commit().await?;
    Ok(report)
}

async fn new_number(tx: &mut WriteTx) -> Result<FormNumber, PaperFormError> {
    loop {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|_| NoRandom)?;
        let number = FormNumber::from_random(u32::from_le_bytes(random));
        if !paper_forms::is_taken(tx, &number).await? {
            return Ok(number);
        }
    }
}
