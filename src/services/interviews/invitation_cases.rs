//! What stands behind a link: the cases of one respondent, and the screen to show.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use sqlx::AnyConnection;

use super::launched_cache::CachedApplication;
use super::{InterviewError, InterviewService};
use crate::adapters::crypto::Sealer;
use crate::adapters::database::links::{self, LinkedCase, LinkedInvitation};
use crate::adapters::database::responses::{self, StoredValue};
use crate::domain::disposition::Disposition;
use crate::domain::ids::ProgrammeId;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::personal::Personal;
use crate::domain::programme::Programme;
use crate::domain::questionnaire::{Answer, QuestionPath, Questionnaire, RoutingFacts};
use crate::domain::quota::QuotaPlan;
use crate::domain::time::Timestamp;
use crate::services::sealing::{open_fields, seal_context};

/// A respondent's cases under one link.
pub struct InvitationCases {
    /// Its cases are in [`InvitationCases::cases`].
    pub invitation: LinkedInvitation,
    /// At least one.
    pub cases: Vec<InterviewCase>,
    pub programme: Arc<Programme>,
}

pub struct InterviewCase {
    pub case: LinkedCase,
    pub application: Arc<CachedApplication>,
    pub answers: BTreeMap<String, Answer>,
    pub facts: RoutingFacts,
    /// Can answers be given now?
    pub accepts_answers: bool,
    /// Is there no room any more in one of its cells, while its field goes on?
    pub is_cell_full: bool,
    /// They come after the field has closed: they are kept, and count in a later version of the
    /// dataset at most.
    pub is_late: bool,
}

/// So long after the end of the field answers are still taken from those who were under way.
const LATE_ANSWER_PERIOD: Duration = Duration::from_secs(14 * 86_400);

impl InterviewCase {
    /// The way through the questionnaire, by the answers so far.
    pub fn path(&self) -> QuestionPath<'_> {
        self.application.questionnaire.path(&self.answers, &self.facts)
    }
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    Welcome,
    /// A page of one case's questionnaire; both counted from 0.
    Page {
        case: usize,
        page: usize,
    },
    Finished(EndScreen),
    /// What the respondent asked for instead of going on.
    RequestConfirmed(RequestConfirmation),
}

/// A wish that was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestConfirmation {
    /// Later; with the day of the next reminder, if there is one.
    RemindedOn(Option<Timestamp>),
    /// A call.
    CallRequested,
    /// Nothing: all places are kept for others who have begun.
    PlacesReserved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndScreen {
    Thanks,
    Refused,
    /// Refused after having agreed.
    Withdrawn,
    NotEligible,
    QuotaFull,
    Closed,
}

impl EndScreen {
    /// Whether answers led there, and not only the end of the field or a refusal.
    pub fn is_by_answers(self) -> bool {
        matches!(self, EndScreen::Thanks | EndScreen::NotEligible | EndScreen::QuotaFull)
    }
}

impl InterviewService {
    /// Looks behind a link, to answer in a mode. Changes nothing.
    pub async fn open_invitation(
        &self,
        code: &str,
        mode: Mode,
    ) -> Result<InvitationCases, InterviewError> {
        let hash = self.context.keys.hasher().link_hash(code);
        let linked = self.lookup.find(&hash).await?.ok_or(InterviewError::UnknownLink)?;
        match self.find_cached(&linked) {
            Some((applications, programme)) => self.assemble(linked, applications, programme, mode),
            None => {
                self.load_invitation_cases(&mut *self.context.database.read().await?, linked, mode)
                    .await
            }
        }
    }

