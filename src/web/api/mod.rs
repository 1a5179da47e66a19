//! The pull API for the scoring step, below `/api/v1`: list versions, fetch their files, say what becomes of them. With a bearer token (RFC 6750); errors are
//! problem details (RFC 9457).

mod datasets;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};

use super::Site;
use crate::crypto::sha256;
use problem::Problem;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v1/datasets", get(datasets::list))
        .route("/api/v1/datasets/{application}/{version}", get(datasets::show))
        .route("/api/v1/datasets/{application}/{version}/files/{file}", get(datasets::file))
        .route("/api/v1/datasets/{application}/{version}/verdict", post(datasets::judge))
}

/// Where no token is set, there is no API.
fn authorise(site: &Site, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = &site.installation.config.delivery.token else { return Err(Problem::not_found()) };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    // Hashes are compared: how long that takes says nothing of the token.
    if given.is_some_and(|given| sha256(given.trim().as_bytes()) == sha256(token.reveal().as_bytes())) {
        return Ok(());
    }
    Err(if site.guesses.count() { Problem::unauthorised() } else { Problem::too_many() })
}
