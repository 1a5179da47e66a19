//! The API below `/api/v1`: what the console does, for programs. Bearer tokens (RFC 6750) with scopes, problem details (RFC 9457), cursors, `Idempotency-Key`,
//! entity tags; described by itself at `/api/v1/openapi.json` (OpenAPI 3.1).

mod accounts;
mod applications;
mod audit;
mod campaigns;
mod cases;
mod datasets;
mod drafts;
mod auth;
mod input;
mod privacy;
mod problem;
mod programmes;
mod suppressions;
mod telephone;
mod webhooks;
mod work;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::Site;
use super::metrics::metrics;
use crate::domain::audit::Action;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use auth::{Caller, Gate};
use input::{Body, Path, Query};
use problem::{Problem, ProblemDetails};

/// At most so many on a page; so many where nothing is said.
const MOST: u32 = 500;
const USUAL: u32 = 100;

/// A time as answers tell it.
fn utc(at: Timestamp) -> String {
    at.rfc3339(chrono_tz::UTC)
}

/// What is asked of a list.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Where the page before ended, as its `next` said.
    #[param(minimum = 1)]
    cursor: Option<i64>,
    /// On a page, at most.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

impl Page {
    fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(USUAL),
            Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "limit is between 1 and 500")),
        }
    }

    fn cursor(&self) -> Result<Option<i64>, Problem> {
        match self.cursor {
            Some(cursor) if cursor < 1 => Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "cursor is what «next» said")),
            cursor => Ok(cursor),
        }
    }
}

