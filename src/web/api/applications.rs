//! Programmes, applications and their lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Caller, Path, Problem, Query};
use crate::deadline::changes::{self, By, ChangeError};
use crate::deadline::{Overview, overview};
use crate::domain::category::Category;
use crate::intake::{ImportOutcome, ImportRequest, IntakeError, NewApplication as Declared, RegistrationError, Source, add_application, import_list};
use crate::store::programmes;
use crate::web::Site;

#[derive(Serialize, ToSchema)]
pub struct ProgrammeOf {
    code: String,
    name_zh: String,
    name_en: String,
}

#[derive(Serialize, ToSchema)]
pub struct Programmes {
    items: Vec<ProgrammeOf>,
}

/// All programmes.
#[utoipa::path(get, path = "/api/v1/programmes", tag = "applications", responses((status = 200, body = Programmes)))]
pub async fn programmes(State(site): State<Arc<Site>>) -> Result<Json<Programmes>, Problem> {
    let mut connection = site.installation.store.read().await?;
    let mut items = Vec::new();
    for code in programmes::codes(&mut connection).await? {
        if let Some((_, programme)) = programmes::find(&mut connection, &code).await? {
            items.push(ProgrammeOf { code, name_zh: programme.name.zh, name_en: programme.name.en });
        }
    }
    Ok(Json(Programmes { items }))
}

#[derive(Serialize, ToSchema)]
pub struct Applications {
    /// Who is in most danger first.
    items: Vec<Overview>,
}

/// The applications of a programme.
#[utoipa::path(get, path = "/api/v1/programmes/{programme}/applications", tag = "applications",
    params(("programme" = String, Path)), responses((status = 200, body = Applications)))]
pub async fn of_programme(State(site): State<Arc<Site>>, Path(programme): Path<String>) -> Result<Json<Applications>, Problem> {
    let items = overview(&site.installation, &programme).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(Applications { items }))
}

/// An application to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApplication {
    programme: String,
    /// Letters, digits, `-` and `_`.
    #[schema(min_length = 1, max_length = 40, pattern = "^[A-Za-z0-9_-]+$")]
    code: String,
    applicant_code: String,
    applicant_name: String,
    #[schema(value_type = String, pattern = "^(organisation|brand|product|project|service)$")]
    category: Category,
    /// By the fields that the category asks for: `{"brand": "…"}`.
    subject: BTreeMap<String, String>,
    /// Completes wanted; the category's rule where nothing is said.
    #[schema(minimum = 1)]
    target: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct Registered {
    code: String,
}

/// Registers an application.
#[utoipa::path(post, path = "/api/v1/applications", tag = "applications", request_body = NewApplication,
    responses((status = 201, body = Registered)))]
pub async fn register(State(site): State<Arc<Site>>, Body(new): Body<NewApplication>) -> Result<(StatusCode, Json<Registered>), Problem> {
    let declared = Declared {
        programme: &new.programme,
        code: &new.code,
        applicant_code: &new.applicant_code,
        applicant_name: &new.applicant_name,
        category: new.category.as_str(),
        subject: new.subject,
        target: new.target,
    };
    match add_application(&site.installation, declared).await {
        Ok(code) => Ok((StatusCode::CREATED, Json(Registered { code }))),
        Err(RegistrationError::Store(error)) => Err(error.into()),
        Err(RegistrationError::Keys(error)) => Err(Problem::internal(&error.to_string())),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Import {
    /// Check and tell everything, write nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Imports a list: CSV, TSV, XLSX, XLS or ODS.
#[utoipa::path(post, path = "/api/v1/applications/{application}/list", tag = "applications",
    params(("application" = String, Path), Import), request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ImportOutcome)))]
pub async fn import(
    State(site): State<Arc<Site>>,
    Path(application): Path<String>,
    Query(import): Query<Import>,
    body: axum::body::Bytes,
) -> Result<Json<ImportOutcome>, Problem> {
    let codes = [application];
    let request = ImportRequest { applications: &codes, file: "the body", content: Source::from(&body[..]), dry_run: import.dry_run };
    match import_list(&site.installation, &request, &mut |_, _| ()).await {
        Ok(outcome) => Ok(Json(outcome)),
        Err(IntakeError::Store(error)) => Err(error.into()),
        Err(error @ (IntakeError::Keys(_) | IntakeError::Seal(_) | IntakeError::Stopped(_))) => Err(Problem::internal(&error.to_string())),
        Err(IntakeError::UnknownApplication(_)) => Err(Problem::not_found()),
        Err(error @ IntakeError::NotOpen(_)) => Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
    }
}

/// What moves a due day.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineChange {
    Hold,
    Release,
    Extend,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedDeadline {
    what: DeadlineChange,
    /// Days to add, for `extend`.
    #[schema(minimum = 0, maximum = 366)]
    days: Option<u32>,
    /// Why; it stays with the application.
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct StandingOf {
    dataset_due: Option<chrono::NaiveDate>,
    held_since: Option<String>,
    extended_days: u32,
}

/// Puts an application on hold, takes it up again, or adds days.
#[utoipa::path(post, path = "/api/v1/applications/{application}/deadline", tag = "applications", params(("application" = String, Path)),
    request_body = ChangedDeadline, responses((status = 200, body = StandingOf)))]
pub async fn change_deadline(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    Body(change): Body<ChangedDeadline>,
) -> Result<Json<StandingOf>, Problem> {
    let by = By { who: &caller.actor.name, reason: change.reason.trim() };
    let done = match change.what {
        DeadlineChange::Hold => changes::hold(&site.installation, &application, by).await,
        DeadlineChange::Release => changes::release(&site.installation, &application, by).await,
        DeadlineChange::Extend => changes::extend(&site.installation, &application, change.days.unwrap_or(0), by).await,
    };
    match done {
        Ok(standing) => {
            Ok(Json(StandingOf { dataset_due: standing.dataset_due, held_since: standing.held_since, extended_days: standing.extended_days }))
        }
        Err(ChangeError::UnknownApplication(_)) => Err(Problem::not_found()),
        Err(ChangeError::Store(error)) => Err(error.into()),
        Err(error @ (ChangeError::NoReason | ChangeError::Days(_))) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
        Err(error) => Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
    }
}
