//! Drafts of campaigns: saving, rehearsal, test messages and launch.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::campaigns::launch_problem;
use super::pending_work::{DONE, Done};
use super::problem::ProblemDetails;
use super::{Body, Caller, Path, Precondition, Problem, Tagged, format_utc};
use crate::adapters::database::drafts::{self, CampaignDraft};
use crate::domain::contact_plan::PlanFile;
use crate::interfaces::http::state::AppState;
use crate::services::campaigns::LaunchReport;
use crate::services::drafts::campaigns::{
    self as campaign_drafts, CampaignDraftError, EnteredDraft,
};
use crate::services::drafts::plan_form::PlanForm;
use crate::services::forecasting::RehearsalForecast;
use crate::services::sms_sending::one_off::OneOffResult;

impl From<CampaignDraftError> for Problem {
    fn from(error: CampaignDraftError) -> Problem {
        match error {
            CampaignDraftError::Version(conflict) => conflict.into(),
            CampaignDraftError::Launch(error) => launch_problem(error),
            CampaignDraftError::Database(error) => error.into(),
            CampaignDraftError::NotFound => Problem::not_found(),
            CampaignDraftError::Changed
            | CampaignDraftError::NeedsSecondPerson
            | CampaignDraftError::LaunchNotRequested => {
                Problem::from_error(StatusCode::CONFLICT, &error)
            }
            CampaignDraftError::TooManyTests => {
                Problem::from_error(StatusCode::TOO_MANY_REQUESTS, &error)
            }
            CampaignDraftError::Number(_)
            | CampaignDraftError::NoMessage
            | CampaignDraftError::TestSuppressed
            | CampaignDraftError::TestOutsideHours(_) => {
                Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)
            }
            CampaignDraftError::Forecast(error) => Problem::internal(&error.to_string()),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct DraftResponse {
    code: String,
    applications: Vec<String>,
    gateway: String,
    budget: Option<f64>,
    created_by: String,
    changed_at: String,
    /// The user who requested the launch, where a second person must approve it.
    launch_requested_by: Option<String>,
    /// The contact plan, with the keys of its file.
    #[schema(value_type = Object)]
    plan: serde_json::Value,
}

#[derive(Serialize, ToSchema)]
pub struct Drafts {
    items: Vec<DraftResponse>,
}

fn draft_response(draft: CampaignDraft) -> DraftResponse {
    DraftResponse {
        applications: draft
            .applications
            .split(',')
            .filter(|code| !code.is_empty())
            .map(str::to_owned)
            .collect(),
        code: draft.code,
        gateway: draft.gateway,
        budget: draft.budget_micros.map(|micros| micros as f64 / 1e6),
        created_by: draft.created_by,
        changed_at: format_utc(draft.changed_at),
        launch_requested_by: draft.launch_requested_by,
        plan: serde_json::from_str(&draft.plan).unwrap_or_default(),
    }
}

/// Lists all drafts, the latest first.
#[utoipa::path(get, path = "/api/v1/drafts", tag = "drafts", responses((status = 200, body = Drafts)))]
pub async fn list(State(app): State<Arc<AppState>>) -> Result<Json<Drafts>, Problem> {
    let all = drafts::campaigns(&mut *app.context.database.read().await?).await?;
    Ok(Json(Drafts { items: all.into_iter().map(draft_response).collect() }))
}

/// Returns one draft.
#[utoipa::path(get, path = "/api/v1/drafts/{draft}", tag = "drafts", params(("draft" = String, Path)), responses((status = 200, body = DraftResponse)))]
pub async fn show(
    State(app): State<Arc<AppState>>,
    Path(draft): Path<String>,
) -> Result<Tagged<DraftResponse>, Problem> {
    Ok(tagged(campaign_drafts::find(&app.context, &draft).await?))
}

fn tagged(draft: CampaignDraft) -> Tagged<DraftResponse> {
    Tagged { version: campaign_drafts::draft_version(&draft), body: draft_response(draft) }
}

/// A draft to save.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutDraft {
    #[schema(min_items = 1)]
    applications: Vec<String>,
    /// The contact plan, with the keys of its file; the standard plan if omitted.
    #[schema(value_type = Option<Object>)]
    plan: Option<serde_json::Value>,
    /// A gateway or a route of the configuration.
    gateway: String,
    #[schema(minimum = 0)]
    budget: Option<f64>,
}

/// Creates a draft (`If-None-Match: *`) or replaces it (`If-Match`). Replacing it cancels a launch
/// request.
#[utoipa::path(put, path = "/api/v1/drafts/{draft}", tag = "drafts", params(("draft" = String, Path), ("if-match" = Option<String>, Header, description = "ETag of what is replaced"), ("if-none-match" = Option<String>, Header, description = "* to create")), request_body = PutDraft,
    responses((status = 200, body = DraftResponse), (status = 428, body = ProblemDetails, content_type = "application/problem+json", description = "it needs If-Match, or If-None-Match: *")))]
