//! `/api/v1/datasets`: versions that are written, their files, the verdict.

use std::sync::Arc;

use axum::body::Body as ResponseBody;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::work::{DONE, Done};
use super::{Body, Caller, Path, Problem, utc};
use crate::services;
use crate::services::datasets::delivery;
use crate::services::deadlines::{self, DeadlineError};
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::deliveries::{self, Verdict};
use crate::interfaces::http::state::Site;

/// Read and sent at a time.
const PIECE: usize = 256 * 1024;

/// What the scoring step has said.
#[derive(Serialize, ToSchema)]
pub struct VerdictOf {
    accepted: bool,
    reason: String,
    at: String,
}

/// A version of an application's data.
#[derive(Serialize, ToSchema)]
pub struct DatasetOf {
    application: String,
    /// final or interim.
    kind: &'static str,
    version: u32,
    /// Why it was frozen.
    reason: &'static str,
    frozen_at: String,
    /// Of its `SHA256SUMS`.
    sha256: Option<String>,
    url: String,
    verdict: Option<VerdictOf>,
}

#[derive(Serialize, ToSchema)]
pub struct Datasets {
    datasets: Vec<DatasetOf>,
}

#[derive(Serialize, ToSchema)]
pub struct DatasetWithFiles {
    #[serde(flatten)]
    dataset: DatasetOf,
    files: Vec<String>,
}

async fn described(site: &Site, dataset: &Dataset) -> Result<DatasetOf, Problem> {
    let verdict = deliveries::verdict(&mut *site.installation.store.read().await?, dataset.id).await?;
    Ok(DatasetOf {
        application: dataset.application_code.clone(),
        kind: dataset.kind.as_str(),
        version: dataset.version,
        reason: dataset.reason.as_str(),
        frozen_at: utc(dataset.frozen_at),
        sha256: dataset.sha256.clone(),
        url: format!("{}/api/v1/datasets/{}/{}", site.installation.config.public_url, dataset.application_code, dataset.version_name()),
        verdict: verdict.map(|verdict| VerdictOf { accepted: verdict.is_accepted, reason: verdict.reason, at: utc(verdict.at) }),
    })
}

/// It is written, and was not taken away with the applicant's people.
fn is_there(dataset: &Dataset) -> bool {
    dataset.folder.as_ref().is_some_and(|folder| std::path::Path::new(folder).exists())
}

/// All versions that are written, the oldest first.
#[utoipa::path(get, path = "/api/v1/datasets", tag = "datasets", responses((status = 200, body = Datasets)))]
pub async fn list(State(site): State<Arc<Site>>) -> Result<Json<Datasets>, Problem> {
    let mut all = datasets::all(&mut *site.installation.store.read().await?).await?;
    all.retain(is_there);
    all.sort_by_key(|dataset| (dataset.frozen_at, dataset.id));
    let mut shown = Vec::with_capacity(all.len());
    for dataset in &all {
        shown.push(described(&site, dataset).await?);
    }
    Ok(Json(Datasets { datasets: shown }))
}

async fn find(site: &Site, application: &str, version: &str) -> Result<Dataset, Problem> {
    let all = datasets::all(&mut *site.installation.store.read().await?).await?;
    let is_it = |dataset: &Dataset| dataset.application_code == application && dataset.version_name() == version && is_there(dataset);
    all.into_iter().find(is_it).ok_or_else(Problem::not_found)
}

/// One version with its files.
#[utoipa::path(get, path = "/api/v1/datasets/{application}/{version}", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path, description = "as its folder is named: v2, interim-3")),
    responses((status = 200, body = DatasetWithFiles)))]
