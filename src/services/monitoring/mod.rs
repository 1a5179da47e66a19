//! What the staff watch: how everything stands, and what has happened to one case. Nothing is changed from here.
//!
//! [`board`] is the home page's picture, [`campaign`] one campaign's, [`story`] one case's, [`search`] finds cases by what somebody knows of a person, [`vitals`]
//! is what a machine watches.

pub mod board;
pub mod campaign;
pub mod search;
pub mod story;
pub mod vitals;

use crate::crypto::{KeyRingError, SealError};
use crate::deadline::DeadlineError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Deadline(#[from] DeadlineError),
    #[error(transparent)]
    Campaign(#[from] crate::campaign::CampaignError),
}
