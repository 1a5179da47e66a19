//! Stores the answers of a paper form that staff keyed in, all pages in one transaction, by the same
//! rules as answers by any other mode: consent, quotas, dispositions, and an end to the contacts.

use std::collections::{BTreeMap, BTreeSet};

use super::invitation_cases::{InterviewCase, InvitationCases};
use super::save_page::{
    AnswerContext, ParsedPage, SavedPage, SubmittedPage, new_answers,
    stop_contacts_without_open_case, store_answers,
};
use super::{InterviewError, InterviewService};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::responses::{self, AnswerSource};
use crate::adapters::database::{WriteTx, consents, quotas as stored_quotas};
use crate::domain::device::DeviceClass;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{AccountId, CaseId, ResponseId};
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::paper_form::{PaperForm, ReadForm};
use crate::domain::questionnaire::{
    Answer, AnswerProblem, Completion, Item, QuestionPath, ReadingContext,
};
use crate::domain::time::Timestamp;
use crate::services::quotas::{self, CellReservation, QuotaCandidate};

/// A form as staff keyed it.
pub struct SubmittedForm<'a> {
    pub case: CaseId,
    /// Who keyed it.
    pub account: AccountId,
    pub language: Language,
    /// The version of the privacy notice on the form. Sending the form back is the consent to it.
    pub notice: &'a str,
    /// What was keyed for each item; empty for no answer.
    pub fields: &'a BTreeMap<String, String>,
    /// Whether the keyer has confirmed that answers which the routing skips are not kept.
    pub skips_confirmed: bool,
}

/// What became of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormOutcome {
    /// The answers are stored; the caller commits.
    Stored(Disposition),
    /// They came after the field closed; a later version of the dataset may count them.
    StoredLate,
    /// Nothing is stored: these items were keyed with what is no answer.
    Problems(BTreeMap<String, AnswerProblem>),
    /// Nothing is stored until the keyer confirms: the routing skips these items.
    Skipped(Vec<String>),
    /// Nothing is stored: no item has an answer.
    Empty,
    /// Nothing is stored: the case takes no answers any more.
    NotAccepting,
    /// Nothing is stored: all places left in a cell are kept for others who have begun.
    PlacesReserved,
    /// Nothing is stored: the answers belong to a cell that is full.
    NoRoom,
    /// Nothing is stored: what remains is too little for a response.
    Insufficient,
}

impl InterviewService {
    /// Stores a form's answers. An answer that the respondent has given before in another mode stays
    /// where the form is empty, and is replaced where it is not, as when an interviewer goes on with
    /// an interview. A form with every core item answered is a partial response at once, as nothing
    /// more comes on paper.
    pub async fn store_form(
        &self,
        tx: &mut WriteTx,
        code: &str,
        form: &SubmittedForm<'_>,
    ) -> Result<FormOutcome, InterviewError> {
        let now = self.context.clock.now();
        let is_open = cases::lock_open(tx, form.case).await?;
        let invitation_cases = self.load_in_transaction(tx, code, Mode::Paper).await?;
        let index = position_of(&invitation_cases, form.case)?;
        let Some(current) =
            invitation_cases.storable_case(index).filter(|current| is_open != current.is_late)
        else {
            return Ok(FormOutcome::NotAccepting);
        };
        let reading =
            ReadingContext { today: invitation_cases.today(now), language: form.language };
        let read = read_form(current, form.fields, &current.answers, reading);
        if let Some(outcome) = refusal(&read, form) {
            return Ok(outcome);
        }
        let mut answers = current.answers.clone();
        answers.extend(read.answers.iter().map(|(id, answer)| (id.clone(), answer.clone())));
        let questionnaire = &current.application.questionnaire;
        let parsed = ParsedPage {
            answered: items_of(questionnaire.items(), &read.answers),
            cleared: Vec::new(),
            problems: BTreeMap::new(),
            answers,
        };
        self.record_consent(tx, &invitation_cases, form, now).await?;
        let answer_context =
            AnswerContext { mode: Mode::Paper, since: None, account: Some(form.account) };
        let submitted = SubmittedPage {
            answer_context,
            case: index,
            page: questionnaire.pages.len().saturating_sub(1),
            single_item: None,
            fields: form.fields,
            language: form.language,
            device: DeviceClass::Unknown,
            origin: None,
            shown_at: None,
        };
        let sealer = self.context.keys.sealer(invitation_cases.key_id())?;
        let response = store_answers(tx, &sealer, (current, &submitted, &parsed), now).await?;
        let saved = SavedPage { submitted: &submitted, current, parsed: &parsed, response };
        let reservation = self.resolve_outcome(tx, &invitation_cases, &saved, now).await?;
        if current.is_late {
            return Ok(FormOutcome::StoredLate);
        }
        let path = questionnaire.path(&parsed.answers, &current.facts);
        let disposition = match reservation {
            CellReservation::ReservedForOthers => return Ok(FormOutcome::PlacesReserved),
            CellReservation::CellFull => match path.completion() {
                Completion::Insufficient => Disposition::QuotaFilled,
                Completion::Partial | Completion::Complete => Disposition::Partial,
            },
            CellReservation::Granted if path.is_screened_out => Disposition::NotEligible,
            CellReservation::Granted => match path.completion() {
                Completion::Complete => Disposition::Complete,
                Completion::Partial => Disposition::Partial,
                Completion::Insufficient => Disposition::BreakOff,
            },
        };
        if disposition == Disposition::Partial {
            let source = DispositionSource::Paper;
            cases::set_disposition(tx, &[form.case], disposition, &[], source, now).await?;
            stored_quotas::release_reservation(tx, form.case).await?;
            stop_contacts_without_open_case(tx, &invitation_cases).await?;
        }
        Ok(FormOutcome::Stored(disposition))
    }

