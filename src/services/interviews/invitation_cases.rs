//! What stands behind a link: the cases of one respondent, and the screen to show.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::AnyConnection;

use super::launched_cache::Launched;
use super::{CollectError, Collector};
use crate::adapters::crypto::Sealer;
use crate::domain::disposition::Disposition;
use crate::domain::ids::ProgrammeId;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::personal::Personal;
use crate::domain::programme::Programme;
use crate::domain::questionnaire::{Answer, Facts, Path, Questionnaire};
use crate::domain::quota::QuotaPlan;
use crate::domain::time::Timestamp;
use crate::services::sealing::{open_fields, place};
use crate::adapters::database::links::{self, Linked, LinkedCase};
use crate::adapters::database::responses::{self, StoredValue};

/// A respondent's cases under one link.
pub struct Bundle {
    /// Its cases are in [`Bundle::cases`].
    pub invitation: Linked,
    /// At least one.
    pub cases: Vec<BundleCase>,
    pub programme: Arc<Programme>,
}

pub struct BundleCase {
    pub case: LinkedCase,
    pub application: Arc<Launched>,
    pub answers: BTreeMap<String, Answer>,
    pub facts: Facts,
    /// Can answers be given now?
    pub is_askable: bool,
    /// They come after the field has closed: they are kept, and count in a later version of the dataset at most.
    pub is_late: bool,
}

/// So long after the end of the field answers are still taken from those who were under way.
const LATE_FOR: Duration = Duration::from_secs(14 * 86_400);

impl BundleCase {
    /// The way through the questionnaire, by the answers so far.
    pub fn path(&self) -> Path<'_> {
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
    Finished(Finish),
    /// What the respondent asked for instead of going on.
    Noted(Noted),
}

/// A wish that was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// Later; with the day of the next reminder, if there is one.
    Later(Option<Timestamp>),
    /// A call.
    Call,
    /// Nothing: all places are kept for others who have begun.
    Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Thanks,
    Refused,
    /// Refused after having agreed.
    Withdrawn,
    NotAUser,
    CellFull,
    Closed,
}

impl Collector {
    /// Looks behind a link, to answer in a mode. Changes nothing.
    pub async fn open(&self, code: &str, mode: Mode) -> Result<Bundle, CollectError> {
        let hash = self.installation.keys.hasher().link_hash(code);
        let linked = self.lookup.find(&hash).await?.ok_or(CollectError::UnknownLink)?;
        match self.shelved(&linked) {
            Some((launched, programme)) => self.assemble(linked, launched, programme, mode),
            None => self.bundle(&mut *self.installation.store.read().await?, linked, mode).await,
        }
    }

