//! Supervision of telephone interviews: the queue, assignments, interviewer quality and
//! verification. Calls are made by people, on their pages.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pending_work::{DONE, Done};
use super::{Body, Caller, Path, Problem, format_utc};
use axum::http::StatusCode;

use crate::adapters::database::verifications;
use crate::domain::ids::InvitationId;
use crate::interfaces::http::state::AppState;
use crate::services::call_center::quality::{self, InterviewerQuality};
use crate::services::call_center::supervision::{self, QueueDashboardRow};
use crate::services::call_center::{CallCenterError, verification};

/// Days covered by the figures of interviewers.
const QUALITY_DAYS: u64 = 30;
const MAX_ROWS: u32 = 200;

impl From<CallCenterError> for Problem {
    fn from(error: CallCenterError) -> Problem {
        match error {
            CallCenterError::Database(error) => error.into(),
            CallCenterError::NotInQueue => Problem::from_error(StatusCode::CONFLICT, &error),
            CallCenterError::UnknownInterviewer(_) => {
                Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)
            }
            other => Problem::internal(&other.to_string()),
        }
    }
}

/// A person in the queue, without name and number.
#[derive(Serialize, ToSchema)]
pub struct QueueEntryResponse {
    invitation: i64,
    campaign: String,
    /// `APPLICATION/PSEUDONYM`.
    cases: String,
    next_at: Option<String>,
    /// Time of a promised call-back.
    promised_at: Option<String>,
    calls: u32,
    max_calls: u32,
    assigned_to: Option<String>,
    /// The interviewer whose screen shows the person.
    on_screen_of: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Queue {
    queued: usize,
    due: usize,
    promised: usize,
    in_call: usize,
    /// Those on screens and those due next, at most 200.
    items: Vec<QueueEntryResponse>,
}

/// Returns the call queue.
#[utoipa::path(get, path = "/api/v1/telephone/queue", tag = "telephone", responses((status = 200, body = Queue)))]
pub async fn queue(State(app): State<Arc<AppState>>) -> Result<Json<Queue>, Problem> {
    let dashboard = supervision::supervision_dashboard(&app.context).await?;
    let to_response = |row: QueueDashboardRow| QueueEntryResponse {
        invitation: row.invitation.0,
        campaign: row.campaign,
        cases: row.cases,
        next_at: row.next_at.map(format_utc),
        promised_at: row.promised_at.map(format_utc),
        calls: row.calls,
        max_calls: row.max_calls,
        assigned_to: row.assigned_to,
        on_screen_of: row.on_screen_of,
    };
    Ok(Json(Queue {
        queued: dashboard.queued,
        due: dashboard.due,
        promised: dashboard.promised,
        in_call: dashboard.on_screens,
        items: dashboard.rows.into_iter().map(to_response).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignRequest {
    /// The interviewer; empty for any.
    to: String,
}

/// Assigns a person to one interviewer, or back to all.
#[utoipa::path(post, path = "/api/v1/telephone/queue/{invitation}/assign", tag = "telephone", params(("invitation" = i64, Path)),
    request_body = AssignRequest, responses((status = 200, body = Done)))]
pub async fn assign(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(invitation): Path<i64>,
    Body(request): Body<AssignRequest>,
) -> Result<Json<Done>, Problem> {
    supervision::assign(&app.context, &caller.actor, InvitationId(invitation), request.to.trim())
        .await?;
    Ok(DONE)
}

/// Figures of one interviewer over the last 30 days.
#[derive(Serialize, ToSchema)]
pub struct InterviewerResponse {
    name: String,
    attempts: u32,
    interviews: u32,
    /// Refusals among the respondents reached.
    refusals: u32,
    no_answers: u32,
    /// Interviews that were conspicuously short.
    short: u32,
    seconds_per_answer: Option<f64>,
    verified: u32,
    doubtful: u32,
}

#[derive(Serialize, ToSchema)]
pub struct Interviewers {
    items: Vec<InterviewerResponse>,
}

/// Lists the figures of all interviewers.
#[utoipa::path(get, path = "/api/v1/telephone/interviewers", tag = "telephone", responses((status = 200, body = Interviewers)))]
pub async fn interviewers(State(app): State<Arc<AppState>>) -> Result<Json<Interviewers>, Problem> {
    let since = app.context.clock.now() - std::time::Duration::from_secs(QUALITY_DAYS * 86_400);
    let to_response = |quality: InterviewerQuality| InterviewerResponse {
        name: quality.name,
        attempts: quality.attempts,
        interviews: quality.interviews,
        refusals: quality.refusals.count,
        no_answers: quality.no_answers.count,
        short: quality.short.count,
        seconds_per_answer: quality.seconds_per_answer,
        verified: quality.verified,
        doubtful: quality.doubtful,
    };
    Ok(Json(Interviewers {
        items: quality::of_interviewers(&app.context, since)
            .await?
            .into_iter()
            .map(to_response)
            .collect(),
    }))
}

#[derive(Serialize, ToSchema)]
pub struct VerificationResponse {
    id: i64,
    interviewer: String,
    interviewed_at: String,
    verified_at: Option<String>,
    /// sound or doubtful.
    outcome: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Verifications {
    items: Vec<VerificationResponse>,
}

/// Lists interviews drawn for verification, pending ones first, at most 200.
#[utoipa::path(get, path = "/api/v1/telephone/verifications", tag = "telephone", responses((status = 200, body = Verifications)))]
pub async fn verifications(
    State(app): State<Arc<AppState>>,
) -> Result<Json<Verifications>, Problem> {
    let all = verifications::all(&mut *app.context.database.read().await?, MAX_ROWS).await?;
    let to_response = |verification: verifications::Verification| VerificationResponse {
        id: verification.id,
        interviewer: verification.interviewer_name,
        interviewed_at: format_utc(verification.interviewed_at),
        verified_at: verification.verified_at.map(format_utc),
        outcome: verification.outcome,
    };
    Ok(Json(Verifications { items: all.into_iter().map(to_response).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrawRequest {
    /// Share to draw of the interviews not drawn before; 0.1 if omitted.
    #[schema(minimum = 0, maximum = 1)]
    share: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub struct DrawResponse {
    interviews: usize,
}

/// Draws interviews for verification, at least one of each interviewer.
#[utoipa::path(post, path = "/api/v1/telephone/verifications", tag = "telephone", request_body = DrawRequest, responses((status = 200, body = DrawResponse)))]
pub async fn draw(
    State(app): State<Arc<AppState>>,
    Body(request): Body<DrawRequest>,
) -> Result<Json<DrawResponse>, Problem> {
    let share = request.share.unwrap_or(verification::DEFAULT_SHARE);
    if !(0.0..=1.0).contains(&share) {
        return Err(Problem::wrong("share is between 0 and 1"));
    }
    Ok(Json(DrawResponse { interviews: verification::draw(&app.context, share).await? }))
}
