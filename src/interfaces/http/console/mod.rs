//! The console: what operators and administrators do all day, and what auditors look at. Plain HTML that works before any script.
//!
//! A page takes one picture of [`crate::services::monitoring`] and shows it; a form calls one use-case and leads back to a page.

mod audit;
mod home;
mod campaigns;
mod cases;
mod chart;
mod deliveries;
mod drafts;
mod inbox;
mod lists;
mod live;
mod privacy;
mod questionnaires;
mod refusals;
mod review;
mod setup;
mod csv_download;
mod suppressions;
mod webhooks;

use std::sync::Arc;

pub use live::Latest;

use axum::Router;
use axum::routing::get;

use super::auth::Doors;
use super::Failure;
use super::state::Site;
use crate::services::campaigns::CampaignError;
use crate::domain::audit::Action;
use crate::domain::role::Permission;
use crate::adapters::database::StoreError;
use crate::services::monitoring::WatchError;

/// The time zone that pages tell times in, where no programme says its own.
const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

pub fn doors(site: &Arc<Site>) -> Doors {
    const WATCH: Permission = Permission::Watch;
    const OPERATE: Permission = Permission::Operate;
    Doors::new(site)
        .page("/home", WATCH, home::show)
        .background("/home/live", WATCH, live::home)
        .page("/campaigns", WATCH, campaigns::list)
        .page("/campaigns/{code}", WATCH, campaigns::show)
        .deed("/campaigns/{code}/state", OPERATE, (Action::CampaignState, "campaign:{code}", "{to}"), campaigns::change_state)
        .deed("/campaigns/{code}/budget", OPERATE, (Action::CampaignState, "campaign:{code}", "budget {amount}"), campaigns::set_budget)
        .deed("/applications/{code}/deadline", OPERATE, (Action::Deadline, "application:{code}", "{what} {days}"), campaigns::change_deadline)
        .deed("/applications/{code}/alarm", OPERATE, (Action::AlarmTaken, "application:{code}", ""), home::take_alarm)
        .page("/cases", Permission::Reveal, cases::show)
        .deed("/cases/search", Permission::Reveal, (Action::Searched, "", ""), cases::search)
        .page("/cases/{case}", Permission::Reveal, cases::story)
        .deed("/cases/{case}/reveal", Permission::Reveal, (Action::ShownCase, "case:{case}", ""), cases::reveal)
        .form("/cases/{case}/export", Permission::Reveal, cases::export)
        .deed("/cases/{case}/erase", OPERATE, (Action::Erased, "case:{case}", ""), cases::erase)
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
        .form("/datasets/{application}/{version}/review", Permission::Reveal, review::read)
        .deed(
            "/datasets/{application}/{version}/release",
            Permission::Reveal,
            (Action::Released, "application:{application}", "{version}"),
            review::release,
        )
        .deed("/datasets/{application}/freeze", OPERATE, (Action::Frozen, "application:{application}", ""), review::freeze)
        .page("/privacy", Permission::ManageAccounts, privacy::show)
        .deed(
            "/privacy/{programme}/{applicant}/forget",
            Permission::ManageAccounts,
            (Action::Purged, "applicant:{programme}/{applicant}", ""),
            privacy::forget,
        )
        .deed(
            "/privacy/{programme}/{applicant}/hold",
            Permission::ManageAccounts,
            (Action::LegalHold, "applicant:{programme}/{applicant}", "{do}"),
            privacy::hold,
        )
        .page("/privacy/certificates/{id}/{part}", Permission::ManageAccounts, privacy::certificate)
        .page("/setup", OPERATE, setup::show)
        .deed("/programmes", OPERATE, (Action::Programme, "programme:{code}", ""), setup::save_programme)
        .deed("/applications", OPERATE, (Action::Applicant, "application:{code}", "{category}"), setup::register)
        .page("/applications/{code}", OPERATE, setup::application)
        .deed("/applications/{code}/fee", OPERATE, (Action::Deadline, "application:{code}", "fee settled on {day}"), setup::settle_fee)
        .upload("/applications/{code}/list", OPERATE, (Action::ListUploaded, "application:{code}", "{others}"), lists::upload)
        .reveal("/lists/{list}", Permission::Reveal, (Action::ShownList, "list:{list}"), lists::show)
        .deed("/lists/{list}", Permission::Reveal, (Action::ListCorrected, "list:{list}", ""), lists::correct)
        .deed("/lists/{list}/import", OPERATE, (Action::ListImported, "list:{list}", ""), lists::import)
        .deed("/lists/{list}/drop", OPERATE, (Action::ListDropped, "list:{list}", ""), lists::discard)
        .page("/questionnaires/{category}", OPERATE, questionnaires::show)
        .page("/new-campaign", OPERATE, drafts::new)
        .deed("/drafts", OPERATE, (Action::PlanSaved, "draft:{code}", ""), drafts::create)
        .page("/drafts/{code}", OPERATE, drafts::show)
        .deed("/drafts/{code}", OPERATE, (Action::PlanSaved, "draft:{code}", "{do}"), drafts::save)
        .deed("/drafts/{code}/test", OPERATE, (Action::TextTested, "draft:{code}", "{step}"), drafts::send_test)
        .deed("/drafts/{code}/ask", OPERATE, (Action::LaunchAsked, "draft:{code}", ""), drafts::ask)
        .deed("/drafts/{code}/launch", OPERATE, (Action::Launched, "campaign:{code}", ""), drafts::launch)
        .deed("/drafts/{code}/drop", OPERATE, (Action::PlanDropped, "draft:{code}", ""), drafts::discard)
        .page("/webhooks", Permission::ManageAccounts, webhooks::show)
        .form("/webhooks", Permission::ManageAccounts, webhooks::add)
        .form("/webhooks/{name}/test", Permission::ManageAccounts, webhooks::test)
        .form("/webhooks/{name}/remove", Permission::ManageAccounts, webhooks::remove)
        .page("/audit", Permission::Audit, audit::show)
        .deed("/audit/verify", Permission::Audit, (Action::LogVerified, "", ""), audit::verify)
}

/// What is open to whoever has a signed link.
pub fn routes() -> Router<Arc<Site>> {
    Router::new().route("/try/{category}/{until}/{signature}", get(questionnaires::try_out))
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
