//! `/api/v1/datasets`: written versions, their files, review, release and the scoring step's
//! verdict.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pending_work::{DONE, Done};
use super::{Body, Caller, Path, Problem, format_utc};
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::deliveries::{self, Verdict};
use crate::interfaces::http::download;
use crate::interfaces::http::state::AppState;
use crate::services;
use crate::services::datasets::delivery;
use crate::services::deadlines::{self, DeadlineError};

/// The verdict of the scoring step.
#[derive(Clone, Serialize, ToSchema)]
pub struct VerdictResponse {
    accepted: bool,
    reason: String,
    at: String,
}

/// A version of an application's dataset.
#[derive(Clone, Serialize, ToSchema)]
pub struct DatasetResponse {
    application: String,
    /// final or interim.
    kind: &'static str,
    version: u32,
    /// Why it was frozen.
    reason: &'static str,
    frozen_at: String,
    /// SHA-256 of its `SHA256SUMS`.
    sha256: Option<String>,
    url: String,
    verdict: Option<VerdictResponse>,
}

#[derive(Serialize, ToSchema)]
pub struct Datasets {
    items: Vec<DatasetResponse>,
    /// The same as `items`, which replaces it; the next version drops it.
    #[schema(deprecated)]
    datasets: Vec<DatasetResponse>,
}

#[derive(Serialize, ToSchema)]
pub struct DatasetWithFiles {
    #[serde(flatten)]
    dataset: DatasetResponse,
    files: Vec<String>,
}

async fn dataset_response(app: &AppState, dataset: &Dataset) -> Result<DatasetResponse, Problem> {
    let verdict = deliveries::verdict(&mut *app.context.database.read().await?, dataset.id).await?;
    Ok(DatasetResponse {
        application: dataset.application_code.clone(),
        kind: dataset.kind.as_str(),
        version: dataset.version,
        reason: dataset.reason.as_str(),
        frozen_at: format_utc(dataset.frozen_at),
        sha256: dataset.sha256.clone(),
        url: format!(
            "{}/api/v1/datasets/{}/{}",
            app.context.config.public_url,
            dataset.application_code,
            dataset.version_name()
        ),
        verdict: verdict.map(|verdict| VerdictResponse {
            accepted: verdict.is_accepted,
            reason: verdict.reason,
            at: format_utc(verdict.at),
        }),
    })
}

/// Returns whether the version is written and was not removed when the applicant's data was erased.
fn is_on_disk(dataset: &Dataset) -> bool {
    dataset.folder.as_ref().is_some_and(|folder| std::path::Path::new(folder).exists())
}

/// Lists all written versions, the oldest first.
#[utoipa::path(get, path = "/api/v1/datasets", tag = "datasets", responses((status = 200, body = Datasets)))]
pub async fn list(State(app): State<Arc<AppState>>) -> Result<Json<Datasets>, Problem> {
    let mut all = datasets::all(&mut *app.context.database.read().await?).await?;
    all.retain(is_on_disk);
    all.sort_by_key(|dataset| (dataset.frozen_at, dataset.id));
    let mut responses = Vec::with_capacity(all.len());
    for dataset in &all {
        responses.push(dataset_response(&app, dataset).await?);
    }
    Ok(Json(Datasets { items: responses.clone(), datasets: responses }))
}

async fn find(app: &AppState, application: &str, version: &str) -> Result<Dataset, Problem> {
    let all = datasets::all(&mut *app.context.database.read().await?).await?;
    let is_requested = |dataset: &Dataset| {
        dataset.application_code == application
            && dataset.version_name() == version
            && is_on_disk(dataset)
    };
    all.into_iter().find(is_requested).ok_or_else(Problem::not_found)
}

/// Returns one version with its files.
#[utoipa::path(get, path = "/api/v1/datasets/{application}/{version}", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path, description = "as its folder is named: v2, interim-3")),
    responses((status = 200, body = DatasetWithFiles)))]
