//! What a respondent sends: each is one transaction, and thanked for only when it is on disk.

use std::collections::BTreeMap;

use super::invitation_cases::{InterviewCase, InvitationCases};
use super::{InterviewError, InterviewService};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::paradata::{self, PageVisit};
use crate::adapters::database::responses::{self, AnswerSource, NewAnswer, StoredValue};
use crate::adapters::database::{WriteTx, applications, consents, invitations, links};
use crate::domain::device::DeviceClass;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{AccountId, CaseId};
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Answer, AnswerProblem, Completion, Item, ItemKind};
use crate::domain::time::Timestamp;
use crate::services::quotas::{self, CellReservation, QuotaCandidate};
use crate::services::sealing::seal_context;

/// A page that stood open for longer was left lying, not answered.
const MAX_TIME_ON_PAGE: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// Who sends a page: the respondent on the web, or an interviewer in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerContext {
    pub mode: Mode,
    /// When the call began. An answer that the respondent gives on the web meanwhile stops the
    /// call's form.
    pub since: Option<Timestamp>,
    /// The interviewer.
    pub account: Option<AccountId>,
}

impl AnswerContext {
    pub const WEB: AnswerContext = AnswerContext { mode: Mode::Web, since: None, account: None };

    /// Who moves a case by what is sent, as its history tells.
    pub(super) fn source(self) -> DispositionSource {
        match self.mode {
            Mode::Web => DispositionSource::Web,
            Mode::Telephone => DispositionSource::Telephone,
            Mode::Sms => DispositionSource::Reply,
        }
    }
}

/// A page as it was sent.
pub struct SubmittedPage<'a> {
    pub answer_context: AnswerContext,
    /// The case's place in the bundle, and the page of its questionnaire; both counted from 0.
    pub case: usize,
    pub page: usize,
    /// Of the page, only this item was asked.
    pub single_item: Option<&'a str>,
    /// What the form had for each item.
    pub fields: &'a BTreeMap<String, String>,
    pub language: Language,
    pub device: DeviceClass,
    /// When the page was made, as the form says.
    pub shown_at: Option<Timestamp>,
}

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveOutcome {
    /// On disk; go on.
    Accepted,
    /// The good answers are on disk; these items want another look.
    Problems(BTreeMap<String, AnswerProblem>),
    /// The case takes no answers any more; show where the interview stands.
    NotAccepting,
    /// What was good is on disk; all places left in a cell are kept for others who have begun.
    PlacesReserved,
    /// The respondent has answered on the web since the call began; nothing was saved.
    AnsweredOnWeb,
}

