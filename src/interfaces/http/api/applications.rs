//! Applications and their respondent lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Caller, Path, Problem, Query, format_utc};
use crate::adapters::database::{application_events, applications, programmes};
use crate::domain::category::Category;
use crate::interfaces::http::state::AppState;
use crate::services::deadlines::changes::{self, ChangeError, ChangedBy};
use crate::services::deadlines::{ApplicationOverview, programme_overview};
use crate::services::list_import::{
    ImportOutcome, ImportRequest, ListImportError, ListOptions, ListSource, Selection, import_list,
};
use crate::services::programmes::{NewApplication as Declared, add_application};

#[derive(Serialize, ToSchema)]
pub struct Applications {
    /// Those most at risk first.
    items: Vec<ApplicationOverview>,
}

/// Lists the applications of a programme.
#[utoipa::path(get, path = "/api/v1/programmes/{programme}/applications", tag = "applications",
    params(("programme" = String, Path)), responses((status = 200, body = Applications)))]
pub async fn of_programme(
    State(app): State<Arc<AppState>>,
    Path(programme): Path<String>,
) -> Result<Json<Applications>, Problem> {
    let items =
        programme_overview(&app.context, &programme).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(Applications { items }))
}

/// An application to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApplication {
    programme: String,
    /// Letters, digits, `-` and `_`.
    #[schema(min_length = 1, max_length = 40, pattern = "^[A-Za-z0-9_-]+$")]
    code: String,
    applicant_code: String,
    applicant_name: String,
    /// The applicant has this code already, under another name, which this one replaces; without it,
    /// another name is refused.
    #[serde(default)]
    rename: bool,
    #[schema(value_type = String, pattern = "^(organisation|brand|product|project|service)$")]
    category: Category,
    /// The fields that the category requires: `{"brand": "…"}`.
    subject: BTreeMap<String, String>,
    /// Completes wanted; the category's rule if omitted.
    #[schema(minimum = 1)]
    target: Option<u32>,
    /// The title that the applicant asks for.
    #[serde(default)]
    requested_title: String,
    /// Whether the applicant agrees that the result is made public.
    #[serde(default)]
    may_publish: Option<bool>,
    /// Whom to ask: `contact` (the name), `mobile`, `phone`, `email`, `address`. It is kept sealed
    /// and never returned.
    #[serde(default)]
    contact: BTreeMap<String, String>,
}

#[derive(Serialize, ToSchema)]
pub struct RegisteredResponse {
    code: String,
}

/// Registers an application.
#[utoipa::path(post, path = "/api/v1/applications", tag = "applications", request_body = NewApplication,
    responses((status = 201, body = RegisteredResponse)))]
pub async fn register(
    State(app): State<Arc<AppState>>,
    Body(new): Body<NewApplication>,
) -> Result<(StatusCode, Json<RegisteredResponse>), Problem> {
    let declared = Declared {
        programme: &new.programme,
        code: &new.code,
        applicant_code: &new.applicant_code,
        applicant_name: &new.applicant_name,
        rename: new.rename,
        category: new.category.as_str(),
        subject: new.subject,
        target: new.target,
        requested_title: new.requested_title,
        may_publish: new.may_publish,
        contact: new.contact,
    };
    let code = add_application(&app.context, declared).await?;
    Ok((StatusCode::CREATED, Json(RegisteredResponse { code })))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportParams {
    /// Check and report everything, write nothing.
    #[serde(default)]
    dry_run: bool,
    /// The sheet with the list, by its name or its number; if omitted, those with people.
    sheet: Option<String>,
    /// The encoding of a text; if omitted, it is found.
    encoding: Option<String>,
    /// The number of the row that names the columns; if omitted, it is found.
    header_row: Option<u32>,
    /// Where columns stand, separated by commas: `mobile=3,name=B`.
    #[serde(default)]
    columns: String,
    /// Rows to leave out: `3,8,10-20`.
    #[serde(default)]
    leave_out: String,
    /// Where there are more names than the category allows, draw at random as many as it does.
    #[serde(default)]
    draw: bool,
    /// The seed of the draw; if omitted, it comes from the file.
    seed: Option<u32>,
}

/// Imports a list: CSV, TSV, XLSX, XLS, ODS, a Word document or a web page with tables.
#[utoipa::path(post, path = "/api/v1/applications/{application}/list", tag = "applications",
    params(("application" = String, Path), ImportParams), request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ImportOutcome)))]
pub async fn import(
    State(app): State<Arc<AppState>>,
    Path(application): Path<String>,
    Query(import): Query<ImportParams>,
    body: axum::body::Bytes,
) -> Result<Json<ImportOutcome>, Problem> {
    let codes = [application];
    let columns: Vec<String> = import.columns.split(',').map(str::to_owned).collect();
    let options = ListOptions::parse(
        import.encoding.as_deref(),
        import.sheet.as_deref(),
        import.header_row,
        &columns,
    )
    .map_err(|error| Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error))?;
    let selection = Selection::parse(&import.leave_out, import.draw, import.seed)
        .map_err(|error| Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error))?;
    let request = ImportRequest {
        options,
        selection,
        dry_run: import.dry_run,
        ..ImportRequest::of(&codes, "the body", ListSource::from(&body[..]))
    };
    match import_list(&app.context, &request, &mut |_, _| ()).await {
        Ok(outcome) => Ok(Json(outcome)),
        Err(ListImportError::Database(error)) => Err(error.into()),
        Err(
            error @ (ListImportError::Keys(_)
            | ListImportError::Seal(_)
            | ListImportError::Stopped(_)),
        ) => Err(Problem::internal(&error.to_string())),
        Err(ListImportError::UnknownApplication(_)) => Err(Problem::not_found()),
        Err(error @ ListImportError::NotOpen(_)) => {
            Err(Problem::from_error(StatusCode::CONFLICT, &error))
        }
        Err(error) => Err(Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)),
    }
}

