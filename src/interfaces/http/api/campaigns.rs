//! Campaigns: status, rates, forecasts, launch, budget and state.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::ProblemDetails;
use super::{Body, Path, Precondition, Problem, Query, Tagged};
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::{DatabaseError, applications, forecasts};
use crate::domain::contact_plan::PlanFile;
use crate::interfaces::http::state::AppState;
use crate::services;
use crate::services::campaigns::{
    CampaignError, CampaignStatus, GroupRates, LaunchError, LaunchReport, LaunchRequest,
    RateGrouping, budget_version,
};
use crate::services::deadlines::{DeadlineError, close_campaign};
use crate::services::forecasting::{self, ApplicationForecast, ForecastError};

#[derive(Serialize, ToSchema)]
pub struct CampaignResponse {
    code: String,
    /// running, paused or closed.
    state: &'static str,
    gateway: String,
    launched_at: String,
}

#[derive(Serialize, ToSchema)]
pub struct Campaigns {
    /// The latest first.
    items: Vec<CampaignResponse>,
}

impl From<CampaignError> for Problem {
    fn from(error: CampaignError) -> Problem {
        match error {
            CampaignError::Version(conflict) => conflict.into(),
            CampaignError::UnknownCampaign(_) => Problem::not_found(),
            CampaignError::WrongState { .. } => Problem::from_error(StatusCode::CONFLICT, &error),
            other => Problem::internal(&other.to_string()),
        }
    }
}

/// Lists all campaigns.
#[utoipa::path(get, path = "/api/v1/campaigns", tag = "campaigns", responses((status = 200, body = Campaigns)))]
pub async fn list(State(app): State<Arc<AppState>>) -> Result<Json<Campaigns>, Problem> {
    let all = campaigns::all(&mut *app.context.database.read().await?).await?;
    let to_response = |campaign: campaigns::Campaign| CampaignResponse {
        code: campaign.code,
        state: campaign.state.as_str(),
        gateway: campaign.gateway,
        launched_at: campaign.launched_at.rfc3339(chrono_tz::UTC),
    };
    Ok(Json(Campaigns { items: all.into_iter().map(to_response).collect() }))
}

/// Returns the status of a campaign.
#[utoipa::path(get, path = "/api/v1/campaigns/{campaign}", tag = "campaigns", params(("campaign" = String, Path)),
    responses((status = 200, body = CampaignStatus)))]
pub async fn show(
    State(app): State<Arc<AppState>>,
    Path(campaign): Path<String>,
) -> Result<Json<CampaignStatus>, Problem> {
    Ok(Json(services::campaigns::status(&app.context, &campaign).await?))
}

/// Grouping of outcome rates.
#[derive(Deserialize, ToSchema, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum RateGroupingParam {
    #[default]
    Application,
    Mode,
    Segment,
    Wave,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RateGroupingParams {
    #[serde(default)]
    #[param(inline)]
    by: RateGroupingParam,
}

#[derive(Serialize, ToSchema)]
pub struct Rates {
    /// The whole campaign first.
    items: Vec<GroupRates>,
}

/// Returns the AAPOR outcome rates.
#[utoipa::path(get, path = "/api/v1/campaigns/{campaign}/rates", tag = "campaigns", params(("campaign" = String, Path), RateGroupingParams),
    responses((status = 200, body = Rates)))]
pub async fn rates(
    State(app): State<Arc<AppState>>,
    Path(campaign): Path<String>,
    Query(params): Query<RateGroupingParams>,
) -> Result<Json<Rates>, Problem> {
    let by = match params.by {
        RateGroupingParam::Application => RateGrouping::Application,
        RateGroupingParam::Mode => RateGrouping::Mode,
        RateGroupingParam::Segment => RateGrouping::Segment,
        RateGroupingParam::Wave => RateGrouping::Wave,
    };
    Ok(Json(Rates { items: services::campaigns::rates(&app.context, &campaign, by).await? }))
}