    /// Has the respondent answered any of these cases on the web since a moment?
    pub async fn has_web_answers(
        &self,
        invitation_cases: &InvitationCases,
        since: Timestamp,
    ) -> Result<bool, InterviewError> {
        let mut connection = self.context.database.read().await?;
        for case in &invitation_cases.cases {
            if responses::has_answers_since(&mut connection, case.case.id, Mode::Web, since).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same inside a transaction, as it stands there.
    pub(super) async fn load_in_transaction(
        &self,
        connection: &mut AnyConnection,
        code: &str,
        mode: Mode,
    ) -> Result<InvitationCases, InterviewError> {
        let hash = self.context.keys.hasher().link_hash(code);
        let linked = links::find_by_hashes(connection, &[hash.as_str()])
            .await?
            .remove(&hash)
            .ok_or(InterviewError::UnknownLink)?;
        self.load_invitation_cases(connection, linked, mode).await
    }

    /// What is on the shelf of a link's applications and their programme, if all of it is and the
    /// programme is of the revision that stands.
    fn find_cached(
        &self,
        linked: &LinkedInvitation,
    ) -> Option<(Vec<Arc<CachedApplication>>, Arc<Programme>)> {
        let applications: Vec<Arc<CachedApplication>> = linked
            .cases
            .iter()
            .map(|case| self.cache.application(case.application))
            .collect::<Option<_>>()?;
        let programme = applications.first()?.programme_id;
        Some((applications, self.cache.programme(programme, linked.programme_revision)?))
    }

    /// Reads what is not on the shelf yet.
    async fn load_invitation_cases(
        &self,
        connection: &mut AnyConnection,
        linked: LinkedInvitation,
        mode: Mode,
    ) -> Result<InvitationCases, InterviewError> {
        let mut applications = Vec::with_capacity(linked.cases.len());
        for case in &linked.cases {
            applications.push(self.cache.read_application(connection, case.application).await?);
        }
        // A link has a case at least.
        let programme = applications.first().ok_or(InterviewError::UnknownLink)?.programme_id;
        let programme = self.cache.read_programme(connection, programme).await?;
        self.assemble(linked, applications, programme, mode)
    }

    fn assemble(
        &self,
        mut linked: LinkedInvitation,
        applications: Vec<Arc<CachedApplication>>,
        programme: Arc<Programme>,
        mode: Mode,
    ) -> Result<InvitationCases, InterviewError> {
        let now = self.context.clock.now();
        let mut cases = Vec::with_capacity(linked.cases.len());
        for (mut case, application) in
            std::mem::take(&mut linked.cases).into_iter().zip(applications)
        {
            let sealer = self.context.keys.sealer(&application.key_id)?;
            let answers = decode_answers(
                &sealer,
                &application.questionnaire,
                std::mem::take(&mut case.answers),
            )?;
            let facts = RoutingFacts {
                category: application.category.clone(),
                segment: case.segment.clone(),
                mode: mode.to_string(),
                fields: open_fields(&sealer, case.fields_sealed.as_deref())?,
            };
            // By SMS, each question is a message of its own: none goes out after the end.
            let may_be_late = mode != Mode::Sms && linked.consent.is_some();
            let is_late = may_be_late && is_late(&case, now);
            cases.push(InterviewCase {
                accepts_answers: is_late || accepts_answers(&case, now),
                is_cell_full: is_in_field(&case, now) && !has_room(&case),
                is_late,
                case,
                application,
                answers,
                facts,
            });
        }
        Ok(InvitationCases { invitation: linked, cases, programme })
    }
}

/// Can answers be given now? Where a cell is full, only by somebody who is under way and has not
/// been asked everything yet that cells depend on: weighting needs that.
fn accepts_answers(case: &LinkedCase, now: Timestamp) -> bool {
    is_in_field(case, now) && has_room(case)
}

fn is_in_field(case: &LinkedCase, now: Timestamp) -> bool {
    case.is_open && case.in_field && case.field_closes_at > now
}

fn has_room(case: &LinkedCase) -> bool {
    let is_in_progress = case.disposition == Disposition::BreakOff && !case.is_quota_decided;
    case.closed_cell_mask == 0 || (is_in_progress && case.closed_cell_mask & QuotaPlan::TOTAL == 0)
}

/// May somebody who was under way when the field closed still finish? For so long that a page left
/// open overnight is not lost.
fn is_late(case: &LinkedCase, now: Timestamp) -> bool {
    let was_under_way = matches!(case.disposition, Disposition::BreakOff | Disposition::Partial);
    let over = case.closed_cell_mask != 0 || now > case.field_closes_at + LATE_ANSWER_PERIOD;
    !case.is_open && !case.in_field && was_under_way && !case.is_late && !over
}

/// Stored values as answers; open text is opened.
pub fn decode_answers(
    sealer: &Sealer,
    questionnaire: &Questionnaire,
    stored: impl IntoIterator<Item = (String, StoredValue)>,
) -> Result<BTreeMap<String, Answer>, InterviewError> {
    let read = |(id, value): (String, StoredValue)| match value {
        StoredValue::Sealed(sealed) => Some(
            sealer
                .open_text(seal_context::OPEN_ANSWER, &sealed)
                .map(|text| (id, Answer::Open(Personal::new(text))))
                .map_err(InterviewError::from),
        ),
        // The frozen questionnaire knows each of its answers.
        StoredValue::Plain(text) => questionnaire
            .item(&id)
            .and_then(|item| Answer::from_stored(item, &text))
            .map(|answer| Ok((id, answer))),
    };
    stored.into_iter().filter_map(read).collect()
}

impl InvitationCases {
    /// The ways through the questionnaires of its cases.
    pub fn paths(&self) -> Vec<QuestionPath<'_>> {
        self.cases.iter().map(InterviewCase::path).collect()
    }

    pub fn applicant_name(&self) -> &str {
        self.cases.first().map_or("", |case| &case.application.applicant_name)
    }

    pub(super) fn programme_id(&self) -> Option<ProgrammeId> {
        self.cases.first().map(|case| case.application.programme_id)
    }

    pub(super) fn key_id(&self) -> &str {
        self.cases.first().map_or("", |case| &case.application.key_id)
    }

    /// What to show a respondent who wants to see `wanted` (a page of the current case), or where
    /// the interview stands. `paths`: [`InvitationCases::paths`].
    pub fn screen(&self, paths: &[QuestionPath<'_>], wanted: Option<usize>) -> Screen {
        let Some(current) = self.cases.iter().position(|case| case.accepts_answers) else {
            return Screen::Finished(self.end_screen());
        };
        if self.invitation.opened_at.is_none() || !self.has_current_consent() {
            return Screen::Welcome;
        }
        let path = &paths[current];
        Screen::Page {
            case: current,
            page: wanted.map_or_else(|| path.furthest_page(), |wanted| path.page_for(wanted)),
        }
    }

    fn end_screen(&self) -> EndScreen {
        let any =
            |disposition: Disposition| self.cases.iter().any(|c| c.case.disposition == disposition);
        // Whose answers were excluded is told nothing else.
        if any(Disposition::Complete)
            || any(Disposition::Excluded)
            || self.cases.iter().any(|case| case.case.is_late && !self.invitation.has_withdrawn)
        {
            EndScreen::Thanks
        } else if any(Disposition::Refusal) {
            if self.invitation.has_withdrawn { EndScreen::Withdrawn } else { EndScreen::Refused }
        } else if any(Disposition::NotEligible) {
            EndScreen::NotEligible
        } else if any(Disposition::QuotaFilled)
            || self.cases.iter().any(|c| c.case.closed_cell_mask != 0)
        {
            EndScreen::QuotaFull
        } else {
            EndScreen::Closed
        }
    }

    /// The case at this place of the bundle, if it can be answered.
    pub fn answerable_case(&self, index: usize) -> Option<&InterviewCase> {
        self.cases.get(index).filter(|case| case.accepts_answers)
    }

    /// The case at this place, if a page of it is stored: it can be answered, or its cell has
    /// filled while the page was on the screen.
    pub(super) fn storable_case(&self, index: usize) -> Option<&InterviewCase> {
        self.cases.get(index).filter(|case| case.accepts_answers || case.is_cell_full)
    }

    /// Has a field just ended, without having been closed yet? What is sent in these moments is
    /// taken as soon as it is closed.
    pub fn is_being_closed(&self, now: Timestamp) -> bool {
        self.has_current_consent()
            && self.cases.iter().any(|case| {
                let case = &case.case;
                case.is_open
                    && case.in_field
                    && case.field_closes_at <= now
                    && case.closed_cell_mask == 0
                    && case.disposition == Disposition::BreakOff
            })
    }

    /// Does the consent stand, to the privacy notice as it is now?
    pub fn has_current_consent(&self) -> bool {
        let consent = self.invitation.consent.as_ref();
        consent.is_some_and(|version| self.programme.privacy.is_agreed_by(version))
    }

    /// Returns the language in which the respondent is interviewed unless they choose another.
    pub fn language(&self) -> Language {
        self.language_for(self.invitation.language)
    }

    /// Returns the language of the interview for somebody who reads the given one.
    pub fn language_for(&self, wanted: Language) -> Language {
        wanted.choose(self.languages().into_iter()).unwrap_or_default()
    }

    /// Returns the languages that all questionnaires have, in the order of the first; if there is
    /// none, those of the first.
    pub fn languages(&self) -> Vec<Language> {
        let mut all = self.cases.iter().map(|case| &case.application.questionnaire.languages);
        let Some(first) = all.next() else { return Vec::new() };
        let mut common = first.clone();
        for other in all {
            common.retain(|language| other.contains(language));
        }
        if common.is_empty() { first.clone() } else { common }
    }

    /// Returns the day of a moment where the programme is.
    pub fn today(&self, now: Timestamp) -> NaiveDate {
        now.date(self.programme.time_zone)
    }

    pub fn field_closes_at(&self) -> Option<Timestamp> {
        self.cases
            .iter()
            .filter(|case| case.accepts_answers)
            .map(|case| case.case.field_closes_at)
            .min()
    }
}
