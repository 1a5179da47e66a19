//! The audit log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{PageParams, Problem, Query, format_utc};
use crate::adapters::database::audit::{self as log, AuditFilter, LogVerification};
use crate::domain::audit::Action;
use crate::interfaces::http::state::AppState;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditFilterParams {
    /// Only entries of this user or token.
    actor: Option<String>,
    /// Only entries with this action.
    action: Option<String>,
    /// Prefix of the object: `case:17`.
    object: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct LogEntry {
    number: i64,
    at: String,
    actor: String,
    /// console, api or command.
    via: &'static str,
    action: &'static str,
    object: String,
    detail: String,
}

#[derive(Serialize, ToSchema)]
pub struct LogEntries {
    items: Vec<LogEntry>,
    /// Cursor of the next page; null on the last.
    next: Option<i64>,
}

/// Lists audit entries, the latest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditFilterParams, PageParams), responses((status = 200, body = LogEntries)))]
pub async fn list(
    State(app): State<Arc<AppState>>,
    Query(filter): Query<AuditFilterParams>,
    Query(page): Query<PageParams>,
) -> Result<Json<LogEntries>, Problem> {
    let unknown =
        |code: &str| Problem::new(StatusCode::BAD_REQUEST, format!("«{code}» is no action"));
    let filter = AuditFilter {
        actor: filter.actor.unwrap_or_default(),
        action: filter
            .action
            .as_deref()
            .map(|code| Action::parse(code).ok_or_else(|| unknown(code)))
            .transpose()?,
        object: filter.object.unwrap_or_default(),
        before: page.cursor()?,
    };
    let limit = page.limit()?;
    let entries = log::entries(&mut *app.context.database.read().await?, &filter, limit).await?;
    let next = entries.last().filter(|_| entries.len() == limit as usize).map(|entry| entry.number);
    let to_response = |entry: crate::domain::audit::AuditEntry| LogEntry {
        number: entry.number,
        at: format_utc(entry.at),
        actor: entry.actor.name,
        via: entry.actor.via.as_str(),
        action: entry.action.code(),
        object: entry.object,
        detail: entry.detail,
    };
    Ok(Json(LogEntries { items: entries.into_iter().map(to_response).collect(), next }))
}

/// Result of a verification.
#[derive(Serialize, ToSchema)]
pub struct LogVerificationResponse {
    is_intact: bool,
    /// Number of entries, if the log is intact.
    entries: Option<i64>,
    /// Hash of the last entry, to be noted elsewhere.
    head: Option<String>,
    /// First entry that differs from what was written.
    first_broken_entry: Option<i64>,
}

/// Verifies the hash chain of the audit log.
#[utoipa::path(post, path = "/api/v1/audit/verify", tag = "audit", responses((status = 200, body = LogVerificationResponse)))]
pub async fn verify(
    State(app): State<Arc<AppState>>,
) -> Result<Json<LogVerificationResponse>, Problem> {
    let verified =
        log::verify(&mut *app.context.database.read().await?, app.context.keys.hasher(), None)
            .await?;
    Ok(Json(match verified {
        LogVerification::Intact { entries, head } => LogVerificationResponse {
            is_intact: true,
            entries: Some(entries),
            head: Some(head),
            first_broken_entry: None,
        },
        LogVerification::Broken { at } => LogVerificationResponse {
            is_intact: false,
            entries: None,
            head: None,
            first_broken_entry: Some(at),
        },
        LogVerification::HeadNotFound => LogVerificationResponse {
            is_intact: false,
            entries: None,
            head: None,
            first_broken_entry: None,
        },
    }))
}
