//! The API below `/api/v1`: the console's functions for programs. Bearer tokens (RFC 6750) with
//! scopes, problem details (RFC 9457), cursors, `Idempotency-Key` and entity tags.
//! `/api/v1/openapi.json` describes it (OpenAPI 3.1).

mod accounts;
mod applications;
mod audit;
mod auth;
mod campaigns;
mod cases;
mod datasets;
mod drafts;
mod input;
mod pending_work;
mod precondition;
mod privacy;
mod problem;
mod programmes;
mod responses;
mod suppressions;
mod telephone;
mod webhooks;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::metrics::metrics;
use super::state::AppState;
use crate::domain::audit::Action;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use auth::{ApiAuth, Caller};
use input::{Body, Path, Query};
use precondition::{Precondition, Tagged};
pub(super) use problem::Problem;
use problem::ProblemDetails;

/// Maximum and default number of items on a page.
const MAX_PAGE_SIZE: u32 = 500;
const DEFAULT_PAGE_SIZE: u32 = 100;

/// Formats a time for responses: RFC 3339, in UTC.
fn format_utc(at: Timestamp) -> String {
    at.rfc3339(chrono_tz::UTC)
}

/// Paging parameters of a list.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// The `next` of the previous page.
    #[param(minimum = 1)]
    cursor: Option<i64>,
    /// Maximum number of items.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

impl PageParams {
    fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(DEFAULT_PAGE_SIZE),
            Some(limit) if (1..=MAX_PAGE_SIZE).contains(&limit) => Ok(limit),
            Some(_) => {
                Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "limit is between 1 and 500"))
            }
        }
    }

    fn cursor(&self) -> Result<Option<i64>, Problem> {
        match self.cursor {
            Some(cursor) if cursor < 1 => {
                Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "cursor is what «next» said"))
            }
            cursor => Ok(cursor),
        }
    }
}