#[derive(Serialize, ToSchema)]
pub struct Forecasts {
    items: Vec<ApplicationForecast>,
}

/// Returns the latest forecast of each application.
#[utoipa::path(get, path = "/api/v1/campaigns/{campaign}/forecasts", tag = "campaigns", params(("campaign" = String, Path)),
    responses((status = 200, body = Forecasts)))]
pub async fn forecasts(
    State(app): State<Arc<AppState>>,
    Path(campaign): Path<String>,
) -> Result<Json<Forecasts>, Problem> {
    let mut connection = app.context.database.read().await?;
    let campaign =
        campaigns::find(&mut connection, &campaign).await?.ok_or_else(Problem::not_found)?;
    let mut items = Vec::new();
    for application in applications::of_campaign(&mut connection, campaign.id).await? {
        if let Some(forecast) =
            forecasts::of_application(&mut connection, application.id).await?.pop()
        {
            let unreadable =
                |_| DatabaseError::Unreadable { what: "a forecast", value: String::new() };
            items.push(serde_json::from_str(&forecast.document).map_err(unreadable)?);
        }
    }
    Ok(Json(Forecasts { items }))
}

/// Computes the forecasts of a campaign now.
#[utoipa::path(post, path = "/api/v1/campaigns/{campaign}/forecasts", tag = "campaigns", params(("campaign" = String, Path)),
    responses((status = 200, body = Forecasts)))]
pub async fn forecast(
    State(app): State<Arc<AppState>>,
    Path(campaign): Path<String>,
) -> Result<Json<Forecasts>, Problem> {
    match forecasting::forecast_campaign(&app.context, &campaign).await {
        Ok(items) => Ok(Json(Forecasts { items })),
        Err(ForecastError::UnknownCampaign(_)) => Err(Problem::not_found()),
        Err(error) => Err(Problem::internal(&error.to_string())),
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// In the gateways' currency; null for no limit.
    #[schema(minimum = 0)]
    amount: Option<f64>,
}

/// Returns the budget of a campaign.
#[utoipa::path(get, path = "/api/v1/campaigns/{campaign}/budget", tag = "campaigns", params(("campaign" = String, Path)),
    responses((status = 200, body = Budget)))]
pub async fn budget(
    State(app): State<Arc<AppState>>,
    Path(campaign): Path<String>,
) -> Result<Tagged<Budget>, Problem> {
    tagged_budget(&app, &campaign).await
}

async fn tagged_budget(app: &AppState, code: &str) -> Result<Tagged<Budget>, Problem> {
    let found = campaigns::find(&mut *app.context.database.read().await?, code).await?;
    let campaign = found.ok_or_else(Problem::not_found)?;
    Ok(Tagged {
        version: budget_version(&campaign),
        body: Budget { amount: campaign.budget_micros.map(|micros| micros as f64 / 1e6) },
    })
}

/// Sets the budget of a campaign (`If-Match` with the tag of the present one).
#[utoipa::path(put, path = "/api/v1/campaigns/{campaign}/budget", tag = "campaigns", params(("campaign" = String, Path), ("if-match" = Option<String>, Header, description = "ETag of the present budget")), request_body = Budget,
    responses((status = 200, body = Budget), (status = 428, body = ProblemDetails, content_type = "application/problem+json", description = "it needs If-Match")))]
pub async fn set_budget(
    State(app): State<Arc<AppState>>,
    Path(campaign): Path<String>,
    Precondition(expected): Precondition,
    Body(budget): Body<Budget>,
) -> Result<Tagged<Budget>, Problem> {
    if budget.amount.is_some_and(|amount| !(0.0..1e9).contains(&amount)) {
        return Err(Problem::wrong("amount is between 0 and 1,000,000,000"));
    }
    let amount = budget.amount;
    let version =
        services::campaigns::set_budget(&app.context, &campaign, amount, &expected).await?;
    Ok(Tagged { version, body: Budget { amount } })
}