impl InterviewService {
    /// The respondent agrees to a version of the privacy notice and begins. Until then a link that
    /// was opened, by a person or by a scanner, has left no trace. Another version than the present
    /// one changes nothing: the present one is shown.
    pub async fn begin(
        &self,
        code: &str,
        language: Language,
        notice: &str,
        answer_context: AnswerContext,
    ) -> Result<SaveOutcome, InterviewError> {
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, answer_context.mode).await?;
        if let Some(first) = invitation_cases
            .cases
            .iter()
            .find(|case| case.accepts_answers)
            .filter(|_| notice == invitation_cases.programme.privacy.version)
        {
            let text =
                serde_json::to_string(&invitation_cases.programme.privacy.text).unwrap_or_default();
            consents::store_notice(&mut tx, first.application.programme_id, notice, &text).await?;
            consents::record(
                &mut tx,
                invitation_cases.invitation.id,
                notice,
                language,
                answer_context.mode.as_str(),
                now,
            )
            .await?;
            if cases::lock_open(&mut tx, first.case.id).await? {
                if self.reserve_place(&mut tx, first, first.case.cell_mask, now).await?
                    == CellReservation::ReservedForOthers
                {
                    return Ok(SaveOutcome::PlacesReserved);
                }
                responses::begin(
                    &mut tx,
                    first.case.id,
                    language,
                    answer_context.mode.as_str(),
                    now,
                )
                .await?;
                mark_started(&mut tx, first, answer_context, now).await?;
            }
            invitations::mark_opened(&mut tx, invitation_cases.invitation.id, now).await?;
        }
        tx.commit().await?;
        Ok(SaveOutcome::Accepted)
    }

    /// Keeps a place for a case that is under way, where its cells are reserved.
    async fn reserve_place(
        &self,
        tx: &mut WriteTx,
        case: &InterviewCase,
        cells: i64,
        now: Timestamp,
    ) -> Result<CellReservation, InterviewError> {
        let candidate =
            QuotaCandidate { case: case.case.id, application: case.case.application, cells };
        Ok(quotas::reserve_place(
            tx,
            &case.application.quota,
            candidate,
            self.context.config.reservation_time,
            now,
        )
        .await?)
    }

    /// Saves a page of one case. The last page completes the case, if there is room in its cells.
    pub async fn save_page(
        &self,
        code: &str,
        submitted: &SubmittedPage<'_>,
    ) -> Result<SaveOutcome, InterviewError> {
        let &SubmittedPage { answer_context, case: case_index, page, language, .. } = submitted;
        let mode = answer_context.mode.as_str();
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let hash = self.context.keys.hasher().link_hash(code);
        let Some(case) = links::case_at_position(&mut tx, &hash, case_index).await? else {
            return Err(self.missing_case_error(&mut tx, code).await);
        };
        // Whoever sends the same page a second time waits here, and then sees what the first one
        // did.
        let is_open = cases::lock_open(&mut tx, case).await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, answer_context.mode).await?;
        if let Some(since) = answer_context.since
            && responses::has_answers_since(&mut tx, case, Mode::Web, since).await?
        {
            return Ok(SaveOutcome::AnsweredOnWeb);
        }
        let Some(current) = invitation_cases
            .answerable_case(case_index)
            .filter(|current| invitation_cases.has_current_consent() && is_open != current.is_late)
        else {
            return Ok(SaveOutcome::NotAccepting);
        };
        let path = current.path();
        let items: Vec<&Item> = path
            .items_on_page(page)
            .iter()
            .filter(|item| submitted.single_item.is_none_or(|single| item.id == single))
            .copied()
            .collect();
        if items.is_empty() {
            // Another answer, on another page or phone, has led past this page meanwhile.
            return if page < current.application.questionnaire.pages.len() {
                Ok(SaveOutcome::NotAccepting)
            } else {
                Err(InterviewError::InvalidForm)
            };
        }
        let sealer = self.context.keys.sealer(invitation_cases.key_id())?;

        let (mut stored, mut cleared, mut problems) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut answers = current.answers.clone();
        for item in items {
            match Answer::parse(item, submitted.fields.get(&item.id).map(String::as_str)) {
                Ok(Some(answer)) => {
                    let value = match (&answer, answer.to_stored()) {
                        (Answer::Open(text), _) => StoredValue::Sealed(
                            sealer.seal(seal_context::OPEN_ANSWER, text.reveal().as_bytes())?,
                        ),
                        (_, stored) => StoredValue::Plain(stored.unwrap_or_default()),
                    };
                    stored.push(NewAnswer {
                        item: item.id.clone(),
                        value,
                        option_order: option_order_shown(item, case),
                    });
                    answers.insert(item.id.clone(), answer);
                }
                Ok(None) => {
                    answers.remove(&item.id);
                    cleared.push(item.id.clone());
                }
                Err(problem) => _ = problems.insert(item.id.clone(), problem),
            }
        }
        let response = responses::begin(&mut tx, case, language, mode, now).await?;
        mark_started(&mut tx, current, answer_context, now).await?;
        responses::save_answers(
            &mut tx,
            response,
            &stored,
            AnswerSource { mode: answer_context.mode, account: answer_context.account },
            now,
        )
        .await?;
        responses::clear_answers(&mut tx, response, &cleared).await?;
        // The form's time is the respondent's to send: one that cannot be is no time on the page.
        let shown_at = submitted
            .shown_at
            .filter(|at| *at <= now && now.since(*at) <= MAX_TIME_ON_PAGE)
            .unwrap_or(now);
        let visit = PageVisit {
            page,
            mode: mode.to_owned(),
            device: submitted.device,
            shown_at,
            sent_at: now,
            problems: problems.len(),
        };
        paradata::add(&mut tx, response, &visit).await?;
        // By what is answered now, the way may be another one.
        let path = current.application.questionnaire.path(&answers, &current.facts);
        let membership = current.application.quota.membership(&path);
        if (membership.cell_mask, membership.is_decided)
            != (current.case.cell_mask, current.case.is_quota_decided)
        {
            cases::set_cells(&mut tx, &[(case, membership)]).await?;
        }
        let candidate = QuotaCandidate {
            case,
            application: current.case.application,
            cells: membership.cell_mask,
        };
        let is_last = match submitted.single_item {
            None => path.is_last(page),
            Some(single) => path
                .items()
                .filter(|item| item.is_question())
                .last()
                .is_some_and(|last| last.id == single),
        };
        let is_finished =
            problems.is_empty() && is_last && path.completion() == Completion::Complete;
        let mut reservation = CellReservation::Granted;
        if current.is_late {
            // Kept; whether it counts is decided when a further version of the dataset is asked
            // for.
            if is_finished {
                cases::mark_late(&mut tx, case, now).await?;
            }
        } else if path.is_screened_out {
            cases::set_disposition(
                &mut tx,
                &[case],
                Disposition::NotEligible,
                &[],
                answer_context.source(),
                now,
            )
            .await?;
            stop_contacts_without_open_case(&mut tx, &invitation_cases).await?;
        } else if is_finished {
            // What was answered on a way that was left is no answer.
            let left: Vec<String> =
                answers.keys().filter(|id| !path.includes(id)).cloned().collect();
            responses::clear_answers(&mut tx, response, &left).await?;
            reservation = quotas::count_complete(&mut tx, candidate, now).await?;
            if reservation == CellReservation::Granted {
                responses::complete(&mut tx, response, now).await?;
                cases::set_disposition(
                    &mut tx,
                    &[case],
                    Disposition::Complete,
                    &[],
                    answer_context.source(),
                    now,
                )
                .await?;
                stop_contacts_without_open_case(&mut tx, &invitation_cases).await?;
            }
        } else if membership.is_decided && self.is_cell_closed(&mut tx, candidate).await? {
            reservation = CellReservation::CellFull;
        } else {
            reservation = self.reserve_place(&mut tx, current, membership.cell_mask, now).await?;
        }
        // Whoever comes to a full cell is thanked and let go, as soon as everything has been asked
        // that cells depend on.
        if reservation == CellReservation::CellFull && membership.is_decided {
            cases::set_disposition(
                &mut tx,
                &[case],
                Disposition::QuotaFilled,
                &[],
                answer_context.source(),
                now,
            )
            .await?;
            stop_contacts_without_open_case(&mut tx, &invitation_cases).await?;
        }
        invitations::mark_opened(&mut tx, invitation_cases.invitation.id, now).await?;
        tx.commit().await?;
        Ok(match reservation {
            _ if !problems.is_empty() => SaveOutcome::Problems(problems),
            CellReservation::ReservedForOthers => SaveOutcome::PlacesReserved,
            CellReservation::Granted | CellReservation::CellFull => SaveOutcome::Accepted,
        })
    }
}