fn build_routes(app: &Arc<AppState>) -> ApiAuth {
    use Permission::{Audit, Datasets, ManageAccounts, Operate, Read, Reveal, Supervise};
    let info = InfoBuilder::new()
        .title("fieldworkd")
        .version("1")
        .description(Some("Survey fieldwork: applications, campaigns, cases, datasets."));
    ApiAuth::new(app, OpenApiRouter::with_openapi(OpenApiBuilder::new().info(info.build()).build()))
        .read_only(Read, routes!(programmes::list))
        .read_only(Read, routes!(programmes::show))
        .audited(
            Operate,
            (Action::ProgrammeSaved, "programme:{programme}"),
            routes!(programmes::put),
        )
        .read_only(Operate, routes!(programmes::questionnaires))
        .read_only(Read, routes!(applications::of_programme))
        .read_only(Read, routes!(applications::show))
        .read_only(Read, routes!(responses::list))
        .audited_by_service(Operate, routes!(responses::review))
        .audited(Operate, (Action::ApplicationRegistered, ""), routes!(applications::register))
        .audited(
            Operate,
            (Action::ListImported, "application:{application}"),
            routes!(applications::import),
        )
        .audited(
            Operate,
            (Action::DeadlineChanged, "application:{application}"),
            routes!(applications::settle_fee),
        )
        .audited(
            Operate,
            (Action::DeadlineChanged, "application:{application}"),
            routes!(applications::change_deadline),
        )
        .read_only(Operate, routes!(drafts::list))
        .read_only(Operate, routes!(drafts::show))
        .audited(Operate, (Action::PlanSaved, "draft:{draft}"), routes!(drafts::put))
        .audited(Operate, (Action::DraftDiscarded, "draft:{draft}"), routes!(drafts::discard))
        .read_only(Operate, routes!(drafts::rehearse))
        .audited_by_service(Operate, routes!(drafts::send_test))
        .audited(
            Operate,
            (Action::LaunchRequested, "draft:{draft}"),
            routes!(drafts::request_launch),
        )
        .audited(Operate, (Action::CampaignLaunched, "campaign:{draft}"), routes!(drafts::launch))
        .read_only(Read, routes!(campaigns::list))
        .read_only(Read, routes!(campaigns::show))
        .read_only(Operate, routes!(campaigns::budget))
        .read_only(Read, routes!(campaigns::rates))
        .read_only(Read, routes!(campaigns::forecasts))
        .read_only(Operate, routes!(campaigns::forecast))
        .audited(Operate, (Action::CampaignLaunched, ""), routes!(campaigns::launch))
        .audited(
            Operate,
            (Action::CampaignStateChanged, "campaign:{campaign}"),
            routes!(campaigns::change_state),
        )
        .audited(
            Operate,
            (Action::CampaignStateChanged, "campaign:{campaign}"),
            routes!(campaigns::set_budget),
        )
        .read_only(Read, routes!(cases::of_application))
        .read_only(Read, routes!(cases::timeline))
        .audited(Reveal, (Action::PersonSearched, ""), routes!(cases::search))
        .audited(Reveal, (Action::CasePersonViewed, "case:{case}"), routes!(cases::person))
        .secret(Reveal, routes!(privacy::export))
        .audited(Operate, (Action::PersonErased, "case:{case}"), routes!(privacy::erase))
        .read_only(ManageAccounts, routes!(privacy::applicants))
        .audited(
            ManageAccounts,
            (Action::PeoplePurged, "applicant:{programme}/{applicant}"),
            routes!(privacy::purge_applicant),
        )
        .audited(
            ManageAccounts,
            (Action::LegalHoldChanged, "applicant:{programme}/{applicant}"),
            routes!(privacy::set_legal_hold),
        )
        .audited(
            ManageAccounts,
            (Action::LegalHoldChanged, "applicant:{programme}/{applicant}"),
            routes!(privacy::lift_legal_hold),
        )
        .read_only(ManageAccounts, routes!(privacy::certificates))
        .read_only(Read, routes!(pending_work::pending_work))
        .read_only(Read, routes!(pending_work::alarms))
        .audited(
            Operate,
            (Action::AlarmAcknowledged, "application:{application}"),
            routes!(pending_work::acknowledge_alarm),
        )
        .read_only(Read, routes!(pending_work::gateways))
        .read_only(Operate, routes!(pending_work::replies))
        .audited(Reveal, (Action::ReplyViewed, "reply:{reply}"), routes!(pending_work::reply_text))
        .audited(
            Operate,
            (Action::ReplyHandled, "reply:{reply}"),
            routes!(pending_work::handle_reply),
        )
        .read_only(Operate, routes!(pending_work::messages_in_doubt))
        .audited(
            Operate,
            (Action::MessageSettled, "message:{reference}"),
            routes!(pending_work::resolve_message),
        )
        .read_only(Operate, routes!(suppressions::list))
        .audited(Operate, (Action::NumberSuppressed, ""), routes!(suppressions::suppress))
        .read_only(Supervise, routes!(telephone::queue))
        .audited_by_service(Supervise, routes!(telephone::assign))
        .read_only(Supervise, routes!(telephone::interviewers))
        .read_only(Supervise, routes!(telephone::verifications))
        .audited(Supervise, (Action::VerificationsDrawn, ""), routes!(telephone::draw))
        .read_only(Datasets, routes!(datasets::list))
        .read_only(Datasets, routes!(datasets::show))
        .audited_file(
            Datasets,
            (Action::DatasetDownloaded, "application:{application}"),
            routes!(datasets::file),
        )
        .audited(
            Datasets,
            (Action::VerdictRecorded, "application:{application}"),
            routes!(datasets::record_verdict),
        )
        .secret(Reveal, routes!(datasets::review))
        .audited(
            Reveal,
            (Action::DatasetReleased, "application:{application}"),
            routes!(datasets::release),
        )
        .audited(
            Operate,
            (Action::DatasetFrozen, "application:{application}"),
            routes!(datasets::freeze),
        )
        .audited(
            Operate,
            (Action::DatasetRedelivered, "application:{application}"),
            routes!(datasets::deliver),
        )
        .read_only(Read, routes!(datasets::deliveries))
        .read_only(ManageAccounts, routes!(accounts::list))
        .secret(ManageAccounts, routes!(accounts::add))
        .secret(ManageAccounts, routes!(accounts::invite))
        .secret(ManageAccounts, routes!(accounts::renew_invitation, accounts::revoke_invitation))
        .audited_by_service(ManageAccounts, routes!(accounts::disable))
        .secret(ManageAccounts, routes!(accounts::reset_password))
        .audited_by_service(ManageAccounts, routes!(accounts::reset_second_factor))
        .read_only(ManageAccounts, routes!(accounts::list_tokens))
        .secret(ManageAccounts, routes!(accounts::create_token))
        .audited_by_service(ManageAccounts, routes!(accounts::revoke_token))
        .read_only(ManageAccounts, routes!(webhooks::list))
        .secret(ManageAccounts, routes!(webhooks::add))
        .secret(ManageAccounts, routes!(webhooks::rotate_secret))
        .audited_by_service(ManageAccounts, routes!(webhooks::remove))
        .audited_by_service(ManageAccounts, routes!(webhooks::test))
        .audited_by_service(ManageAccounts, routes!(webhooks::resend))
        .read_only(ManageAccounts, routes!(webhooks::list_events))
        .read_only(Audit, routes!(audit::list))
        .audited(Audit, (Action::AuditLogVerified, ""), routes!(audit::verify))
}