pub async fn show(State(site): State<Arc<Site>>, Path((application, version)): Path<(String, String)>) -> Result<Json<DatasetWithFiles>, Problem> {
    let dataset = find(&site, &application, &version).await?;
    let shown = described(&site, &dataset).await?;
    let mut names = Vec::new();
    let folder = dataset.folder.clone().unwrap_or_default();
    let mut entries = tokio::fs::read_dir(&folder).await.map_err(|e| Problem::internal(&format!("{folder}: {e}")))?;
    while let Some(entry) = entries.next_entry().await.map_err(|e| Problem::internal(&format!("{folder}: {e}")))? {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(Json(DatasetWithFiles { dataset: shown, files: names }))
}

/// One file of a version.
#[utoipa::path(get, path = "/api/v1/datasets/{application}/{version}/files/{file}", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path), ("file" = String, Path)),
    responses((status = 200, description = "the file", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn file(State(site): State<Arc<Site>>, Path((application, version, name)): Path<(String, String, String)>) -> Result<Response, Problem> {
    let dataset = find(&site, &application, &version).await?;
    // Only a name, never a way out of the folder.
    if name.starts_with('.') || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(Problem::not_found());
    }
    let path = std::path::Path::new(&dataset.folder.clone().unwrap_or_default()).join(&name);
    let file = tokio::fs::File::open(&path).await.map_err(|_| Problem::not_found())?;
    let length = file.metadata().await.map_err(|e| Problem::internal(&e.to_string()))?.len();
    let kind = match name.rsplit('.').next() {
        Some("csv") => "text/csv; charset=utf-8",
        Some("json") => "application/json",
        Some("html") => "text/html; charset=utf-8",
        Some("xml") => "application/xml",
        _ => "application/octet-stream",
    };
    let pieces = futures_util::stream::unfold(file, async |mut file| {
        use tokio::io::AsyncReadExt;
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(piece), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    let attachment = format!("attachment; filename=\"{name}\"");
    let fixed = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_LENGTH, length.to_string()), (header::CONTENT_DISPOSITION, attachment)];
    Ok((fixed, ResponseBody::from_stream(pieces)).into_response())
}

/// What the scoring step says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Said {
    accepted: bool,
    #[serde(default)]
    reason: String,
    /// The SHA-256 of the `SHA256SUMS` that was received and checked.
    sha256: String,
}

/// Takes the verdict on a version. Said again, it changes nothing; another one is refused with 409.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/verdict", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)), request_body = Said, responses((status = 200, body = DatasetOf)))]
pub async fn judge(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path((application, version)): Path<(String, String)>,
    Body(said): Body<Said>,
) -> Result<Json<DatasetOf>, Problem> {
    let dataset = find(&site, &application, &version).await?;
    let verdict = Verdict { is_accepted: said.accepted, reason: said.reason, who: caller.actor.name, at: site.installation.clock.now() };
    delivery::judge(&site.installation, &dataset, &said.sha256, &verdict).await?;
    Ok(Json(described(&site, &dataset).await?))
}

/// Hands a version over once more, by every way that is set up.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/deliver", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)), responses((status = 200, body = Done)))]
pub async fn deliver(State(site): State<Arc<Site>>, Path((application, version)): Path<(String, String)>) -> Result<Json<Done>, Problem> {
    delivery::deliver_again(&site.installation, &find(&site, &application, &version).await?).await?;
    Ok(DONE)
}

/// An open answer of a version that waits for its reader.
#[derive(Serialize, ToSchema)]
pub struct OpenAnswerOf {
    /// Counted from 1; `strike` names it.
    number: usize,
    /// The case's pseudonym.
    case: String,
    item: String,
    text: String,
}

#[derive(Serialize, ToSchema)]
pub struct ToRead {
    items: Vec<OpenAnswerOf>,
}

/// The open answers of a version that waits. That they were read is in the audit log.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/review", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = ToRead)))]
pub async fn review(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Json<ToRead>, Problem> {
    let (_, answers) = services::datasets::to_review(&site.installation, &application, Some(&version), &caller.actor).await?;
    let of = |answer: services::datasets::OpenAnswer| OpenAnswerOf { number: answer.number, case: answer.case, item: answer.variable, text: answer.text };
    Ok(Json(ToRead { items: answers.into_iter().map(of).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The numbers of the answers to leave out.
    #[serde(default)]
    strike: Vec<usize>,
}

/// Lets a version that was read go out.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/{version}/release", tag = "datasets",
    params(("application" = String, Path), ("version" = String, Path)), request_body = Released, responses((status = 200, body = Done)))]
pub async fn release(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path((application, version)): Path<(String, String)>,
    Body(released): Body<Released>,
) -> Result<Json<Done>, Problem> {
    let strike = released.strike.into_iter().collect();
    services::datasets::release(&site.installation, &application, Some(&version), &strike, &caller.actor).await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct FrozenOf {
    /// final or interim.
    kind: &'static str,
    version: u32,
}

/// Freezes how a field stands on the way, or a further version of one that is closed, where something has changed since the last.
#[utoipa::path(post, path = "/api/v1/datasets/{application}/freeze", tag = "datasets", params(("application" = String, Path)),
    responses((status = 201, body = FrozenOf)))]
pub async fn freeze(State(site): State<Arc<Site>>, Path(application): Path<String>) -> Result<(StatusCode, Json<FrozenOf>), Problem> {
    match deadlines::freeze_as_it_stands(&site.installation, &application).await {
        Ok((kind, version)) => Ok((StatusCode::CREATED, Json(FrozenOf { kind: kind.as_str(), version }))),
        Err(DeadlineError::UnknownApplication(_)) => Err(Problem::not_found()),
        Err(error @ (DeadlineError::NothingNew { .. } | DeadlineError::NothingToFreeze(_))) => Err(Problem::conflict(error.to_string())),
        Err(error) => Err(Problem::internal(&error.to_string())),
    }
}

#[derive(Serialize, ToSchema)]
pub struct DeliveryOf {
    application: String,
    kind: String,
    version: u32,
    /// folder, s3 or webhook.
    way: &'static str,
    arrived_at: Option<String>,
    /// When it is tried again; null with `arrived_at` null: it was given up.
    next_at: Option<String>,
    tries: u32,
    problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    items: Vec<DeliveryOf>,
}

/// Where versions went.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "datasets", responses((status = 200, body = Deliveries)))]
pub async fn deliveries(State(site): State<Arc<Site>>) -> Result<Json<Deliveries>, Problem> {
    let all = deliveries::all(&mut *site.installation.store.read().await?).await?;
    let of = |delivery: deliveries::Delivery| DeliveryOf {
        application: delivery.application_code,
        kind: delivery.kind,
        version: delivery.version,
        way: delivery.way.as_str(),
        arrived_at: delivery.arrived_at.map(utc),
        next_at: delivery.next_at.map(utc),
        tries: delivery.tries,
        problem: delivery.problem,
    };
    Ok(Json(Deliveries { items: all.into_iter().map(of).collect() }))
}
