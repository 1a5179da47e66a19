//! Saves pages of answers, each in one transaction: parsed, stored, and the case's outcome
//! resolved. The respondent is thanked only when it is on disk (invariant I5).

use std::collections::BTreeMap;

use super::invitation_cases::{InterviewCase, InvitationCases};
use super::{InterviewError, InterviewService};
use crate::adapters::crypto::Sealer;
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::paradata::{self, PageVisit};
use crate::adapters::database::responses::{self, AnswerSource, NewAnswer, StoredValue};
use crate::adapters::database::{WriteTx, applications, consents, invitations, links, origins};
use crate::domain::device::DeviceClass;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{AccountId, CaseId, ResponseId};
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::origin::OriginFacts;
use crate::domain::questionnaire::{
    Answer, AnswerProblem, Completion, Item, ItemKind, QuestionPath, ReadingContext,
};
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
            Mode::Paper => DispositionSource::Paper,
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
    /// Where the respondent sends it from; stored only where the privacy notice says so.
    pub origin: Option<&'a OriginFacts>,
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
        let language = invitation_cases.language_for(language);
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
        } else if !invitation_cases.cases.iter().any(|case| case.accepts_answers) {
            self.turn_away(&mut tx, &invitation_cases, answer_context.source(), now).await?;
        }
        tx.commit().await?;
        Ok(SaveOutcome::Accepted)
    }

    /// The respondent wanted to begin, and is told that the cells are full (AAPOR 4.8). Only this
    /// is being turned away: who never came keeps what came of the contacts.
    async fn turn_away(
        &self,
        tx: &mut WriteTx,
        invitation_cases: &InvitationCases,
        source: DispositionSource,
        now: Timestamp,
    ) -> Result<(), InterviewError> {
        for case in invitation_cases.cases.iter().filter(|case| case.is_cell_full) {
            if cases::lock_open(tx, case.case.id).await? {
                let to = match case.answers.is_empty() {
                    true => Disposition::QuotaFilled,
                    false => outcome_in_full_cell(&case.path()),
                };
                cases::set_disposition(tx, &[case.case.id], to, &[], source, now).await?;
                invitations::mark_opened(tx, invitation_cases.invitation.id, now).await?;
            }
        }
        stop_contacts_without_open_case(tx, invitation_cases).await
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

    /// Saves a page of one case. The last page completes the case, if its cells have room.
    pub async fn save_page(
        &self,
        code: &str,
        submitted: &SubmittedPage<'_>,
    ) -> Result<SaveOutcome, InterviewError> {
        let &SubmittedPage { answer_context, case: case_index, page, .. } = submitted;
        let now = self.context.clock.now();
        let mut tx = self.context.database.write().await?;
        let hash = self.context.keys.hasher().link_hash(code);
        let Some(case) = links::case_at_position(&mut tx, &hash, case_index).await? else {
            return Err(self.missing_case_error(&mut tx, code).await);
        };
        // The same page sent a second time waits here, and then sees what the first one did.
        let is_open = cases::lock_open(&mut tx, case).await?;
        let invitation_cases = self.load_in_transaction(&mut tx, code, answer_context.mode).await?;
        if let Some(since) = answer_context.since
            && responses::has_answers_since(&mut tx, case, Mode::Web, since).await?
        {
            return Ok(SaveOutcome::AnsweredOnWeb);
        }
        let Some(current) = invitation_cases
            .storable_case(case_index)
            .filter(|current| invitation_cases.has_current_consent() && is_open != current.is_late)
        else {
            return Ok(SaveOutcome::NotAccepting);
        };
        let reading =
            ReadingContext { today: invitation_cases.today(now), language: submitted.language };
        let Some(parsed) = parse_page(current, submitted, reading) else {
            // Another answer, on another page or phone, has led past this page meanwhile.
            return if page < current.application.questionnaire.pages.len() {
                Ok(SaveOutcome::NotAccepting)
            } else {
                Err(InterviewError::InvalidForm)
            };
        };
        let sealer = self.context.keys.sealer(invitation_cases.key_id())?;
        let response = store_answers(&mut tx, &sealer, (current, submitted, &parsed), now).await?;
        self.store_origin(&mut tx, &invitation_cases, submitted, response).await?;
        let saved = SavedPage { submitted, current, parsed: &parsed, response };
        let reservation = self.resolve_outcome(&mut tx, &invitation_cases, &saved, now).await?;
        invitations::mark_opened(&mut tx, invitation_cases.invitation.id, now).await?;
        tx.commit().await?;
        Ok(match reservation {
            _ if !parsed.problems.is_empty() => SaveOutcome::Problems(parsed.problems),
            CellReservation::ReservedForOthers => SaveOutcome::PlacesReserved,
            CellReservation::Granted | CellReservation::CellFull => SaveOutcome::Accepted,
        })
    }

    /// Stores where a page was sent from, if the notice that the respondent agreed to says so. Of
    /// several places, the last one stays.
    pub(super) async fn store_origin(
        &self,
        tx: &mut WriteTx,
        invitation_cases: &InvitationCases,
        submitted: &SubmittedPage<'_>,
        response: ResponseId,
    ) -> Result<(), InterviewError> {
        let is_told = invitation_cases.programme.privacy.records_origin;
        let Some(facts) = submitted.origin.filter(|_| is_told) else { return Ok(()) };
        let hasher = self.context.keys.hasher();
        origins::set(tx, response, &hasher.origin(invitation_cases.key_id(), facts)).await?;
        Ok(())
    }

    /// Decides what the page makes of its case: late, not eligible, complete, turned away by a full
    /// cell, or still under way; counts a complete and sets the disposition.
    pub(super) async fn resolve_outcome(
        &self,
        tx: &mut WriteTx,
        invitation_cases: &InvitationCases,
        saved: &SavedPage<'_>,
        now: Timestamp,
    ) -> Result<CellReservation, InterviewError> {
        let &SavedPage { submitted, current, parsed, response } = saved;
        let (case, source) = (current.case.id, submitted.answer_context.source());
        // The routing path by the answers of this page.
        let path = current.application.questionnaire.path(&parsed.answers, &current.facts);
        let membership = current.application.quota.membership(&path);
        if (membership.cell_mask, membership.is_decided)
            != (current.case.cell_mask, current.case.is_quota_decided)
        {
            cases::set_cells(tx, &[(case, membership)]).await?;
        }
        let candidate = QuotaCandidate {
            case,
            application: current.case.application,
            cells: membership.cell_mask,
        };
        let is_finished = parsed.problems.is_empty()
            && is_last_question(submitted, &path)
            && path.completion() == Completion::Complete;
        let mut reservation = CellReservation::Granted;
        let mut disposition = None;
        if current.is_late {
            // A further version of the dataset decides whether it counts.
            if is_finished {
                cases::mark_late(tx, case, now).await?;
            }
        } else if path.is_screened_out {
            disposition = Some(Disposition::NotEligible);
        } else if is_finished {
            let off_path: Vec<String> =
                parsed.answers.keys().filter(|id| !path.includes(id)).cloned().collect();
            responses::clear_answers(tx, response, &off_path).await?;
            reservation = quotas::count_complete(tx, candidate, now).await?;
            if reservation == CellReservation::Granted {
                responses::complete(tx, response, now).await?;
                disposition = Some(Disposition::Complete);
            }
        } else if membership.is_decided && self.is_cell_closed(tx, candidate).await? {
            reservation = CellReservation::CellFull;
        } else {
            reservation = self.reserve_place(tx, current, membership.cell_mask, now).await?;
        }
        // A full cell ends the interview as soon as every item that cells depend on is answered.
        if reservation == CellReservation::CellFull && membership.is_decided {
            disposition = Some(outcome_in_full_cell(&path));
        }
        if let Some(disposition) = disposition {
            cases::set_disposition(tx, &[case], disposition, &[], source, now).await?;
            stop_contacts_without_open_case(tx, invitation_cases).await?;
        }
        Ok(reservation)
    }
}

