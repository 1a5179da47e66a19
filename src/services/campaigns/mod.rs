//! Campaigns: launched after every check, paused, resumed, closed, and listed.
//!
//! A launch takes applications with their lists, a contact plan and a gateway, and makes a running
//! campaign: one invitation for each person (one link for all of that person's cases), quotas set,
//! questionnaires frozen. [`launch`] refuses a plan that cannot finish before the datasets are due
//! and a message that is too long, and states the campaign's maximum cost. Nothing is sent from
//! here.

mod launch;
pub mod message_text;
pub mod notes;
mod rates;
mod sample;
mod schedule;
mod status;

pub use launch::{LaunchError, LaunchReport, LaunchRequest, launch, prepare_launch};
pub use rates::{GroupRates, RateGrouping, rates};
pub use status::{
    ApplicationStatus, CampaignError, CampaignStatus, CellStatus, budget_version, change_state,
    set_budget, status,
};

/// Money as it is stored, in millionths.
fn to_micros(amount: f64) -> i64 {
    (amount * 1e6).round() as i64
}