pub async fn put(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(code): Path<String>,
    Precondition(expected): Precondition,
    Body(draft): Body<PutDraft>,
) -> Result<Tagged<DraftResponse>, Problem> {
    if draft.applications.is_empty()
        || draft.applications.iter().any(|code| code.is_empty() || code.contains(','))
    {
        return Err(Problem::wrong("name one application at least, by its code"));
    }
    if draft.budget.is_some_and(|budget| !(0.0..1e9).contains(&budget)) {
        return Err(Problem::wrong("budget is between 0 and 1,000,000,000"));
    }
    let plan = draft.plan.unwrap_or_else(|| PlanForm::standard().to_json());
    if let Err(error) = serde_json::from_value::<PlanFile>(plan.clone()) {
        return Err(Problem::wrong(format!("plan: {error}")));
    }
    let stored = campaign_drafts::save(
        &app.context,
        &caller.actor.name,
        &EnteredDraft {
            code: &code,
            applications: &draft.applications.join(","),
            plan: &plan,
            gateway: &draft.gateway,
            budget: draft.budget,
        },
        &expected,
    )
    .await?;
    Ok(tagged(stored))
}

/// Discards a draft.
#[utoipa::path(delete, path = "/api/v1/drafts/{draft}", tag = "drafts", params(("draft" = String, Path), ("if-match" = Option<String>, Header, description = "ETag of what is discarded")), responses((status = 200, body = Done), (status = 428, body = ProblemDetails, content_type = "application/problem+json", description = "it needs If-Match")))]
pub async fn discard(
    State(app): State<Arc<AppState>>,
    Path(draft): Path<String>,
    Precondition(expected): Precondition,
) -> Result<Json<Done>, Problem> {
    campaign_drafts::discard_draft(&app.context, &draft, &expected).await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct CalendarDay {
    day: NaiveDate,
    /// Whether messages may go out on this day.
    is_open: bool,
    /// The steps sent on this day.
    steps: Vec<String>,
}

/// The launch report, the calendar and the rehearsal of a draft.
#[derive(Serialize, ToSchema)]
pub struct Rehearsal {
    launch: LaunchReport,
    calendar: Vec<CalendarDay>,
    applications: Vec<RehearsalForecast>,
}

/// Checks the launch of a draft and simulates the campaign. Writes and sends nothing; 422 states
/// what prevents the launch.
#[utoipa::path(get, path = "/api/v1/drafts/{draft}/rehearsal", tag = "drafts", params(("draft" = String, Path)),
    responses((status = 200, body = Rehearsal)))]
pub async fn rehearse(
    State(app): State<Arc<AppState>>,
    Path(draft): Path<String>,
) -> Result<Json<Rehearsal>, Problem> {
    let draft = campaign_drafts::find(&app.context, &draft).await?;
    let checked = campaign_drafts::check(&app.context, &draft).await?;
    let day = |day: campaign_drafts::CalendarDay| CalendarDay {
        day: day.day,
        is_open: day.is_open,
        steps: day.steps,
    };
    Ok(Json(Rehearsal {
        launch: checked.report,
        calendar: checked.calendar.into_iter().map(day).collect(),
        applications: checked.rehearsals,
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestMessage {
    /// Number of the plan's step, from 1.
    #[schema(minimum = 1)]
    step: usize,
    /// Telephone number of a staff member.
    number: String,
}

/// Sends a message of the plan to a staff member, with an invented name and a trial link to the
/// questionnaire.
#[utoipa::path(post, path = "/api/v1/drafts/{draft}/test", tag = "drafts", params(("draft" = String, Path)), request_body = TestMessage,
    responses((status = 200, body = Done)))]
pub async fn send_test(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(draft): Path<String>,
    Body(message): Body<TestMessage>,
) -> Result<Json<Done>, Problem> {
    let draft = campaign_drafts::find(&app.context, &draft).await?;
    let step =
        message.step.checked_sub(1).ok_or_else(|| Problem::wrong("steps are counted from 1"))?;
    let actor = &caller.actor;
    match campaign_drafts::send_test(&app.context, actor, &draft, step, &message.number).await? {
        OneOffResult::Accepted => Ok(DONE),
        OneOffResult::DoNotRetry(problem) | OneOffResult::RetryLater(problem) => {
            Err(Problem::conflict(problem.to_string()))
        }
    }
}

/// Requests the launch of a draft in its present state; a second person approves it on the console.
#[utoipa::path(post, path = "/api/v1/drafts/{draft}/request-launch", tag = "drafts", params(("draft" = String, Path)), responses((status = 200, body = Done)))]
pub async fn request_launch(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(draft): Path<String>,
) -> Result<Json<Done>, Problem> {
    let draft = campaign_drafts::find(&app.context, &draft).await?;
    campaign_drafts::request_launch(&app.context, &draft, &caller.actor.name).await?;
    Ok(DONE)
}

/// Launches a draft. Where launches need two people, only the console launches.
#[utoipa::path(post, path = "/api/v1/drafts/{draft}/launch", tag = "drafts", params(("draft" = String, Path)),
    responses((status = 201, body = LaunchReport)))]
pub async fn launch(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(draft): Path<String>,
) -> Result<(StatusCode, Json<LaunchReport>), Problem> {
    if app.context.config.console.four_eyes {
        return Err(Problem::wrong(
            "two people agree to a launch here: request it, and somebody launches it on the \
                console",
        ));
    }
    let draft = campaign_drafts::find(&app.context, &draft).await?;
    let (report, _) = campaign_drafts::launch(&app.context, &draft, &caller.actor.name).await?;
    Ok((StatusCode::CREATED, Json(report)))
}
