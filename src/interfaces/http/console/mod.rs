//! The console: pages for operators, administrators and auditors. Plain HTML that works without
//! script.
//!
//! A page loads one snapshot from [`crate::services::monitoring`] and renders it. A form calls one
//! service and redirects to a page.

mod answers;
mod application_drafts;
mod audit;
mod campaigns;
mod cases;
mod code_words;
mod conflict;
mod contacts;
mod deliveries;
mod drafts;
mod holidays;
mod home;
mod home_stream;
mod inbox;
mod library;
mod lists;
mod notices;
mod organiser;
mod paper;
mod person_document;
mod privacy;
mod questionnaires;
mod responses;
mod review;
mod running_plan;
mod setup;
mod suppressions;
mod webhooks;

use std::sync::Arc;

pub use home::state_label;
pub use home_stream::OverviewCache;
pub use lists::{column_label, corrections_of, workbook};

use axum::Router;
use axum::routing::get;

use super::Failure;
use super::auth::StaffRouter;
use super::csv_download;
use super::state::AppState;
use crate::adapters::database::DatabaseError;
use crate::domain::audit::Action;
use crate::domain::role::Permission;
use crate::services::campaigns::CampaignError;
use crate::services::monitoring::MonitoringError;

/// Time zone of times on pages that belong to no programme.
const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