pub fn routes(app: &Arc<AppState>) -> Router<Arc<AppState>> {
    let (router, described) = build_routes(app).router.split_for_parts();
    let described = Arc::new(complete_description(described));
    let guard = precondition::Guard { app: app.clone(), api: router.clone() };
    router
        .layer(axum::middleware::from_fn_with_state(guard, precondition::guard))
        .route("/api/v1/openapi.json", get(move || async move { Json((*described).clone()) }))
        .route("/metrics", auth::require_read(app, get(metrics)))
        .layer(axum::extract::DefaultBodyLimit::max(auth::MAX_BODY))
}

/// Returns the API description, as `/api/v1/openapi.json` serves it.
pub fn openapi(app: &Arc<AppState>) -> OpenApi {
    complete_description(build_routes(app).router.into_openapi())
}

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ProblemDetails)))]
struct Problems;

/// Adds what applies to every operation: the token and the possible problems.
fn complete_description(mut described: OpenApi) -> OpenApi {
    described.merge(Problems::openapi());
    let components = described.components.get_or_insert_default();
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    for item in described.paths.paths.values_mut() {
        let operations = [
            (true, &mut item.get),
            (false, &mut item.post),
            (false, &mut item.put),
            (false, &mut item.delete),
        ];
        for (is_get, operation) in operations
            .into_iter()
            .filter_map(|(is_get, operation)| Some((is_get, operation.as_mut()?)))
        {
            let changed = if is_get { &[][..] } else { &CONDITIONAL_PROBLEMS };
            operation.security =
                Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
            if is_get {
                operation.responses.responses.insert(
                    "304".into(),
                    RefOr::T(
                        ResponseBuilder::new().description("unchanged, by If-None-Match").build(),
                    ),
                );
            }
            for (status, says) in PROBLEMS.iter().chain(changed) {
                let content =
                    Content::new(Some(RefOr::Ref(Ref::from_schema_name(ProblemDetails::name()))));
                let response = ResponseBuilder::new()
                    .description(*says)
                    .content("application/problem+json", content)
                    .build();
                operation
                    .responses
                    .responses
                    .entry((*status).to_owned())
                    .or_insert(RefOr::T(response));
            }
        }
    }
    described
}

/// Of a change besides: its precondition.
const CONDITIONAL_PROBLEMS: [(&str, &str); 1] =
    [("412", "If-Match or If-None-Match does not hold; ETag is the present one")];

const PROBLEMS: [(&str, &str); 10] = [
    ("400", "the request cannot be read"),
    ("401", "there is no token, or it does not count"),
    ("403", "the token is for something else"),
    ("404", "there is nothing by that name"),
    ("409", "it stands otherwise by now"),
    ("413", "the body is too large"),
    ("415", "the body is of another kind"),
    ("422", "it is against a rule, which the detail names"),
    ("429", "too many wrong tokens"),
    ("500", "something went wrong here; the detail names its place in the log"),
];
