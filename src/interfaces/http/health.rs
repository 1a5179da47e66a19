//! Probes: `/healthz` reports that the process responds, `/readyz` that it can work.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::state::AppState;
use crate::services::monitoring::health::{Readiness, readiness};

pub async fn healthz() -> &'static str {
    "ok\n"
}

fn clock_word(found: &Readiness) -> String {
    match found.clock_step_seconds {
        Some(seconds) if seconds < 0 => {
            format!("was set back by {} s: sending, closing and deleting wait", -seconds)
        }
        Some(seconds) => {
            format!("was set forward by {seconds} s: sending, closing and deleting wait")
        }
        None if found.has_correct_clock() => "ok".into(),
        None => "differs from the database's, or was set back".into(),
    }
}

pub async fn readyz(State(app): State<Arc<AppState>>) -> Response {
    let found = readiness(&app.context).await;
    if let Some(error) = &found.database {
        tracing::warn!(%error, "not ready");
    }
    let status = if found.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": found.is_ready(),
        "database": if found.database.is_none() { "ok" } else { "does not answer" },
        "disk": if found.has_disk_space() { "ok" } else { "nearly full" },
        "disk_free_mb": found.disk_free_bytes / (1024 * 1024),
        "clock": clock_word(&found),
        "gateways_paused": found.gateways_paused,
    });
    (status, Json(body)).into_response()
}