#[derive(Serialize, ToSchema)]
pub struct ApplicationEventResponse {
    at: String,
    /// fee_settled, launched, held, released, extended or closed.
    kind: &'static str,
    days: Option<u32>,
    reason: String,
    actor: String,
}

#[derive(Serialize, ToSchema)]
pub struct ApplicationResponse {
    #[serde(flatten)]
    overview: ApplicationOverview,
    category: &'static str,
    /// What respondents rate.
    subject: String,
    /// Maximum number of names on its list and in its sample.
    cap: u32,
    fee_settled_at: Option<String>,
    /// The title that the applicant asks for; empty: none is named.
    requested_title: String,
    /// Whether the applicant agrees that the result is made public; null: it does not say.
    may_publish: Option<bool>,
    /// The oldest event first.
    history: Vec<ApplicationEventResponse>,
}

/// Returns one application with its history.
#[utoipa::path(get, path = "/api/v1/applications/{application}", tag = "applications", params(("application" = String, Path)),
    responses((status = 200, body = ApplicationResponse)))]
pub async fn show(
    State(app): State<Arc<AppState>>,
    Path(application): Path<String>,
) -> Result<Json<ApplicationResponse>, Problem> {
    let mut connection = app.context.database.read().await?;
    let stored =
        applications::find(&mut connection, &application).await?.ok_or_else(Problem::not_found)?;
    let programme = programmes::get(&mut connection, stored.programme_id).await?;
    let history = application_events::of_application(&mut connection, stored.id).await?;
    drop(connection);
    let all = programme_overview(&app.context, &programme.code).await?.unwrap_or_default();
    let overview = all
        .into_iter()
        .find(|other| other.application == application)
        .ok_or_else(Problem::not_found)?;
    let event_response = |event: application_events::ApplicationEvent| ApplicationEventResponse {
        at: format_utc(event.at),
        kind: event.kind.as_str(),
        days: event.days,
        reason: event.reason,
        actor: event.actor,
    };
    Ok(Json(ApplicationResponse {
        overview,
        category: stored.category.as_str(),
        subject: stored.subject.title(),
        cap: programme.cap(stored.category),
        requested_title: stored.requested_title,
        may_publish: stored.may_publish,
        fee_settled_at: stored.fee_settled_at.map(format_utc),
        history: history.into_iter().map(event_response).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeeRequest {
    settled: chrono::NaiveDate,
}

/// Records when the survey fee was settled.
#[utoipa::path(put, path = "/api/v1/applications/{application}/fee", tag = "applications", params(("application" = String, Path)),
    request_body = FeeRequest, responses((status = 200, body = DeadlineResponse)))]
pub async fn settle_fee(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    Body(fee): Body<FeeRequest>,
) -> Result<Json<DeadlineResponse>, Problem> {
    Ok(Json(
        changes::settle_fee(&app.context, &application, fee.settled, &caller.actor.name)
            .await?
            .into(),
    ))
}

/// A change of the due days.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineChange {
    Hold,
    Release,
    Extend,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadlineChangeRequest {
    action: DeadlineChange,
    /// Days to add, for `extend`.
    #[schema(minimum = 0, maximum = 366)]
    days: Option<u32>,
    /// The reason; it is stored with the application.
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct DeadlineResponse {
    dataset_due: Option<chrono::NaiveDate>,
    held_since: Option<String>,
    extended_days: u32,
}

/// Holds, releases or extends an application.
#[utoipa::path(post, path = "/api/v1/applications/{application}/deadline", tag = "applications", params(("application" = String, Path)),
    request_body = DeadlineChangeRequest, responses((status = 200, body = DeadlineResponse)))]
pub async fn change_deadline(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    Body(change): Body<DeadlineChangeRequest>,
) -> Result<Json<DeadlineResponse>, Problem> {
    let by = ChangedBy { actor: &caller.actor.name, reason: change.reason.trim() };
    let done = match change.action {
        DeadlineChange::Hold => changes::hold(&app.context, &application, by).await,
        DeadlineChange::Release => changes::release(&app.context, &application, by).await,
        DeadlineChange::Extend => {
            changes::extend(&app.context, &application, change.days.unwrap_or(0), by).await
        }
    };
    Ok(Json(done?.into()))
}

impl From<changes::DeadlineStatus> for DeadlineResponse {
    fn from(status: changes::DeadlineStatus) -> DeadlineResponse {
        DeadlineResponse {
            dataset_due: status.dataset_due,
            held_since: status.held_since,
            extended_days: status.extended_days,
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Problem {
        match error {
            ChangeError::UnknownApplication(_) => Problem::not_found(),
            ChangeError::Database(error) => error.into(),
            ChangeError::NoReason | ChangeError::Days(_) => {
                Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)
            }
            error => Problem::from_error(StatusCode::CONFLICT, &error),
        }
    }
}
