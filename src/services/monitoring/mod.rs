//! Monitoring for the staff. All of it is read-only.
//!
//! [`overview`] is the home page, [`campaign`] shows one campaign, [`answers`] and [`contact_hours`] its
//! answers and contacts, and [`timeline`] one case.
//! [`search`] finds cases; [`health`] reports readiness and metrics to machines.

pub mod answers;
pub mod campaign;
pub mod contact_hours;
pub mod health;
pub mod news;
pub mod overview;
pub mod search;
pub mod timeline;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::services::deadlines::DeadlineError;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum MonitoringError {
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    #[strum(transparent)]
    Deadline(#[from] DeadlineError),
    #[error(transparent)]
    #[strum(transparent)]
    Forecast(#[from] crate::services::forecasting::ForecastError),
    #[error(transparent)]
    #[strum(transparent)]
    Campaign(#[from] crate::services::campaigns::CampaignError),
}
