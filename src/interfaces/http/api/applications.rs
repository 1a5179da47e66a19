//! Applications and their lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Caller, Path, Problem, Query, utc};
use crate::services::deadlines::changes::{self, By, ChangeError};
use crate::services::deadlines::{Overview, overview};
use crate::domain::category::Category;
use crate::services::list_import::{ImportOutcome, ImportRequest, IntakeError, Source, import_list};
use crate::services::programmes::{NewApplication as Declared, add_application};
use crate::adapters::database::{application_events, applications, programmes};
use crate::interfaces::http::state::Site;

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
    let code = add_application(&site.installation, declared).await?;
    Ok((StatusCode::CREATED, Json(Registered { code })))
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
        Err(error @ IntakeError::NotOpen(_)) => Err(Problem::conflict(error.to_string())),
        Err(error) => Err(Problem::wrong(error.to_string())),
    }
}

#[derive(Serialize, ToSchema)]
pub struct HappenedOf {
    at: String,
    /// fee_settled, launched, held, released, extended or closed.
    what: &'static str,
    days: Option<u32>,
    reason: String,
    who: String,
}

#[derive(Serialize, ToSchema)]
pub struct ApplicationOf {
    #[serde(flatten)]
    standing: Overview,
    category: &'static str,
    /// What respondents are asked about.
    subject: String,
    /// Names on its list, and sample, at most.
    cap: u32,
    fee_settled_at: Option<String>,
    /// In the order in which it happened.
    history: Vec<HappenedOf>,
}

/// One application, with what has happened to it.
#[utoipa::path(get, path = "/api/v1/applications/{application}", tag = "applications", params(("application" = String, Path)),
    responses((status = 200, body = ApplicationOf)))]
pub async fn show(State(site): State<Arc<Site>>, Path(application): Path<String>) -> Result<Json<ApplicationOf>, Problem> {
    let mut connection = site.installation.store.read().await?;
    let of = applications::find(&mut connection, &application).await?.ok_or_else(Problem::not_found)?;
    let programme = programmes::get(&mut connection, of.programme_id).await?;
    let history = application_events::of_application(&mut connection, of.id).await?;
    drop(connection);
    let all = overview(&site.installation, &programme.code).await?.unwrap_or_default();
    let standing = all.into_iter().find(|other| other.application == application).ok_or_else(Problem::not_found)?;
    let happened = |event: application_events::HappenedTo| HappenedOf {
        at: utc(event.at),
        what: event.what.as_str(),
        days: event.days,
        reason: event.reason,
        who: event.who,
    };
    Ok(Json(ApplicationOf {
        standing,
        category: of.category.as_str(),
        subject: of.subject.title(),
        cap: programme.cap(of.category),
        fee_settled_at: of.fee_settled_at.map(utc),
        history: history.into_iter().map(happened).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    settled: chrono::NaiveDate,
}

/// Writes down when the survey fee was settled.
#[utoipa::path(put, path = "/api/v1/applications/{application}/fee", tag = "applications", params(("application" = String, Path)),
    request_body = Fee, responses((status = 200, body = StandingOf)))]
pub async fn settle_fee(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    Body(fee): Body<Fee>,
) -> Result<Json<StandingOf>, Problem> {
    Ok(Json(changes::settle_fee(&site.installation, &application, fee.settled, &caller.actor.name).await?.into()))
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
    Ok(Json(done?.into()))
}

impl From<changes::Standing> for StandingOf {
    fn from(standing: changes::Standing) -> StandingOf {
        StandingOf { dataset_due: standing.dataset_due, held_since: standing.held_since, extended_days: standing.extended_days }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Problem {
        match error {
            ChangeError::UnknownApplication(_) => Problem::not_found(),
            ChangeError::Store(error) => error.into(),
            ChangeError::NoReason | ChangeError::Days(_) => Problem::wrong(error.to_string()),
            error => Problem::conflict(error.to_string()),
        }
    }
}