/// What somebody is who is turned away by a full cell: a partial response where the questionnaire's
/// rule for one is met, since those answers count as they would at the end of the field (AAPOR
/// 1.2); otherwise 4.8.
fn outcome_in_full_cell(path: &QuestionPath<'_>) -> Disposition {
    match path.completion() {
        Completion::Insufficient => Disposition::QuotaFilled,
        Completion::Partial | Completion::Complete => Disposition::Partial,
    }
}

/// A submitted page, read.
pub(super) struct ParsedPage<'q> {
    /// The items with a good answer, in their order.
    pub(super) answered: Vec<&'q Item>,
    /// Items whose answer was taken back.
    pub(super) cleared: Vec<String>,
    pub(super) problems: BTreeMap<String, AnswerProblem>,
    /// All answers of the case, with those of this page.
    pub(super) answers: BTreeMap<String, Answer>,
}

/// A page whose answers are stored.
pub(super) struct SavedPage<'a> {
    pub(super) submitted: &'a SubmittedPage<'a>,
    pub(super) current: &'a InterviewCase,
    pub(super) parsed: &'a ParsedPage<'a>,
    pub(super) response: ResponseId,
}

/// Reads the page's fields by its items. `None`: none of its items is on this case's path.
pub(super) fn parse_page<'q>(
    current: &'q InterviewCase,
    submitted: &SubmittedPage<'_>,
    reading: ReadingContext,
) -> Option<ParsedPage<'q>> {
    let path = current.path();
    let mut parsed = ParsedPage {
        answered: Vec::new(),
        cleared: Vec::new(),
        problems: BTreeMap::new(),
        answers: current.answers.clone(),
    };
    let mut is_empty = true;
    for item in path.items_on_page(submitted.page) {
        if submitted.single_item.is_some_and(|single| item.id != single) {
            continue;
        }
        is_empty = false;
        let raw = submitted.fields.get(&item.id).map(String::as_str);
        match Answer::parse(item, raw, reading) {
            Ok(Some(answer)) => {
                parsed.answers.insert(item.id.clone(), answer);
                parsed.answered.push(item);
            }
            Ok(None) => {
                parsed.answers.remove(&item.id);
                parsed.cleared.push(item.id.clone());
            }
            Err(problem) => _ = parsed.problems.insert(item.id.clone(), problem),
        }
    }
    (!is_empty).then_some(parsed)
}

