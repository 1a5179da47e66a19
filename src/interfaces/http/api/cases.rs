//! Cases: codes and times for tokens that may watch; names and numbers for tokens that may reveal,
//! with an audit entry for each request.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, PageParams, Path, Problem, Query, format_utc};
use crate::adapters::database::timeline::{self as stored, CaseDetails, CaseFilter};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::Personal;
use crate::interfaces::http::state::AppState;
use crate::services::monitoring::MonitoringError;
use crate::services::monitoring::search::search as search_for;
use crate::services::monitoring::timeline::{self, TimelineEvent, TimelineEventKind};

impl From<MonitoringError> for Problem {
    fn from(error: MonitoringError) -> Problem {
        Problem::internal(&error.to_string())
    }
}

/// A case without personal data.
#[derive(Serialize, ToSchema)]
pub struct CaseResponse {
    case: i64,
    application: String,
    campaign: Option<String>,
    /// Its pseudonym in datasets.
    pseudonym: String,
    /// Code of the AAPOR Standard Definitions: `1.1`.
    disposition: &'static str,
    disposed_at: String,
    is_open: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Cases {
    items: Vec<CaseResponse>,
    /// Cursor of the next page; null on the last.
    next: Option<i64>,
}

fn case_response(case: CaseDetails) -> CaseResponse {
    CaseResponse {
        case: case.id.0,
        application: case.application,
        campaign: case.campaign,
        pseudonym: case.pseudonym,
        disposition: case.disposition.code(),
        disposed_at: format_utc(case.disposed_at),
        is_open: case.is_open,
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DispositionParams {
    /// Only cases with this disposition: `1.1`.
    disposition: Option<String>,
}

/// Lists the cases of an application, the latest first.
#[utoipa::path(get, path = "/api/v1/applications/{application}/cases", tag = "cases", params(("application" = String, Path), DispositionParams, PageParams),
    responses((status = 200, body = Cases)))]
pub async fn of_application(
    State(app): State<Arc<AppState>>,
    Path(application): Path<String>,
    Query(at): Query<DispositionParams>,
    Query(page): Query<PageParams>,
) -> Result<Json<Cases>, Problem> {
    let unknown = |code: &str| {
        Problem::new(axum::http::StatusCode::BAD_REQUEST, format!("«{code}» is no disposition"))
    };
    let at = at
        .disposition
        .as_deref()
        .map(|code| Disposition::from_code(code).ok_or_else(|| unknown(code)))
        .transpose()?;
    let (limit, before) = (page.limit()?, page.cursor()?.map(CaseId));
    let mut connection = app.context.database.read().await?;
    if crate::adapters::database::applications::find(&mut connection, &application).await?.is_none()
    {
        return Err(Problem::not_found());
    }
    let found =
        stored::cases(&mut connection, &CaseFilter::Application(&application, at), before, limit)
            .await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|case| case.id.0);
    Ok(Json(Cases { items: found.into_iter().map(case_response).collect(), next }))
}

/// One event of a case.
#[derive(Serialize, ToSchema)]
pub struct TimelineEventResponse {
    at: String,
    /// message, delivered, opened, consented, consent_withdrawn, begun, page, complete, call, reply
    /// or disposition.
    kind: &'static str,
    /// The step, state, outcome or code of the event.
    detail: String,
}

#[derive(Serialize, ToSchema)]
pub struct CaseTimeline {
    #[serde(flatten)]
    case: CaseResponse,
    /// The oldest first.
    timeline: Vec<TimelineEventResponse>,
}

fn timeline_event(event: &TimelineEvent) -> TimelineEventResponse {
    let (kind, detail) = match &event.kind {
        TimelineEventKind::Message { step, message, .. } => {
            ("message", format!("{step}: {} by {}", message.state, message.gateway))
        }
        TimelineEventKind::Delivered { step } => ("delivered", step.clone()),
        TimelineEventKind::Opened => ("opened", String::new()),
        TimelineEventKind::Consented { version, .. } => ("consented", version.clone()),
        TimelineEventKind::ConsentWithdrawn { version } => ("consent_withdrawn", version.clone()),
        TimelineEventKind::AnswersBegun => ("begun", String::new()),
        TimelineEventKind::Page(visit) => ("page", (visit.page + 1).to_string()),
        TimelineEventKind::AnswersComplete { items } => ("complete", items.to_string()),
        TimelineEventKind::Call { outcome, .. } => {
            ("call", outcome.map(|outcome| outcome.as_str().to_owned()).unwrap_or_default())
        }
        TimelineEventKind::Reply { meaning, .. } => ("reply", meaning.clone()),
        TimelineEventKind::Disposition { to, source } => {
            ("disposition", format!("{} ({source})", to.code()))
        }
    };
    TimelineEventResponse { at: format_utc(event.at), kind, detail }
}

/// Returns the timeline of a case.
#[utoipa::path(get, path = "/api/v1/cases/{case}", tag = "cases", params(("case" = i64, Path)), responses((status = 200, body = CaseTimeline)))]
pub async fn timeline(
    State(app): State<Arc<AppState>>,
    Path(case): Path<i64>,
) -> Result<Json<CaseTimeline>, Problem> {
    let case_timeline = timeline::case_timeline(&app.context, CaseId(case))
        .await?
        .ok_or_else(Problem::not_found)?;
    let events = case_timeline.events.iter().map(timeline_event).collect();
    Ok(Json(CaseTimeline { case: case_response(case_timeline.found.case), timeline: events }))
}

/// A search for a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseSearchRequest {
    /// A number, a name, a case's number, or its pseudonym.
    #[schema(min_length = 1)]
    query: String,
}

/// Finds the cases of a person. The query is not stored or logged.
#[utoipa::path(post, path = "/api/v1/cases/search", tag = "cases", request_body = CaseSearchRequest, responses((status = 200, body = Cases)))]
pub async fn search(
    State(app): State<Arc<AppState>>,
    Body(request): Body<CaseSearchRequest>,
) -> Result<Json<Cases>, Problem> {
    let found =
        search_for(&app.context, &Personal::new(request.query), super::MAX_PAGE_SIZE).await?;
    Ok(Json(Cases {
        items: found.into_iter().map(|found| case_response(found.case)).collect(),
        next: None,
    }))
}

#[derive(Serialize, ToSchema)]
pub struct PersonResponse {
    name: String,
    /// E.164.
    number: String,
}

/// Returns the person of a case. The audit log records the request.
#[utoipa::path(get, path = "/api/v1/cases/{case}/person", tag = "cases", params(("case" = i64, Path)), responses((status = 200, body = PersonResponse)))]
pub async fn person(
    State(app): State<Arc<AppState>>,
    Path(case): Path<i64>,
) -> Result<Json<PersonResponse>, Problem> {
    let (name, phone) = timeline::reveal_person(&app.context, CaseId(case))
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(Json(PersonResponse { name: name.reveal().to_owned(), number: phone.stored().into_owned() }))
}
