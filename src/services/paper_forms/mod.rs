//! Paper forms: personal forms are printed, come back by post, and staff key them in.
//!
//! [`printing`] prepares a print run of people who are due by the plan or chosen by staff, and
//! numbers each form; [`documents`] makes the pages of a run. [`keying`] finds a form by its number
//! and stores the answers, through [`crate::services::interviews`] as in any other mode.
//! [`comparing`] has a share of the forms keyed by a second person, and settles differences.

pub mod comparing;
pub mod documents;
pub mod keying;
pub mod printing;
pub mod status;

use crate::adapters::crypto::password::NoRandom;
use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::disposition::Disposition;
use crate::domain::form_number::FormNumberProblem;
use crate::services::interviews::InterviewError;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "paper.", serialize_all = "snake_case")]
pub enum PaperFormError {
    #[error("no campaign has the code {0}; «fieldworkd campaign list» shows all")]
    UnknownCampaign(String),
    #[error("campaign {0} is not running; forms are printed while it is")]
    NotRunning(String),
    #[error("there is no print run {0} of this campaign")]
    UnknownRun(i64),
    #[error("a form number has ten digits; read it again")]
    NumberLength,
    #[error("this is no form number: a digit is wrong, or two are exchanged; read it again")]
    CheckDigit,
    #[error("no form has this number")]
    UnknownNumber,
    #[error("this form is keyed in already, by {0}")]
    AlreadyKeyed(String),
    #[error("this form is recorded already: {}", .0.1)]
    AlreadyRecorded((&'static str, &'static str)),
    #[error("you have keyed this form yourself; somebody else keys it a second time")]
    OwnKeying,
    #[error("the case of this form takes no answers any more: {0}")]
    CaseClosed(Disposition),
    #[error("the person has answered in another mode before; see the form's page")]
    AnsweredBefore,
    #[error("all places left in a quota cell are kept for others who have begun; try again later")]
    PlacesReserved,
    #[error("the answers belong to a quota cell that is full; nothing was changed")]
    NoRoom,
    #[error("no item is answered; record the form as returned blank")]
    Empty,
    #[error("too little would remain answered; nothing was changed")]
    Insufficient,
    #[error("say why, in at most 500 characters and without names or numbers of people")]
    Reason,
    #[error("nothing is to be settled about this form")]
    NothingToSettle,
    #[error("the day on the form is no day up to today; write it like 2026-05-13")]
    FilledOn,
    #[error("the plan of campaign {campaign}, as launched, cannot be read: {error}")]
    Plan { campaign: String, error: ContactPlanError },
    #[error("a printed page cannot be made: {0}")]
    Page(String),
    #[error(transparent)]
    #[strum(transparent)]
    Random(#[from] NoRandom),
    #[error(transparent)]
    #[strum(transparent)]
    Interview(#[from] InterviewError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

impl From<FormNumberProblem> for PaperFormError {
    fn from(problem: FormNumberProblem) -> PaperFormError {
        match problem {
            FormNumberProblem::Length => PaperFormError::NumberLength,
            FormNumberProblem::CheckDigit => PaperFormError::CheckDigit,
        }
    }
}
