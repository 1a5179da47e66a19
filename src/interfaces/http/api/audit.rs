//! The audit log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Page, Problem, Query, utc};
use crate::domain::audit::Action;
use crate::adapters::database::audit::{self as log, Asked, Verified};
use crate::interfaces::http::state::Site;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AskedOfLog {
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
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AskedOfLog, Page), responses((status = 200, body = LogEntries)))]
pub async fn list(State(site): State<Arc<Site>>, Query(asked): Query<AskedOfLog>, Query(page): Query<Page>) -> Result<Json<LogEntries>, Problem> {
    let unknown = |code: &str| Problem::new(StatusCode::BAD_REQUEST, format!("«{code}» is no action"));
    let asked = Asked {
        who: asked.who.unwrap_or_default(),
        action: asked.action.as_deref().map(|code| Action::parse(code).ok_or_else(|| unknown(code))).transpose()?,
        object: asked.object.unwrap_or_default(),
        before: page.cursor()?,
    };
    let limit = page.limit()?;
    let entries = log::entries(&mut *site.installation.store.read().await?, &asked, limit).await?;
    let next = entries.last().filter(|_| entries.len() == limit as usize).map(|entry| entry.number);
    let of = |entry: crate::domain::audit::Entry| LogEntry {
        number: entry.number,
        at: utc(entry.at),
        who: entry.who.name,
        via: entry.who.via.as_str(),
        action: entry.action.code(),
        object: entry.object,
        detail: entry.detail,
    };
    Ok(Json(LogEntries { items: entries.into_iter().map(of).collect(), next }))
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
pub async fn verify(State(site): State<Arc<Site>>) -> Result<Json<VerifiedLog>, Problem> {
    let verified = log::verify(&mut *site.installation.store.read().await?, site.installation.keys.hasher(), None).await?;
    Ok(Json(match verified {
        Verified::Whole { entries, head } => VerifiedLog { is_whole: true, entries: Some(entries), head: Some(head), broken_at: None },
        Verified::Broken { at } => VerifiedLog { is_whole: false, entries: None, head: None, broken_at: Some(at) },
        Verified::NotInLog => VerifiedLog { is_whole: false, entries: None, head: None, broken_at: None },
    }))
}
