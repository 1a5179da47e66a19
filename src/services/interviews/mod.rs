//! Collection: what respondents see behind their link, and what becomes of their answers.
//!
//! In goes the code of a personal link and what a form sent; out comes a [`Screen`]. Looking changes nothing (message scanners open links);
//! only what a respondent sends does, each in one transaction that is on disk before anybody is thanked (invariant I5): [`save`] takes pages, [`wishes`]
//! what somebody wants instead. Nothing is asked before the privacy notice is agreed to. A respondent's cases are asked one after another, in the order of their applications' codes. It knows
//! no HTML and sends nothing.

mod bundle;
mod lookup;
mod save;
mod shelf;
mod wishes;

pub use bundle::{Bundle, BundleCase, Finish, Noted, Screen, read_answers};
pub use save::{Saved, SentPage, Sitting};
pub use wishes::{CallWhen, Later, take_back};

use std::sync::Arc;

use crate::crypto::{KeyRingError, SealError};
use crate::dispatch::DispatchError;
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::questionnaire::QuestionnaireError;
use crate::installation::Installation;
use crate::store::StoreError;
use lookup::Lookup;
use shelf::Shelf;

#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("no invitation has this link")]
    UnknownLink,
    #[error("the page sent a field that is none of this questionnaire's")]
    BadForm,
    #[error("questionnaire {id} as launched cannot be read: {error}")]
    Questionnaire { id: i64, error: QuestionnaireError },
    #[error("the plan of campaign {campaign}, as launched, cannot be read: {error}")]
    Plan { campaign: String, error: ContactPlanError },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Of a look that served several.
    #[error(transparent)]
    Look(#[from] Arc<StoreError>),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
}

/// The collection of one installation.
pub struct Collector {
    installation: Arc<Installation>,
    shelf: Shelf,
    lookup: Lookup,
}

impl Collector {
    pub fn new(installation: Arc<Installation>) -> Collector {
        let lookup = Lookup::new(installation.store.clone());
        Collector { installation, shelf: Shelf::default(), lookup }
    }
}
