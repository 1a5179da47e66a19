//! The suppression list: times, scopes, reasons and ends, without the numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, PageParams, Problem, Query, format_utc};
use axum::http::StatusCode;

use crate::adapters::database::suppressions;
use crate::domain::suppression::SuppressionReason;
use crate::interfaces::http::state::AppState;
use crate::services::suppressions::{SuppressionDefaults, SuppressionError, import_suppressions};

/// Numbers to suppress.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressRequest {
    #[schema(min_items = 1)]
    numbers: Vec<String>,
    /// opt_out, complaint or invalid.
    #[schema(pattern = "^(opt_out|complaint|invalid)$")]
    reason: String,
    /// Only in this programme; everywhere if omitted.
    programme: Option<String>,
    /// First day on which they may be contacted again.
    until: Option<NaiveDate>,
}

#[derive(Serialize, ToSchema)]
pub struct SuppressResponse {
    numbers: u64,
}

/// Suppresses numbers.
#[utoipa::path(post, path = "/api/v1/suppressions", tag = "suppressions", request_body = SuppressRequest, responses((status = 200, body = SuppressResponse)))]
pub async fn suppress(
    State(app): State<Arc<AppState>>,
    Body(new): Body<SuppressRequest>,
) -> Result<Json<SuppressResponse>, Problem> {
    let reason = SuppressionReason::parse(&new.reason)
        .ok_or_else(|| Problem::wrong("reason is opt_out, complaint or invalid"))?;
    let defaults =
        SuppressionDefaults { reason, programme: new.programme.as_deref(), until: new.until };
    let lines: String = new
        .numbers
        .iter()
        .map(|number| number.replace(['\n', '\r', ',', '"'], " ") + "\n")
        .collect();
    match import_suppressions(&app.context, lines.as_bytes(), &defaults).await {
        Ok(numbers) => Ok(Json(SuppressResponse { numbers })),
        Err(SuppressionError::Database(error)) => Err(error.into()),
        Err(error) => Err(Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)),
    }
}

#[derive(Serialize, ToSchema)]
pub struct SuppressionResponse {
    /// The programme; null for everywhere.
    programme: Option<String>,
    /// opt_out, complaint or invalid.
    reason: String,
    since: String,
    /// Null for a suppression without end.
    until: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Suppressions {
    items: Vec<SuppressionResponse>,
    /// Cursor of the next page; null on the last.
    next: Option<i64>,
}

/// Lists suppressions, the oldest first.
#[utoipa::path(get, path = "/api/v1/suppressions", tag = "suppressions", params(PageParams), responses((status = 200, body = Suppressions)))]
pub async fn list(
    State(app): State<Arc<AppState>>,
    Query(page): Query<PageParams>,
) -> Result<Json<Suppressions>, Problem> {
    let (limit, after) = (page.limit()?, page.cursor()?);
    let all = suppressions::page_after(
        &mut *app.context.database.read().await?,
        after.unwrap_or(0),
        limit,
    )
    .await?;
    let next = all.last().filter(|_| all.len() == limit as usize).map(|(id, _)| *id);
    let to_response = |(_, suppression): (i64, suppressions::Suppression)| SuppressionResponse {
        programme: Some(suppression.scope).filter(|scope| scope != suppressions::ALL),
        reason: suppression.reason,
        since: format_utc(suppression.created_at),
        until: suppression.expires_at.map(format_utc),
    };
    Ok(Json(Suppressions { items: all.into_iter().map(to_response).collect(), next }))
}
