//! Probes: `/healthz` says that the process answers, `/readyz` that it can work.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::state::Site;
use crate::services::monitoring::health::readiness;

pub async fn healthz() -> &'static str {
    "ok\n"
}

pub async fn readyz(State(site): State<Arc<Site>>) -> Response {
    let found = readiness(&site.installation).await;
    if let Some(error) = &found.database {
        tracing::warn!(%error, "not ready");
    }
    let status = if found.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let said = json!({
        "ready": found.is_ready(),
        "database": if found.database.is_none() { "ok" } else { "does not answer" },
        "disk": if found.has_room() { "ok" } else { "nearly full" },
        "disk_free_mb": found.disk_free / (1024 * 1024),
        "clock": if found.is_on_time() { "ok" } else { "differs from the database's, or was set back" },
        "gateways_paused": found.gateways_paused,
    });
    (status, Json(said)).into_response()
}
