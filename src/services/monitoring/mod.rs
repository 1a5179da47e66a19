//! What the staff watch: how everything stands, and what has happened to one case. Nothing is
//! changed from here.
//!
//! [`overview`] is the home page's picture, [`campaign`] one campaign's, [`timeline`] one case's,
//! [`search`] finds cases by what somebody knows of a person, [`health`] is what a machine watches.

pub mod campaign;
pub mod health;
pub mod overview;
pub mod search;
pub mod timeline;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::services::deadlines::DeadlineError;

#[derive(Debug, thiserror::Error)]
pub enum MonitoringError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Deadline(#[from] DeadlineError),
    #[error(transparent)]
    Forecast(#[from] crate::services::forecasting::ForecastError),
    #[error(transparent)]
    Campaign(#[from] crate::services::campaigns::CampaignError),
}
