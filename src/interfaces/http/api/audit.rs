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
    /// Only what this person or token did.
    who: Option<String>,
    /// Only such.
    action: Option<String>,
    /// The beginning of what it was done to: `case:17`.
    object: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct LogEntry {
    number: i64,
    at: String,
    who: String,
    /// console, api or command.
    via: &'static str,
    action: &'static str,
    object: String,
    detail: String,
}

#[derive(Serialize, ToSchema)]
pub struct LogEntries {
    items: Vec<LogEntry>,
    /// The cursor of the next page; null on the last.
    next: Option<i64>,
}

/// The audit log, the latest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditFilterParams, PageParams), responses((status = 200, body = LogEntries)))]
pub async fn list(
    State(app): State<Arc<AppState>>,
    Query(filter): Query<AuditFilterParams>,
    Query(page): Query<PageParams>,
) -> Result<Json<LogEntries>, Problem> {
    let unknown =
        |code: &str| Problem::new(StatusCode::BAD_REQUEST, format!("«{code}» is no action"));
    let filter = AuditFilter {
        actor: filter.who.unwrap_or_default(),
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
        who: entry.actor.name,
        via: entry.actor.via.as_str(),
        action: entry.action.code(),
        object: entry.object,
        detail: entry.detail,
    };
    Ok(Json(LogEntries { items: entries.into_iter().map(to_response).collect(), next }))
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
pub struct VerifiedLog {
    is_whole: bool,
    /// Where it is whole: how many entries it has.
    entries: Option<i64>,
    /// The last entry's hash, to be kept elsewhere.
    head: Option<String>,
    /// From this entry on it is not what was written.
    broken_at: Option<i64>,
}

/// Reckons every hash again.
#[utoipa::path(post, path = "/api/v1/audit/verify", tag = "audit", responses((status = 200, body = VerifiedLog)))]
pub async fn verify(State(app): State<Arc<AppState>>) -> Result<Json<VerifiedLog>, Problem> {
    let verified =
        log::verify(&mut *app.context.database.read().await?, app.context.keys.hasher(), None)
            .await?;
    Ok(Json(match verified {
        LogVerification::Intact { entries, head } => VerifiedLog {
            is_whole: true,
            entries: Some(entries),
            head: Some(head),
            broken_at: None,
        },
        LogVerification::Broken { at } => {
            VerifiedLog { is_whole: false, entries: None, head: None, broken_at: Some(at) }
        }
        LogVerification::HeadNotFound => {
            VerifiedLog { is_whole: false, entries: None, head: None, broken_at: None }
        }
    }))
}