    /// Has the respondent answered any of these cases on the web since a moment?
    pub async fn has_web_answers(&self, bundle: &Bundle, since: Timestamp) -> Result<bool, CollectError> {
        let mut connection = self.installation.store.read().await?;
        for case in &bundle.cases {
            if responses::has_answers_since(&mut connection, case.case.id, Mode::Web, since).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same inside a transaction, as it stands there.
    pub(super) async fn load(&self, connection: &mut AnyConnection, code: &str, mode: Mode) -> Result<Bundle, CollectError> {
        let hash = self.installation.keys.hasher().link_hash(code);
        let linked = links::behind(connection, &[hash.as_str()]).await?.remove(&hash).ok_or(CollectError::UnknownLink)?;
        self.bundle(connection, linked, mode).await
    }

    /// What is on the shelf of a link's applications and their programme, if all of it is and the programme is of the revision that stands.
    fn shelved(&self, linked: &Linked) -> Option<(Vec<Arc<Launched>>, Arc<Programme>)> {
        let launched: Vec<Arc<Launched>> = linked.cases.iter().map(|case| self.shelf.application(case.application)).collect::<Option<_>>()?;
        let programme = launched.first()?.programme_id;
        Some((launched, self.shelf.programme(programme, linked.programme_revision)?))
    }

    /// Reads what is not on the shelf yet.
    async fn bundle(&self, connection: &mut AnyConnection, linked: Linked, mode: Mode) -> Result<Bundle, CollectError> {
        let mut launched = Vec::with_capacity(linked.cases.len());
        for case in &linked.cases {
            launched.push(self.shelf.read_application(connection, case.application).await?);
        }
        // A link has a case at least.
        let programme = launched.first().ok_or(CollectError::UnknownLink)?.programme_id;
        let programme = self.shelf.read_programme(connection, programme).await?;
        self.assemble(linked, launched, programme, mode)
    }

    fn assemble(&self, mut linked: Linked, launched: Vec<Arc<Launched>>, programme: Arc<Programme>, mode: Mode) -> Result<Bundle, CollectError> {
        let now = self.installation.clock.now();
        let mut cases = Vec::with_capacity(linked.cases.len());
        for (mut case, application) in std::mem::take(&mut linked.cases).into_iter().zip(launched) {
            let sealer = self.installation.keys.sealer(&application.key_id)?;
            let answers = read_answers(&sealer, &application.questionnaire, std::mem::take(&mut case.answers))?;
            let facts = Facts {
                category: application.category.clone(),
                segment: case.segment.clone(),
                mode: mode.to_string(),
                fields: open_fields(&sealer, case.fields_sealed.as_deref())?,
            };
            let is_late = mode == Mode::Web && is_late(&case, now) && linked.consent.is_some();
            cases.push(BundleCase { is_askable: is_late || is_askable(&case, now), is_late, case, application, answers, facts });
        }
        Ok(Bundle { invitation: linked, cases, programme })
    }
}

/// Can answers be given now? Where a cell is full, only by somebody who is under way and has not been asked everything yet that cells depend on: weighting
/// needs that.
fn is_askable(case: &LinkedCase, now: Timestamp) -> bool {
    let is_under_way = case.disposition == Disposition::BreakOff && !case.quota_asked;
    let has_room = case.closed_cells == 0 || (is_under_way && case.closed_cells & QuotaPlan::TOTAL == 0);
    case.is_open && case.in_field && case.field_closes_at > now && has_room
}

/// May somebody who was under way when the field closed still finish? For so long that a page left open overnight is not lost.
fn is_late(case: &LinkedCase, now: Timestamp) -> bool {
    let was_under_way = matches!(case.disposition, Disposition::BreakOff | Disposition::Partial);
    let over = case.closed_cells != 0 || now > case.field_closes_at + LATE_FOR;
    !case.is_open && !case.in_field && was_under_way && !case.is_late && !over
}

/// Stored values as answers; open text is opened.
pub fn read_answers(
    sealer: &Sealer,
    questionnaire: &Questionnaire,
    stored: impl IntoIterator<Item = (String, StoredValue)>,
) -> Result<BTreeMap<String, Answer>, CollectError> {
    let read = |(id, value): (String, StoredValue)| match value {
        StoredValue::Sealed(sealed) => {
            Some(sealer.open_text(place::OPEN_ANSWER, &sealed).map(|text| (id, Answer::Open(Personal::new(text)))).map_err(CollectError::from))
        }
        // The frozen questionnaire knows each of its answers.
        StoredValue::Plain(text) => questionnaire.item(&id).and_then(|item| Answer::restore(item, &text)).map(|answer| Ok((id, answer))),
    };
    stored.into_iter().filter_map(read).collect()
}

impl Bundle {
    /// The ways through the questionnaires of its cases.
    pub fn paths(&self) -> Vec<Path<'_>> {
        self.cases.iter().map(BundleCase::path).collect()
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

    /// What to show a respondent who wants to see `wanted` (a page of the current case), or where the interview stands. `paths`: [`Bundle::paths`].
    pub fn screen(&self, paths: &[Path<'_>], wanted: Option<usize>) -> Screen {
        let Some(current) = self.cases.iter().position(|case| case.is_askable) else {
            return Screen::Finished(self.finish());
        };
        if self.invitation.opened_at.is_none() || !self.is_agreed() {
            return Screen::Welcome;
        }
        let path = &paths[current];
        Screen::Page { case: current, page: wanted.map_or_else(|| path.reached(), |wanted| path.page_for(wanted)) }
    }

    fn finish(&self) -> Finish {
        let any = |disposition: Disposition| self.cases.iter().any(|c| c.case.disposition == disposition);
        if any(Disposition::Complete) || self.cases.iter().any(|case| case.case.is_late && !self.invitation.has_withdrawn) {
            Finish::Thanks
        } else if any(Disposition::Refusal) {
            if self.invitation.has_withdrawn { Finish::Withdrawn } else { Finish::Refused }
        } else if any(Disposition::NotEligible) {
            Finish::NotAUser
        } else if any(Disposition::QuotaFilled) || self.cases.iter().any(|c| c.case.closed_cells != 0) {
            Finish::CellFull
        } else {
            Finish::Closed
        }
    }

    /// The case at this place of the bundle, if it can be answered.
    pub fn askable(&self, index: usize) -> Option<&BundleCase> {
        self.cases.get(index).filter(|case| case.is_askable)
    }

    /// Does the consent stand, to the privacy notice as it is now?
    pub fn is_agreed(&self) -> bool {
        self.invitation.consent.as_ref() == Some(&self.programme.privacy.version)
    }

    pub fn language(&self) -> Language {
        self.invitation.language
    }

    pub fn field_closes_at(&self) -> Option<Timestamp> {
        self.cases.iter().filter(|case| case.is_askable).map(|case| case.case.field_closes_at).min()
    }
}