pub async fn show(
    State(app): State<Arc<AppState>>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Json<DatasetWithFiles>, Problem> {
    let dataset = find(&app, &application, &version).await?;
    let response = dataset_response(&app, &dataset).await?;
    let mut names = Vec::new();
    let folder = dataset.folder.clone().unwrap_or_default();
    let mut entries = tokio::fs::read_dir(&folder)
        .await
        .map_err(|e| Problem::internal(&format!("{folder}: {e}")))?;
    while let Some(entry) =
        entries.next_entry().await.map_err(|e| Problem::internal(&format!("{folder}: {e}")))?
    {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(Json(DatasetWithFiles { dataset: response, files: names }))
}

/// Returns one file of a version.
#[utoipa::path(get, path = "/api/v1/datasets/{application}/{version}/files/{file}", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path), ("file" = String, Path)),
    responses((status = 200, description = "the file", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn file(
    State(app): State<Arc<AppState>>,
    Path((application, version, name)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let dataset = find(&app, &application, &version).await?;
    if !download::is_plain_name(&name) {
        return Err(Problem::not_found());
    }
    let path = std::path::Path::new(&dataset.folder.clone().unwrap_or_default()).join(&name);
    download::file(&path, &name).await.map_err(|_| Problem::not_found())
}

/// A verdict of the scoring step.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictRequest {
    accepted: bool,
    #[serde(default)]
    reason: String,
    /// SHA-256 of the `SHA256SUMS` that was received and checked.
    sha256: String,
}

/// Records the verdict on a version. Repeating it changes nothing; a different verdict is refused
/// with 409.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/verdict", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)), request_body = VerdictRequest, responses((status = 200, body = DatasetResponse)))]
pub async fn record_verdict(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path((application, version)): Path<(String, String)>,
    Body(request): Body<VerdictRequest>,
) -> Result<Json<DatasetResponse>, Problem> {
    let dataset = find(&app, &application, &version).await?;
    let verdict = Verdict {
        is_accepted: request.accepted,
        reason: request.reason,
        actor: caller.actor.name,
        at: app.context.clock.now(),
    };
    delivery::record_verdict(&app.context, &dataset, &request.sha256, &verdict).await?;
    Ok(Json(dataset_response(&app, &dataset).await?))
}

/// Delivers a version again, through every configured channel.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/deliver", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)), responses((status = 200, body = Done)))]
pub async fn deliver(
    State(app): State<Arc<AppState>>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Json<Done>, Problem> {
    delivery::deliver_again(&app.context, &find(&app, &application, &version).await?).await?;
    Ok(DONE)
}

/// An open answer of a version that awaits review.
#[derive(Serialize, ToSchema)]
pub struct OpenAnswerResponse {
    /// Number of the answer, from 1, for `redact`.
    number: usize,
    /// Pseudonym of the case.
    case: String,
    variable: String,
    text: String,
}

#[derive(Serialize, ToSchema)]
pub struct OpenAnswersResponse {
    items: Vec<OpenAnswerResponse>,
}

/// Returns the open answers of a version that awaits review. The audit log records the request.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/review", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = OpenAnswersResponse)))]
pub async fn review(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Json<OpenAnswersResponse>, Problem> {
    let (_, answers) = services::datasets::load_for_review(
        &app.context,
        &application,
        Some(&version),
        &caller.actor,
    )
    .await?;
    let to_response = |answer: services::datasets::OpenAnswer| OpenAnswerResponse {
        number: answer.number,
        case: answer.case,
        variable: answer.variable,
        text: answer.text,
    };
    Ok(Json(OpenAnswersResponse { items: answers.into_iter().map(to_response).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// Numbers of the answers to leave out.
    #[serde(default)]
    redact: Vec<usize>,
}

/// Releases a reviewed version.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/release", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)), request_body = ReleaseRequest, responses((status = 200, body = Done)))]
pub async fn release(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path((application, version)): Path<(String, String)>,
    Body(request): Body<ReleaseRequest>,
) -> Result<Json<Done>, Problem> {
    let redacted = request.redact.into_iter().collect();
    services::datasets::release(
        &app.context,
        &application,
        Some(&version),
        &redacted,
        &caller.actor,
    )
    .await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct FrozenVersionResponse {
    /// final or interim.
    kind: &'static str,
    version: u32,
}

/// Freezes an interim version of an open field, or a further version of a closed field if anything
/// has changed since the last.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/freeze", tag = "datasets", params(("application" = String, Path)),
    responses((status = 201, body = FrozenVersionResponse)))]
pub async fn freeze(
    State(app): State<Arc<AppState>>,
    Path(application): Path<String>,
) -> Result<(StatusCode, Json<FrozenVersionResponse>), Problem> {
    match deadlines::freeze_current_answers(&app.context, &application).await {
        Ok((kind, version)) => {
            Ok((StatusCode::CREATED, Json(FrozenVersionResponse { kind: kind.as_str(), version })))
        }
        Err(DeadlineError::UnknownApplication(_)) => Err(Problem::not_found()),
        Err(error @ (DeadlineError::NothingNew { .. } | DeadlineError::NothingToFreeze(_))) => {
            Err(Problem::from_error(StatusCode::CONFLICT, &error))
        }
        Err(error) => Err(Problem::internal(&error.to_string())),
    }
}

#[derive(Serialize, ToSchema)]
pub struct DeliveryResponse {
    application: String,
    kind: String,
    version: u32,
    /// folder, s3 or webhook.
    channel: &'static str,
    arrived_at: Option<String>,
    /// Time of the next attempt. Null if it has arrived, or has failed for good.
    next_at: Option<String>,
    attempt_count: u32,
    last_error: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    items: Vec<DeliveryResponse>,
}

/// Lists deliveries of versions.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "datasets", responses((status = 200, body = Deliveries)))]
pub async fn deliveries(State(app): State<Arc<AppState>>) -> Result<Json<Deliveries>, Problem> {
    let all = deliveries::all(&mut *app.context.database.read().await?).await?;
    let to_response = |delivery: deliveries::Delivery| DeliveryResponse {
        application: delivery.application_code,
        kind: delivery.kind,
        version: delivery.version,
        channel: delivery.channel.as_str(),
        arrived_at: delivery.arrived_at.map(format_utc),
        next_at: delivery.next_at.map(format_utc),
        attempt_count: delivery.attempt_count,
        last_error: delivery.last_error,
    };
    Ok(Json(Deliveries { items: all.into_iter().map(to_response).collect() }))
}