/// Stores the answers and the paradata of a page; open answers are sealed.
pub(super) async fn store_answers(
    tx: &mut WriteTx,
    sealer: &Sealer,
    (current, submitted, parsed): (&InterviewCase, &SubmittedPage<'_>, &ParsedPage<'_>),
    now: Timestamp,
) -> Result<ResponseId, InterviewError> {
    let (case, answer_context) = (current.case.id, submitted.answer_context);
    let mode = answer_context.mode.as_str();
    let stored = new_answers(sealer, case, &parsed.answered, &parsed.answers)?;
    // An address can name any language; the interview is in one of the questionnaire.
    let language = current.application.questionnaire.language_for(submitted.language);
    let response = responses::begin(tx, case, language, mode, now).await?;
    mark_started(tx, current, answer_context, now).await?;
    let source = AnswerSource { mode: answer_context.mode, account: answer_context.account };
    responses::save_answers(tx, response, &stored, source, now).await?;
    responses::clear_answers(tx, response, &parsed.cleared).await?;
    // On paper nobody knows when a page was seen.
    if answer_context.mode == Mode::Paper {
        return Ok(response);
    }
    // The form's time comes from the respondent: an impossible one counts as no time on the page.
    let shown_at = submitted
        .shown_at
        .filter(|at| *at <= now && now.since(*at) <= MAX_TIME_ON_PAGE)
        .unwrap_or(now);
    let visit = PageVisit {
        page: submitted.page,
        mode: mode.to_owned(),
        device: submitted.device,
        shown_at,
        sent_at: now,
        problems: parsed.problems.len(),
    };
    paradata::add(tx, response, &visit).await?;
    Ok(response)
}

/// Converts the answers to these items for the database; open answers are sealed.
pub(super) fn new_answers(
    sealer: &Sealer,
    case: CaseId,
    items: &[&Item],
    answers: &BTreeMap<String, Answer>,
) -> Result<Vec<NewAnswer>, InterviewError> {
    let mut stored = Vec::with_capacity(items.len());
    for item in items {
        let Some(answer) = answers.get(&item.id) else { continue };
        let value = match (answer, answer.to_stored()) {
            (Answer::Open(text), _) => StoredValue::Sealed(
                sealer.seal(seal_context::OPEN_ANSWER, text.reveal().as_bytes())?,
            ),
            (_, stored) => StoredValue::Plain(stored.unwrap_or_default()),
        };
        let option_order = option_order_shown(item, case);
        stored.push(NewAnswer { item: item.id.clone(), value, option_order });
    }
    Ok(stored)
}

/// Does the page hold the last question of the path?
fn is_last_question(submitted: &SubmittedPage<'_>, path: &QuestionPath<'_>) -> bool {
    match submitted.single_item {
        None => path.is_last(submitted.page),
        Some(single) => path
            .items()
            .filter(|item| item.is_question())
            .last()
            .is_some_and(|last| last.id == single),
    }
}

impl InterviewService {
    /// A link that is none, or a form that names a case that there is not.
    pub(super) async fn missing_case_error(&self, tx: &mut WriteTx, code: &str) -> InterviewError {
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
        invitations::end_plans(tx, &[invitation_cases.invitation.id]).await?;
    }
    Ok(())
}
