//! What stands behind a link: the cases of one respondent, and the screen to show.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::AnyConnection;

use super::{CollectError, Collector};
use crate::crypto::Sealer;
use crate::domain::disposition::Disposition;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::programme::Programme;
use crate::domain::questionnaire::{Answer, Facts, Path, Questionnaire};
use crate::domain::quota::QuotaPlan;
use crate::domain::time::Timestamp;
use crate::installation::{open_fields, place};
use crate::store::invitations::{self, InvitedCase, LinkedInvitation};
use crate::store::programmes;
use crate::store::responses::{self, StoredValue};

/// A respondent's cases under one link.
pub struct Bundle {
    pub invitation: LinkedInvitation,
    pub cases: Vec<BundleCase>,
    pub programme: Programme,
}

pub struct BundleCase {
    pub case: InvitedCase,
    pub questionnaire: Arc<Questionnaire>,
    pub answers: BTreeMap<String, Answer>,
    pub facts: Facts,
    /// Can answers be given now?
    pub is_askable: bool,
}

impl BundleCase {
    /// The way through the questionnaire, by the answers so far.
    pub fn path(&self) -> Path<'_> {
        self.questionnaire.path(&self.answers, &self.facts)
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
    /// Looks behind a link. Changes nothing.
    pub async fn open(&self, code: &str) -> Result<Bundle, CollectError> {
        let mut connection = self.installation.store.read().await?;
        self.load(&mut connection, code).await
    }

    pub(super) async fn load(&self, connection: &mut AnyConnection, code: &str) -> Result<Bundle, CollectError> {
        let hash = self.installation.keys.hasher().link_hash(code);
        let invitation = invitations::find_by_link(connection, &hash).await?.ok_or(CollectError::UnknownLink)?;
        let now = self.installation.clock.now();
        let sealer = self.installation.keys.sealer(&invitation.key_id)?;
        let mut cases = Vec::new();
        for case in invitations::cases_of(connection, &[invitation.id]).await? {
            let questionnaire = self.questionnaire(connection, case.questionnaire_id).await?;
            let stored = responses::of_case(connection, case.id).await?.map(|r| r.answers).unwrap_or_default();
            let answers = read_answers(&sealer, &questionnaire, stored)?;
            let facts = Facts {
                category: case.subject.category().to_string(),
                segment: case.segment.clone(),
                mode: super::save::WEB.to_owned(),
                fields: open_fields(&sealer, case.fields_sealed.as_deref())?,
            };
            cases.push(BundleCase { is_askable: is_askable(&case, now), case, questionnaire, answers, facts });
        }
        let programme = programmes::get(connection, invitation.programme_id).await?;
        Ok(Bundle { invitation, cases, programme })
    }
}

/// Can answers be given now? Where a cell is full, only by somebody who is under way and has not been asked everything yet that cells depend on: weighting
/// needs that.
fn is_askable(case: &InvitedCase, now: Timestamp) -> bool {
    let is_under_way = case.disposition == Disposition::BreakOff.code() && !case.quota_asked;
    let has_room = case.closed_cells == 0 || (is_under_way && case.closed_cells & QuotaPlan::TOTAL == 0);
    case.is_open && case.in_field && case.field_closes_at > now && has_room
}

/// Stored values as answers; open text is opened.
pub fn read_answers(
    sealer: &Sealer,
    questionnaire: &Questionnaire,
    stored: BTreeMap<String, StoredValue>,
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
    /// What to show a respondent who wants to see `wanted` (a page of the current case), or where the interview stands.
    pub fn screen(&self, wanted: Option<usize>) -> Screen {
        let Some(current) = self.cases.iter().position(|case| case.is_askable) else {
            return Screen::Finished(self.finish());
        };
        if self.invitation.opened_at.is_none() || !self.is_agreed() {
            return Screen::Welcome;
        }
        let path = self.cases[current].path();
        Screen::Page { case: current, page: wanted.map_or_else(|| path.reached(), |wanted| path.page_for(wanted)) }
    }

    fn finish(&self) -> Finish {
        let any = |disposition: Disposition| self.cases.iter().any(|c| c.case.disposition == disposition.code());
        if any(Disposition::Complete) {
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
