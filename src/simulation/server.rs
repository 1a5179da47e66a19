//! The simulator's HTTP server.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::carrier::SubmitResponse;

#[derive(Deserialize)]
pub(super) struct SubmitRequest {
    pub to: String,
    pub text: String,
    pub reference: String,
    pub callback: String,
    pub replies: String,
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/messages", post(submit))
        .route("/v1/messages/{reference}", get(query))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(shared)
}

async fn submit(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(submit): Json<SubmitRequest>,
) -> Response {
    if shared.scenario.latency_millis > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(shared.scenario.latency_millis)).await;
    }
    let secret = &shared.scenario.secret;
    let authorization =
        headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !secret.is_empty() && authorization != format!("Bearer {secret}") {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "unauthorised" })))
            .into_response();
    }
    let error =
        |status: StatusCode, error: &str| (status, Json(json!({ "error": error }))).into_response();
    match shared.handle_submit(&submit).await {
        SubmitResponse::Accepted { id } => {
            (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response()
        }
        SubmitResponse::Throttled => (
            StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", "2")],
            Json(json!({ "error": "throttled" })),
        )
            .into_response(),
        SubmitResponse::InvalidNumber => error(StatusCode::BAD_REQUEST, "invalid_number"),
        SubmitResponse::NumberFrequencyExceeded => {
            error(StatusCode::BAD_REQUEST, "number_frequency")
        }
        SubmitResponse::Unavailable => error(StatusCode::INTERNAL_SERVER_ERROR, "unavailable"),
        SubmitResponse::ResponseLost => error(StatusCode::BAD_GATEWAY, "bad_gateway"),
    }
}

async fn query(State(shared): State<Arc<Shared>>, Path(reference): Path<String>) -> Response {
    match shared.lock().accepted.get(&reference) {
        Some(accepted) => {
            Json(json!({ "id": accepted.id, "state": accepted.state })).into_response()
        }
        None => (StatusCode::NOT_FOUND, Json(json!({ "error": "unknown" }))).into_response(),
    }
}
