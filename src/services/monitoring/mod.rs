//! Monitoring for the staff. All of it is read-only.
//!
//! [`overview`] is the home page, [`campaign`] shows one campaign and [`timeline`] one case.
//! [`search`] finds cases; [`health`] reports readiness and metrics to machines.

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