pub fn routes(app: &Arc<AppState>) -> StaffRouter {
    const READ: Permission = Permission::Read;
    const OPERATE: Permission = Permission::Operate;
    StaffRouter::new(app)
        .page("/home", READ, home::show)
        .background_page("/home/live", READ, home_stream::home)
        .page("/campaigns", READ, campaigns::list)
        .page("/campaigns/{code}", READ, campaigns::show)
        .page("/campaigns/{code}/answers", Permission::Datasets, answers::show)
        .page("/campaigns/{code}/contacts", READ, contacts::show)
        .page("/campaigns/{code}/paper", READ, paper::show)
        .form("/campaigns/{code}/paper/print", Permission::Reveal, paper::make_run)
        .form("/campaigns/{code}/paper/runs/{run}", Permission::Reveal, paper::document)
        .audited_form(
            "/campaigns/{code}/state",
            OPERATE,
            (Action::CampaignStateChanged, "campaign:{code}", "{to}"),
            campaigns::change_state,
        )
        .audited_form(
            "/campaigns/{code}/budget",
            OPERATE,
            (Action::CampaignStateChanged, "campaign:{code}", "budget {amount}"),
            campaigns::set_budget,
        )
        .audited_form(
            "/campaigns/{code}/comments",
            OPERATE,
            (Action::CampaignNoteWritten, "campaign:{code}", ""),
            campaigns::write_note,
        )
        .audited_form(
            "/campaigns/{code}/comments/{note}/delete",
            OPERATE,
            (Action::CampaignNoteDeleted, "campaign:{code}", "{note}"),
            campaigns::delete_note,
        )
        .background_page("/notices", READ, notices::show)
        .audited_form(
            "/applications/{code}/deadline",
            OPERATE,
            (Action::DeadlineChanged, "application:{code}", "{what} {days}"),
            campaigns::change_deadline,
        )
        .audited_form(
            "/applications/{code}/alarm",
            OPERATE,
            (Action::AlarmAcknowledged, "application:{code}", ""),
            home::acknowledge_alarm,
        )
        .page("/cases", Permission::Reveal, cases::show)
        .audited_form(
            "/cases/search",
            Permission::Reveal,
            (Action::PersonSearched, "", ""),
            cases::search,
        )
        .page("/cases/{case}", Permission::Reveal, cases::timeline)
        .audited_form(
            "/cases/{case}/reveal",
            Permission::Reveal,
            (Action::CasePersonViewed, "case:{case}", ""),
            cases::reveal,
        )
        .form("/cases/{case}/export", Permission::Reveal, cases::export)
        .audited_form(
            "/cases/{case}/erase",
            OPERATE,
            (Action::PersonErased, "case:{case}", ""),
            cases::erase,
        )
        .page("/inbox", OPERATE, inbox::show)
        .audited_page(
            "/inbox/{reply}",
            Permission::Reveal,
            (Action::ReplyViewed, "reply:{reply}"),
            inbox::read,
        )
        .form("/inbox/handle", OPERATE, inbox::done_ticked)
        .audited_form(
            "/inbox/{reply}/assign",
            OPERATE,
            (Action::ReplyAssigned, "reply:{reply}", "{to}"),
            inbox::assign,
        )
        .audited_form(
            "/inbox/{reply}/call",
            Permission::Reveal,
            (Action::ReplyToInterviewers, "reply:{reply}", ""),
            inbox::to_interviewers,
        )
        .form("/inbox/{reply}/answer", Permission::Reveal, inbox::answer_by_sms)
        .background_form("/inbox/{reply}/preview", Permission::Reveal, inbox::preview_answer)
        .audited_form(
            "/inbox/{reply}/handle",
            OPERATE,
            (Action::ReplyHandled, "reply:{reply}", ""),
            inbox::done,
        )
        .audited_form(
            "/messages/{reference}/resolve",
            OPERATE,
            (Action::MessageSettled, "message:{reference}", "{as}"),
            inbox::settle,
        )
        .audited_form(
            "/messages/resend-all",
            OPERATE,
            (Action::MessageSettled, "messages", "not_sent"),
            inbox::resend_all,
        )
        .page("/suppressions", OPERATE, suppressions::show)
        .audited_form(
            "/suppressions",
            OPERATE,
            (Action::NumberSuppressed, "", "{reason}"),
            suppressions::add,
        )
        .page("/deliveries", READ, deliveries::show)
        .page("/deliveries/{application}/{version}", Permission::Datasets, deliveries::files)
        .audited_download(
            "/deliveries/{application}/{version}/package",
            Permission::Datasets,
            (Action::DatasetDownloaded, "application:{application}", "{version} package"),
            deliveries::package,
        )
        .audited_download(
            "/deliveries/{application}/{version}/files/{file}",
            Permission::Datasets,
            (Action::DatasetDownloaded, "application:{application}", "{version} {file}"),
            deliveries::file,
        )
        .audited_form(
            "/deliveries/{application}/{version}/redeliver",
            OPERATE,
            (Action::DatasetRedelivered, "application:{application}", "{version}"),
            deliveries::again,
        )
        .form("/datasets/{application}/{version}/review", Permission::Reveal, review::read)
        .audited_form(
            "/datasets/{application}/{version}/release",
            Permission::Reveal,
            (Action::DatasetReleased, "application:{application}", "{version}"),
            review::release,
        )
        .audited_form(
            "/datasets/{application}/freeze",
            OPERATE,
            (Action::DatasetFrozen, "application:{application}", ""),
            review::freeze,
        )
        .page("/applications/{code}/responses", READ, responses::show)
        .form("/applications/{code}/responses/{case}", OPERATE, responses::decide)
        .page("/privacy", Permission::ManageAccounts, privacy::show)
        .audited_form(
            "/privacy/{programme}/{applicant}/purge",
            Permission::ManageAccounts,
            (Action::PeoplePurged, "applicant:{programme}/{applicant}", ""),
            privacy::purge_applicant,
        )
        .audited_form(
            "/privacy/{programme}/{applicant}/hold",
            Permission::ManageAccounts,
            (Action::LegalHoldChanged, "applicant:{programme}/{applicant}", "{do}"),
            privacy::set_legal_hold,
        )
        .page("/privacy/certificates/{id}/{part}", Permission::ManageAccounts, privacy::certificate)
        .page("/setup", OPERATE, setup::show)
        .audited_form(
            "/programmes",
            OPERATE,
            (Action::ProgrammeSaved, "programme:{code}", ""),
            setup::save_programme,
        )
        .page("/programmes/{code}/organiser", OPERATE, organiser::show)
        .audited_form(
            "/programmes/{code}/organiser",
            OPERATE,
            (Action::ProgrammeSaved, "programme:{code}", "organiser"),
            organiser::save,
        )
        .audited_upload(
            "/programmes/{code}/logo",
            Permission::ManageAccounts,
            (Action::ProgrammeSaved, "programme:{code}", "logo"),
            organiser::upload_logo,
        )
        .audited_form(
            "/programmes/{code}/logo/remove",
            Permission::ManageAccounts,
            (Action::ProgrammeSaved, "programme:{code}", "logo removed"),
            organiser::remove_logo,
        )
        .audited_form(
            "/applications",
            OPERATE,
            (Action::ApplicationRegistered, "application:{code}", "{category}"),
            setup::register,
        )
        .page("/applications/{code}", OPERATE, setup::application)
        .audited_form(
            "/applications/{code}/fee",
            OPERATE,
            (Action::DeadlineChanged, "application:{code}", "fee settled on {day}"),
            setup::settle_fee,
        )
        .audited_upload(
            "/application-drafts",
            OPERATE,
            (Action::FormsRead, "programme:{programme}", ""),
            application_drafts::upload,
        )
        .audited_page(
            "/application-drafts/{draft}",
            Permission::Reveal,
            (Action::FormsViewed, "application-draft:{draft}"),
            application_drafts::show,
        )
        .audited_form(
            "/application-drafts/{draft}",
            Permission::Reveal,
            (Action::FormsCorrected, "application-draft:{draft}", ""),
            application_drafts::correct,
        )
        .audited_form(
            "/application-drafts/{draft}/register",
            OPERATE,
            (Action::ApplicationRegistered, "application-draft:{draft}", ""),
            application_drafts::register,
        )
        .audited_form(
            "/application-drafts/{draft}/discard",
            OPERATE,
            (Action::FormsDiscarded, "application-draft:{draft}", ""),
            application_drafts::discard,
        )
        .audited_page(
            "/applications/{code}/contact",
            Permission::Reveal,
            (Action::ContactViewed, "application:{code}"),
            setup::contact,
        )
        .audited_upload(
            "/applications/{code}/list",
            OPERATE,
            (Action::ListUploaded, "application:{code}", "{others}"),
            lists::upload,
        )
        .audited_page(
            "/lists/{list}",
            Permission::Reveal,
            (Action::ListViewed, "list:{list}"),
            lists::show,
        )
        .audited_form(
            "/lists/{list}",
            Permission::Reveal,
            (Action::ListCorrected, "list:{list}", ""),
            lists::correct,
        )
        .audited_form(
            "/lists/{list}/read",
            Permission::Reveal,
            (Action::ListReread, "list:{list}", "{sheet} {encoding}"),
            lists::read_again,
        )
        .audited_form(
            "/lists/{list}/leave-out",
            Permission::Reveal,
            (Action::ListLeftOut, "list:{list}", "{do}"),
            lists::leave_out,
        )
        .audited_page(
            "/lists/{list}/correction-sheet",
            Permission::Reveal,
            (Action::ListSentBack, "list:{list}"),
            lists::correction_sheet,
        )
        .audited_form(
            "/lists/{list}/send-back",
            OPERATE,
            (Action::ListReturned, "list:{list}", ""),
            lists::send_back,
        )
        .audited_form(
            "/applications/{code}/links",
            OPERATE,
            (Action::ApplicantLinkCreated, "application:{code}", ""),
            setup::create_link,
        )
        .audited_form(
            "/applications/{code}/links/{link}/revoke",
            OPERATE,
            (Action::ApplicantLinkRevoked, "application:{code}", "{link}"),
            setup::revoke_link,
        )
        .page("/list-template", OPERATE, lists::template)
        .audited_form(
            "/lists/{list}/import",
            OPERATE,
            (Action::ListImported, "list:{list}", ""),
            lists::import,
        )
        .form("/lists/discard", OPERATE, lists::discard_ticked)
        .audited_form(
            "/lists/{list}/discard",
            OPERATE,
            (Action::ListDiscarded, "list:{list}", ""),
            lists::discard,
        )
        .page("/questionnaires", OPERATE, questionnaires::overview::show)
        .page("/questionnaires/{category}", OPERATE, questionnaires::preview::show)
        .audited_upload(
            "/questionnaires/{category}/start",
            OPERATE,
            (Action::QuestionnaireStarted, "questionnaire:{category}", "{from}"),
            questionnaires::overview::start,
        )
        .page("/questionnaires/{category}/edit", OPERATE, questionnaires::editor::show)
        .form("/questionnaires/{category}/edit", OPERATE, questionnaires::editor::save)
        .form("/questionnaires/{category}/edit/phone", OPERATE, questionnaires::editor::try_form)
        .form("/questionnaires/{category}/edit/undo", OPERATE, questionnaires::editor::undo)
        .audited_form(
            "/questionnaires/{category}/edit/discard",
            OPERATE,
            (Action::QuestionnaireDiscarded, "questionnaire:{category}", ""),
            questionnaires::editor::discard,
        )
        .form("/questionnaires/{category}/edit/release", OPERATE, questionnaires::editor::release)
        .page("/questionnaires/{category}/versions", OPERATE, questionnaires::versions::show)
        .page("/questionnaires/{category}/file/{name}", OPERATE, questionnaires::versions::download)
        .page("/new-campaign", OPERATE, drafts::new::show)
        .audited_form(
            "/drafts",
            OPERATE,
            (Action::PlanSaved, "draft:{code}", "{from}"),
            drafts::new::create,
        )
        .page("/drafts/{code}", OPERATE, drafts::show)
        .audited_form(
            "/drafts/{code}",
            OPERATE,
            (Action::PlanSaved, "draft:{code}", "{do}"),
            drafts::save,
        )
        .background_form("/drafts/{code}/preview", OPERATE, drafts::preview)
        .audited_form(
            "/drafts/{code}/undo",
            OPERATE,
            (Action::PlanSaved, "draft:{code}", "undo"),
            drafts::undo,
        )
        .form("/drafts/{code}/test", OPERATE, drafts::send_test)
        .audited_form(
            "/drafts/{code}/request-launch",
            OPERATE,
            (Action::LaunchRequested, "draft:{code}", ""),
            drafts::ask,
        )
        .page("/drafts/{code}/launch", OPERATE, drafts::launch::confirm)
        .audited_form(
            "/drafts/{code}/launch",
            OPERATE,
            (Action::CampaignLaunched, "campaign:{code}", ""),
            drafts::launch,
        )
        .audited_form(
            "/drafts/{code}/discard",
            OPERATE,
            (Action::DraftDiscarded, "draft:{code}", ""),
            drafts::discard,
        )
        .page("/library", OPERATE, library::show)
        .audited_form(
            "/library/texts",
            OPERATE,
            (Action::LibraryChanged, "library", "{kind} saved"),
            library::save_text,
        )
        .audited_form(
            "/library/plans",
            OPERATE,
            (Action::LibraryChanged, "library", "plan of {from} saved"),
            library::save_plan,
        )
        .audited_form(
            "/library/{entry}",
            OPERATE,
            (Action::LibraryChanged, "library:{entry}", "{do}"),
            library::change,
        )
        .page("/holidays", OPERATE, holidays::show)
        .form("/holidays/{year}", OPERATE, holidays::save)
        .page("/webhooks", Permission::ManageAccounts, webhooks::show)
        .form("/webhooks", Permission::ManageAccounts, webhooks::add)
        .form("/webhooks/{name}/test", Permission::ManageAccounts, webhooks::test)
        .form("/webhooks/{name}/resend", Permission::ManageAccounts, webhooks::resend)
        .form("/webhooks/{name}/rotate", Permission::ManageAccounts, webhooks::rotate_secret)
        .form("/webhooks/{name}/remove", Permission::ManageAccounts, webhooks::remove)
        .page("/audit", Permission::Audit, audit::show)
        .audited_form(
            "/audit/verify",
            Permission::Audit,
            (Action::AuditLogVerified, "", ""),
            audit::verify,
        )
}

/// Returns the routes open to anyone with a signed link.
pub fn public_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/try/{category}/{until}/{signature}", get(questionnaires::preview::try_out))
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Failure {
        Failure::Internal(error.to_string())
    }
}

impl From<MonitoringError> for Failure {
    fn from(error: MonitoringError) -> Failure {
        match error {
            MonitoringError::Campaign(CampaignError::UnknownCampaign(_)) => Failure::NotFound,
            other => Failure::Internal(other.to_string()),
        }
    }
}
