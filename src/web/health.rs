//! Probes: `/healthz` says that the process answers, `/readyz` that it can work.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::Site;
use crate::store::rates;

pub async fn healthz() -> &'static str {
    "ok\n"
}

pub async fn readyz(State(site): State<Arc<Site>>) -> Response {
    let installation = &site.installation;
    let paused = async { rates::paused(&mut *installation.store.read().await?, installation.clock.now()).await }.await;
    match paused {
        Ok(paused) => {
            let paused: Vec<String> = paused.into_iter().map(|(gateway, _)| gateway).collect();
            Json(json!({ "ready": true, "database": "ok", "gateways_paused": paused })).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "database": "does not answer" }))).into_response()
        }
    }
}