    /// Replaces the answers of a case that has ended by those of its form, and counts it anew.
    /// `keeps_other_modes`: a keyed form is corrected, and answers by other modes stay; otherwise
    /// the person wants the paper answers instead of all others. Only while the field is open.
    pub async fn replace_by_form(
        &self,
        tx: &mut WriteTx,
        code: &str,
        form: &SubmittedForm<'_>,
        keeps_other_modes: bool,
    ) -> Result<FormOutcome, InterviewError> {
        let now = self.context.clock.now();
        cases::lock(tx, &[form.case]).await?;
        let invitation_cases = self.load_in_transaction(tx, code, Mode::Paper).await?;
        let current = &invitation_cases.cases[position_of(&invitation_cases, form.case)?];
        let before = current.case.disposition;
        let is_response = matches!(before, Disposition::Complete | Disposition::Partial);
        if !is_response || !current.case.in_field || current.case.field_closes_at <= now {
            return Ok(FormOutcome::NotAccepting);
        }
        let mut kept = BTreeMap::new();
        let stored = responses::of_case(tx, form.case).await?;
        if keeps_other_modes && let Some(stored) = &stored {
            let by_others: BTreeSet<String> = responses::answer_sources(tx, stored.id)
                .await?
                .into_iter()
                .filter(|(_, source)| source.mode != Mode::Paper)
                .map(|(item, _)| item)
                .collect();
            kept.clone_from(&current.answers);
            kept.retain(|item, _| by_others.contains(item));
        }
        let reading =
            ReadingContext { today: invitation_cases.today(now), language: form.language };
        let read = read_form(current, form.fields, &kept, reading);
        if let Some(outcome) = refusal(&read, form) {
            return Ok(outcome);
        }
        let mut answers = kept;
        answers.extend(read.answers);
        let path = current.application.questionnaire.path(&answers, &current.facts);
        let off_path: Vec<String> =
            answers.keys().filter(|id| !path.includes(id)).cloned().collect();
        let to = match path.completion() {
            _ if path.is_screened_out => Disposition::NotEligible,
            Completion::Complete => Disposition::Complete,
            Completion::Partial => Disposition::Partial,
            Completion::Insufficient => return Ok(FormOutcome::Insufficient),
        };
        if !self.count_anew(tx, current, &path, (before, to), now).await? {
            return Ok(FormOutcome::NoRoom);
        }
        drop(path);
        answers.retain(|id, _| !off_path.contains(id));
        let response = if keeps_other_modes {
            responses::begin(tx, form.case, form.language, Mode::Paper.as_str(), now).await?
        } else {
            responses::delete_answers(tx, &[form.case]).await?;
            responses::restart(tx, form.case, form.language, Mode::Paper.as_str(), now).await?
        };
        let shown = if keeps_other_modes { current.answers.clone() } else { BTreeMap::new() };
        self.store_changes(
            tx,
            &invitation_cases,
            (current, form, response),
            (&shown, &answers),
            now,
        )
        .await?;
        if to == Disposition::Complete && before != Disposition::Complete {
            responses::complete(tx, response, now).await?;
        }
        let source = DispositionSource::Paper;
        cases::correct_disposition(tx, &[form.case], to, source, now).await?;
        Ok(FormOutcome::Stored(to))
    }

