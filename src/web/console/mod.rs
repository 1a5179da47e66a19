//! The console: what operators and administrators do all day, and what auditors look at. Plain HTML that works before any script.
//!
//! A page takes one picture of [`crate::watch`] and shows it; a form calls one use-case and leads back to a page.

mod audit;
mod board;
mod campaigns;
mod cases;
mod chart;
mod deliveries;
mod inbox;
mod live;
mod sheet;
mod suppressions;

use std::sync::Arc;

pub use live::Latest;

use super::staff::Doors;
use super::{Failure, Site};
use crate::campaign::CampaignError;
use crate::domain::audit::Action;
use crate::domain::role::Permission;
use crate::store::StoreError;
use crate::watch::WatchError;

/// The time zone that pages tell times in, where no programme says its own.
const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

pub fn doors(site: &Arc<Site>) -> Doors {
    const WATCH: Permission = Permission::Watch;
    const OPERATE: Permission = Permission::Operate;
    Doors::new(site)
        .page("/home", WATCH, board::show)
        .page("/home/live", WATCH, live::home)
        .page("/campaigns", WATCH, campaigns::list)
        .page("/campaigns/{code}", WATCH, campaigns::show)
        .deed("/campaigns/{code}/state", OPERATE, (Action::CampaignState, "campaign:{code}", "{to}"), campaigns::change_state)
        .deed("/campaigns/{code}/budget", OPERATE, (Action::CampaignState, "campaign:{code}", "budget {amount}"), campaigns::set_budget)
        .deed("/applications/{code}/deadline", OPERATE, (Action::Deadline, "application:{code}", "{what} {days}"), campaigns::change_deadline)
        .deed("/applications/{code}/alarm", OPERATE, (Action::AlarmTaken, "application:{code}", ""), board::take_alarm)
        .page("/cases", Permission::Reveal, cases::show)
        .deed("/cases/search", Permission::Reveal, (Action::Searched, "", ""), cases::search)
        .page("/cases/{case}", Permission::Reveal, cases::story)
        .deed("/cases/{case}/reveal", Permission::Reveal, (Action::ShownCase, "case:{case}", ""), cases::reveal)
        .page("/inbox", OPERATE, inbox::show)
        .deed("/inbox/{reply}/read", Permission::Reveal, (Action::ShownReply, "reply:{reply}", ""), inbox::read)
        .deed("/inbox/{reply}/done", OPERATE, (Action::ReplyHandled, "reply:{reply}", ""), inbox::done)
        .deed("/doubts/{reference}", OPERATE, (Action::MessageSettled, "message:{reference}", "{as}"), inbox::settle)
        .page("/suppressions", OPERATE, suppressions::show)
        .deed("/suppressions", OPERATE, (Action::Suppressed, "", "{reason}"), suppressions::add)
        .page("/deliveries", WATCH, deliveries::show)
        .deed(
            "/deliveries/{application}/{version}/again",
            OPERATE,
            (Action::Redelivered, "application:{application}", "{version}"),
            deliveries::again,
        )
        .page("/audit", Permission::Audit, audit::show)
        .deed("/audit/verify", Permission::Audit, (Action::LogVerified, "", ""), audit::verify)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Internal(error.to_string())
    }
}

impl From<WatchError> for Failure {
    fn from(error: WatchError) -> Failure {
        match error {
            WatchError::Campaign(CampaignError::Unknown(_)) => Failure::NotFound,
            other => Failure::Internal(other.to_string()),
        }
    }
}
