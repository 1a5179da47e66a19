//! Applicants' own pages. Staff give an applicant a personal link; a one-time code by SMS to its
//! contact opens it. The applicant uploads its documents and lists, corrects mistakes, declares
//! that those listed are its users and have been informed, and submits the list. Staff accept it or
//! send it back. Afterwards the page shows totals, never who has answered.
//!
//! [`links`] gives and revokes links, [`sign_in`] sends and checks codes, [`lists`] takes lists
//! from upload to acceptance, and [`totals`] computes what the page shows afterwards.

pub mod links;
pub mod lists;
pub mod sign_in;
pub mod totals;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::domain::phone::PhoneError;
use crate::services::application_forms::ApplicationFormError;
use crate::services::drafts::lists::ListDraftError;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "applicant_page.", serialize_all = "snake_case")]
pub enum ApplicantPageError {
    #[error(
        "no gateway is set up for applicants' codes; set applicant_pages.gateway and signature"
    )]
    NotConfigured,
    #[error("the contact's mobile: {0}")]
    Number(PhoneError),
    #[error("a one-time code goes by SMS: the contact's number must be a mobile")]
    NoMobile,
    #[error("a link is valid for 1 to 180 days")]
    Days,
    #[error("no application has the code {0}")]
    UnknownApplication(String),
    #[error("the link is not valid, or not any more")]
    UnknownLink,
    #[error("a code was sent within the last minute; wait for it")]
    CodeTooSoon,
    #[error("too many codes were sent in a day; ask the staff")]
    TooManyCodes,
    #[error("the code could not be sent: {0}")]
    CodeNotSent(String),
    #[error("the code is wrong, or not valid any more")]
    WrongCode,
    #[error("the list is handed in, and cannot be changed while it is looked at")]
    HandedIn,
    #[error("to hand a list in, confirm the declaration and give your name")]
    NotDeclared,
    #[error("say what is to be corrected")]
    NoWord,
    #[error(transparent)]
    #[strum(transparent)]
    List(#[from] ListDraftError),
    #[error(transparent)]
    #[strum(transparent)]
    Form(#[from] ApplicationFormError),
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