    /// Stores the answers that differ, and deletes those that are gone.
    async fn store_changes(
        &self,
        tx: &mut WriteTx,
        invitation_cases: &InvitationCases,
        (current, form, response): (&InterviewCase, &SubmittedForm<'_>, ResponseId),
        (before, after): (&BTreeMap<String, Answer>, &BTreeMap<String, Answer>),
        now: Timestamp,
    ) -> Result<(), InterviewError> {
        let changed: BTreeMap<String, Answer> = after
            .iter()
            .filter(|(id, answer)| before.get(*id) != Some(answer))
            .map(|(id, answer)| (id.clone(), answer.clone()))
            .collect();
        let gone: Vec<String> =
            before.keys().filter(|id| !after.contains_key(*id)).cloned().collect();
        let sealer = self.context.keys.sealer(invitation_cases.key_id())?;
        let items = items_of(current.application.questionnaire.items(), &changed);
        let stored = new_answers(&sealer, form.case, &items, &changed)?;
        let by = AnswerSource { mode: Mode::Paper, account: Some(form.account) };
        responses::save_answers(tx, response, &stored, by, now).await?;
        responses::clear_answers(tx, response, &gone).await?;
        Ok(())
    }

    /// Gives the place of the former answers back, and takes one for the new ones. Returns false if
    /// there is none.
    async fn count_anew(
        &self,
        tx: &mut WriteTx,
        current: &InterviewCase,
        path: &QuestionPath<'_>,
        (before, to): (Disposition, Disposition),
        now: Timestamp,
    ) -> Result<bool, InterviewError> {
        let (case, application) = (current.case.id, current.case.application);
        let membership = current.application.quota.membership(path);
        let is_same = before == to && membership.cell_mask == current.case.cell_mask;
        if !is_same {
            stored_quotas::lock(tx, application).await?;
            if before == Disposition::Complete {
                stored_quotas::subtract_complete(tx, application, current.case.cell_mask).await?;
            }
            if to == Disposition::Complete {
                let candidate = QuotaCandidate { case, application, cells: membership.cell_mask };
                if quotas::count_complete(tx, candidate, now).await? != CellReservation::Granted {
                    return Ok(false);
                }
            }
            cases::set_cells(tx, &[(case, membership)]).await?;
        }
        Ok(true)
    }

    /// Who sends a form back has agreed to the notice on it; a consent given before stays.
    async fn record_consent(
        &self,
        tx: &mut WriteTx,
        invitation_cases: &InvitationCases,
        form: &SubmittedForm<'_>,
        now: Timestamp,
    ) -> Result<(), InterviewError> {
        if invitation_cases.invitation.consent.is_none() {
            let (invitation, mode) = (invitation_cases.invitation.id, Mode::Paper.as_str());
            consents::record(tx, invitation, form.notice, form.language, mode, now).await?;
        }
        Ok(())
    }
}

fn position_of(invitation_cases: &InvitationCases, case: CaseId) -> Result<usize, InterviewError> {
    let position = invitation_cases.cases.iter().position(|known| known.case.id == case);
    position.ok_or(InterviewError::InvalidForm)
}

fn read_form(
    current: &InterviewCase,
    fields: &BTreeMap<String, String>,
    before: &BTreeMap<String, Answer>,
    reading: ReadingContext,
) -> ReadForm {
    let questionnaire = &current.application.questionnaire;
    PaperForm::of(questionnaire, &current.facts, current.case.id.0).read(fields, before, reading)
}

/// What stands against storing a form.
fn refusal(read: &ReadForm, form: &SubmittedForm<'_>) -> Option<FormOutcome> {
    if !read.problems.is_empty() {
        return Some(FormOutcome::Problems(read.problems.clone()));
    }
    if !read.skipped.is_empty() && !form.skips_confirmed {
        return Some(FormOutcome::Skipped(read.skipped.clone()));
    }
    read.answers.is_empty().then_some(FormOutcome::Empty)
}

fn items_of<'q>(
    items: impl Iterator<Item = &'q Item>,
    answers: &BTreeMap<String, Answer>,
) -> Vec<&'q Item> {
    items.filter(|item| answers.contains_key(&item.id)).collect()
}