fn put_together(site: &Arc<Site>) -> Gate {
    use Permission::{Audit, Datasets, ManageAccounts, Operate, Reveal, Supervise, Watch};
    let info = InfoBuilder::new().title("fieldworkd").version("1").description(Some("Survey fieldwork: applications, campaigns, cases, datasets."));
    Gate::new(site, OpenApiRouter::with_openapi(OpenApiBuilder::new().info(info.build()).build()))
        .see(Watch, routes!(programmes::list))
        .see(Watch, routes!(programmes::show))
        .deed(Operate, (Action::Programme, "programme:{programme}"), routes!(programmes::put))
        .see(Operate, routes!(programmes::questionnaires))
        .see(Watch, routes!(applications::of_programme))
        .see(Watch, routes!(applications::show))
        .deed(Operate, (Action::Applicant, ""), routes!(applications::register))
        .deed(Operate, (Action::ListImported, "application:{application}"), routes!(applications::import))
        .deed(Operate, (Action::Deadline, "application:{application}"), routes!(applications::settle_fee))
        .deed(Operate, (Action::Deadline, "application:{application}"), routes!(applications::change_deadline))
        .see(Operate, routes!(drafts::list))
        .see(Operate, routes!(drafts::show))
        .deed(Operate, (Action::PlanSaved, "draft:{draft}"), routes!(drafts::put))
        .deed(Operate, (Action::PlanDropped, "draft:{draft}"), routes!(drafts::discard))
        .see(Operate, routes!(drafts::rehearse))
        .deed(Operate, (Action::TextTested, "draft:{draft}"), routes!(drafts::send_test))
        .deed(Operate, (Action::LaunchAsked, "draft:{draft}"), routes!(drafts::ask))
        .deed(Operate, (Action::Launched, "campaign:{draft}"), routes!(drafts::launch))
        .see(Watch, routes!(campaigns::list))
        .see(Watch, routes!(campaigns::show))
        .see(Watch, routes!(campaigns::rates))
        .see(Watch, routes!(campaigns::forecasts))
        .see(Operate, routes!(campaigns::forecast))
        .deed(Operate, (Action::Launched, ""), routes!(campaigns::launch))
        .deed(Operate, (Action::CampaignState, "campaign:{campaign}"), routes!(campaigns::change_state))
        .deed(Operate, (Action::CampaignState, "campaign:{campaign}"), routes!(campaigns::set_budget))
        .see(Watch, routes!(cases::of_application))
        .see(Watch, routes!(cases::story))
        .deed(Reveal, (Action::Searched, ""), routes!(cases::search))
        .deed(Reveal, (Action::ShownCase, "case:{case}"), routes!(cases::person))
        .secret(Reveal, routes!(privacy::export))
        .deed(Operate, (Action::Erased, "case:{case}"), routes!(privacy::erase))
        .see(ManageAccounts, routes!(privacy::applicants))
        .deed(ManageAccounts, (Action::Purged, "applicant:{programme}/{applicant}"), routes!(privacy::forget))
        .deed(ManageAccounts, (Action::LegalHold, "applicant:{programme}/{applicant}"), routes!(privacy::hold))
        .deed(ManageAccounts, (Action::LegalHold, "applicant:{programme}/{applicant}"), routes!(privacy::lift))
        .see(ManageAccounts, routes!(privacy::certificates))
        .see(Watch, routes!(work::waiting))
        .see(Watch, routes!(work::alarms))
        .deed(Operate, (Action::AlarmTaken, "application:{application}"), routes!(work::take_alarm))
        .see(Watch, routes!(work::gateways))
        .see(Operate, routes!(work::replies))
        .deed(Reveal, (Action::ShownReply, "reply:{reply}"), routes!(work::reply_text))
        .deed(Operate, (Action::ReplyHandled, "reply:{reply}"), routes!(work::reply_done))
        .see(Operate, routes!(work::doubts))
        .deed(Operate, (Action::MessageSettled, "message:{reference}"), routes!(work::settle))
        .see(Operate, routes!(suppressions::list))
        .deed(Operate, (Action::Suppressed, ""), routes!(suppressions::suppress))
        .see(Supervise, routes!(telephone::queue))
        .form(Supervise, routes!(telephone::assign))
        .see(Supervise, routes!(telephone::interviewers))
        .see(Supervise, routes!(telephone::verifications))
        .deed(Supervise, (Action::VerificationsDrawn, ""), routes!(telephone::draw))
        .see(Datasets, routes!(datasets::list))
        .see(Datasets, routes!(datasets::show))
        .file(Datasets, (Action::ShownData, "application:{application}"), routes!(datasets::file))
        .deed(Datasets, (Action::Judged, "application:{application}"), routes!(datasets::judge))
        .secret(Reveal, routes!(datasets::review))
        .deed(Reveal, (Action::Released, "application:{application}"), routes!(datasets::release))
        .deed(Operate, (Action::Frozen, "application:{application}"), routes!(datasets::freeze))
        .deed(Operate, (Action::Redelivered, "application:{application}"), routes!(datasets::deliver))
        .see(Watch, routes!(datasets::deliveries))
        .see(ManageAccounts, routes!(accounts::list))
        .secret(ManageAccounts, routes!(accounts::add))
        .form(ManageAccounts, routes!(accounts::disable))
        .secret(ManageAccounts, routes!(accounts::reset_password))
        .form(ManageAccounts, routes!(accounts::reset_second_factor))
        .see(ManageAccounts, routes!(accounts::tokens))
        .secret(ManageAccounts, routes!(accounts::make_token))
        .form(ManageAccounts, routes!(accounts::revoke_token))
        .see(ManageAccounts, routes!(webhooks::list))
        .secret(ManageAccounts, routes!(webhooks::add))
        .form(ManageAccounts, routes!(webhooks::remove))
        .form(ManageAccounts, routes!(webhooks::test))
        .see(ManageAccounts, routes!(webhooks::told))
        .see(Audit, routes!(audit::list))
        .deed(Audit, (Action::LogVerified, ""), routes!(audit::verify))
}

pub fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    let (router, described) = put_together(site).router.split_for_parts();
    let described = Arc::new(finished(described));
    router.route("/api/v1/openapi.json", get(move || async move { Json((*described).clone()) })).route("/metrics", auth::watched(site, get(metrics)))
}

/// The description of the API, as `/api/v1/openapi.json` has it.
pub fn openapi(site: &Arc<Site>) -> OpenApi {
    finished(put_together(site).router.into_openapi())
}

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ProblemDetails)))]
struct Problems;

/// Adds what holds for every operation: the token, and the problems that there may be.
fn finished(mut described: OpenApi) -> OpenApi {
    described.merge(Problems::openapi());
    let components = described.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    for item in described.paths.paths.values_mut() {
        let (is_get, operations): (bool, Vec<&mut Operation>) =
            (item.get.is_some(), [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten().collect());
        for operation in operations {
            operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
            if is_get {
                operation
                    .responses
                    .responses
                    .insert("304".into(), RefOr::T(ResponseBuilder::new().description("unchanged, by If-None-Match").build()));
            }
            for (status, says) in PROBLEMS {
                let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(ProblemDetails::name()))));
                let response = ResponseBuilder::new().description(says).content("application/problem+json", content).build();
                operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
            }
        }
    }
    described
}

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