impl InterviewService {
    /// A link that is none, or a form that names a case that there is not.
    async fn missing_case_error(&self, tx: &mut WriteTx, code: &str) -> InterviewError {
        self.load_in_transaction(tx, code, Mode::Web)
            .await
            .err()
            .unwrap_or(InterviewError::InvalidForm)
    }

    /// Is one of these cells closed?
    async fn is_cell_closed(
        &self,
        tx: &mut WriteTx,
        candidate: QuotaCandidate,
    ) -> Result<bool, InterviewError> {
        Ok(applications::closed_cell_mask(tx, candidate.application).await? & candidate.cells != 0)
    }
}

/// The order in which this case saw the options, where it differs from one to the next.
fn option_order_shown(item: &Item, case: CaseId) -> Option<String> {
    let ItemKind::Choice(choice) = &item.kind else { return None };
    let order = || {
        choice
            .order_for(case.0, &item.id)
            .into_iter()
            .map(|option| option.code.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    choice.is_shuffled.then(order)
}

/// A case that was begun is a break-off until it is more (AAPOR 2.12).
async fn mark_started(
    tx: &mut WriteTx,
    case: &InterviewCase,
    answer_context: AnswerContext,
    now: Timestamp,
) -> Result<(), InterviewError> {
    if case.case.disposition == Disposition::NotAttempted {
        // Somebody of a replicate that is held back, who has come all the same, is in the field.
        cases::add_to_sample(tx, case.case.id).await?;
    }
    let before = Disposition::BreakOff.replaces();
    cases::set_disposition(
        tx,
        &[case.case.id],
        Disposition::BreakOff,
        &before,
        answer_context.source(),
        now,
    )
    .await?;
    Ok(())
}

pub(super) async fn stop_contacts_without_open_case(
    tx: &mut WriteTx,
    invitation_cases: &InvitationCases,
) -> Result<(), InterviewError> {
    if cases::open_of_invitations(tx, &[invitation_cases.invitation.id]).await?.is_empty() {
        invitations::cancel_next_contacts(tx, &[invitation_cases.invitation.id]).await?;
    }
    Ok(())
}
