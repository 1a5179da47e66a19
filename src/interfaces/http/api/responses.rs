//! Conspicuous responses of an application, and decisions about them. Cases are named by their
//! pseudonyms.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Caller, Path, Problem, format_utc};
use crate::domain::quality::ReviewVerdict;
use crate::interfaces::http::state::AppState;
use crate::services::response_quality::{self, ResponseQualityError, ReviewOutcome};

impl From<ResponseQualityError> for Problem {
    fn from(error: ResponseQualityError) -> Problem {
        match error {
            ResponseQualityError::Database(error) => error.into(),
            error @ (ResponseQualityError::UnknownApplication(_)
            | ResponseQualityError::NoResponse { .. }) => {
                Problem::from_error(StatusCode::NOT_FOUND, &error)
            }
            error @ (ResponseQualityError::SecondPerson(_) | ResponseQualityError::NoRoom(_)) => {
                Problem::from_error(StatusCode::CONFLICT, &error)
            }
            error @ ResponseQualityError::Reason => {
                Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)
            }
        }
    }
}

/// A cluster: responses of more people from one place than is usual.
#[derive(Serialize, ToSchema)]
pub struct ClusterResponse {
    number: usize,
    /// `device` or `network`.
    shared: &'static str,
    /// People of the applicant, in all its applications.
    people: usize,
    /// Cases of this application.
    cases: usize,
}

/// A decision about a response.
#[derive(Serialize, ToSchema)]
pub struct ReviewResponse {
    /// `accepted` or `excluded`.
    verdict: &'static str,
    reason: String,
    requested_by: String,
    /// Null while an exclusion waits for a second person.
    decided_by: Option<String>,
    decided_at: Option<String>,
}

/// A response that is conspicuous, or about which somebody has decided.
#[derive(Serialize, ToSchema)]
pub struct ConspicuousResponse {
    case: String,
    mode: String,
    complete: bool,
    seconds: Option<u64>,
    speeding: bool,
    straight_lining: bool,
    duplicate_answers: bool,
    /// The number of its cluster.
    cluster: Option<usize>,
    review: Option<ReviewResponse>,
}

#[derive(Serialize, ToSchema)]
pub struct ConspicuousResponses {
    clusters: Vec<ClusterResponse>,
    items: Vec<ConspicuousResponse>,
    /// Complete and partial responses in all.
    responses: usize,
}

/// Lists an application's conspicuous responses and the clusters among them.
#[utoipa::path(get, path = "/api/v1/applications/{application}/responses", tag = "applications",
    params(("application" = String, Path)), responses((status = 200, body = ConspicuousResponses)))]
pub async fn list(
    State(app): State<Arc<AppState>>,
    Path(application): Path<String>,
) -> Result<Json<ConspicuousResponses>, Problem> {
    let found = response_quality::conspicuous(&app.context, &application).await?;
    let cluster = |one: response_quality::ClusterOverview| ClusterResponse {
        number: one.number,
        shared: one.shared.as_str(),
        people: one.people,
        cases: one.cases,
    };
    let item = |one: response_quality::ConspicuousResponse| ConspicuousResponse {
        case: one.case,
        mode: one.mode,
        complete: one.is_complete,
        seconds: one.seconds,
        speeding: one.is_speeding,
        straight_lining: one.is_straight_lined,
        duplicate_answers: one.is_duplicate,
        cluster: one.cluster.map(|(number, _)| number),
        review: one.review.map(|review| ReviewResponse {
            verdict: review.verdict.as_str(),
            reason: review.reason,
            requested_by: review.requested_by,
            decided_by: review.decided_by,
            decided_at: review.decided_at.map(format_utc),
        }),
    };
    Ok(Json(ConspicuousResponses {
        responses: found.cases.len(),
        clusters: found.clusters.into_iter().map(cluster).collect(),
        items: found.responses.into_iter().map(item).collect(),
    }))
}

/// A decision to take.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    #[schema(value_type = String, pattern = "^(accepted|excluded)$")]
    verdict: String,
    /// Why, without names and numbers of people.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// What became of a decision.
#[derive(Serialize, ToSchema)]
pub struct DecisionResponse {
    /// Whether a second person has to agree before it takes effect.
    waits_for_second_person: bool,
}

/// Accepts or excludes a response.
#[utoipa::path(put, path = "/api/v1/applications/{application}/responses/{case}/review", tag = "applications",
    params(("application" = String, Path), ("case" = String, Path)), request_body = Decision,
    responses((status = 200, body = DecisionResponse)))]
pub async fn review(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path((application, case)): Path<(String, String)>,
    Body(decision): Body<Decision>,
) -> Result<Json<DecisionResponse>, Problem> {
    let verdict = ReviewVerdict::parse(&decision.verdict)
        .ok_or_else(|| Problem::wrong("verdict: must be «accepted» or «excluded»"))?;
    let outcome = response_quality::decide(
        &app.context,
        &caller.actor,
        &application,
        &case,
        verdict,
        &decision.reason,
    )
    .await?;
    Ok(Json(DecisionResponse { waits_for_second_person: outcome == ReviewOutcome::Waiting }))
}