/// A campaign to launch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    #[schema(min_length = 1, max_length = 40, pattern = "^[A-Za-z0-9_-]+$")]
    code: String,
    /// Applications that share respondents must be launched together.
    #[schema(min_items = 1)]
    applications: Vec<String>,
    /// The contact plan, with the keys of its file.
    #[schema(value_type = Object)]
    plan: serde_json::Value,
    /// A gateway or a route of the configuration.
    gateway: String,
    /// Pause before more than this amount is spent.
    #[schema(minimum = 0)]
    budget: Option<f64>,
    /// Check everything and report parts and cost; launch nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Launches a campaign, or reports what the launch would do. Where launches need two people, only
/// the console launches.
#[utoipa::path(post, path = "/api/v1/campaigns", tag = "campaigns", request_body = NewCampaign, responses((status = 201, body = LaunchReport)))]
pub async fn launch(
    State(app): State<Arc<AppState>>,
    Body(new): Body<NewCampaign>,
) -> Result<(StatusCode, Json<LaunchReport>), Problem> {
    if app.context.config.console.four_eyes && !new.dry_run {
        return Err(Problem::wrong("two people agree to a launch here: launch it on the console"));
    }
    if new.budget.is_some_and(|budget| !(0.0..1e9).contains(&budget)) {
        return Err(Problem::wrong("budget is between 0 and 1,000,000,000"));
    }
    let plan: PlanFile = serde_json::from_value(new.plan)
        .map_err(|error| Problem::wrong(format!("plan: {error}")))?;
    let request = LaunchRequest {
        code: &new.code,
        applications: &new.applications,
        plan: &plan,
        gateway: &new.gateway,
        budget: new.budget,
        seed: None,
        dry_run: new.dry_run,
    };
    let report =
        services::campaigns::launch(&app.context, &request).await.map_err(launch_problem)?;
    Ok((StatusCode::CREATED, Json(report)))
}

/// Converts a launch error to a problem.
pub fn launch_problem(error: LaunchError) -> Problem {
    match error {
        LaunchError::Database(error) => error.into(),
        LaunchError::Keys(_) | LaunchError::Seal(_) | LaunchError::Questionnaire(_) => {
            Problem::internal(&error.to_string())
        }
        LaunchError::CodeTaken(_) => Problem::from_error(StatusCode::CONFLICT, &error),
        error => Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WantedState {
    Running,
    Paused,
    Closed,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateChangeRequest {
    to: WantedState,
}

/// Pauses, resumes or closes a campaign. Closing cannot be undone.
#[utoipa::path(post, path = "/api/v1/campaigns/{campaign}/state", tag = "campaigns", params(("campaign" = String, Path)), request_body = StateChangeRequest,
    responses((status = 200, body = CampaignStatus)))]
pub async fn change_state(
    State(app): State<Arc<AppState>>,
    Path(campaign): Path<String>,
    Body(change): Body<StateChangeRequest>,
) -> Result<Json<CampaignStatus>, Problem> {
    match change.to {
        WantedState::Running => {
            services::campaigns::change_state(&app.context, &campaign, CampaignState::Running)
                .await?
        }
        WantedState::Paused => {
            services::campaigns::change_state(&app.context, &campaign, CampaignState::Paused)
                .await?
        }
        WantedState::Closed => match close_campaign(&app.context, &campaign).await {
            Ok(_) => {}
            Err(DeadlineError::UnknownCampaign(_)) => return Err(Problem::not_found()),
            Err(error @ DeadlineError::Closed(_)) => {
                return Err(Problem::from_error(StatusCode::CONFLICT, &error));
            }
            Err(error) => return Err(Problem::internal(&error.to_string())),
        },
    }
    Ok(Json(services::campaigns::status(&app.context, &campaign).await?))
}
