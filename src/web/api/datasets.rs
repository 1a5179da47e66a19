//! `/api/v1/datasets`: versions that are written, their files, the verdict.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, authorise};
use crate::dataset::delivery;
use crate::store::datasets::{self, Dataset};
use crate::store::deliveries::{self, Verdict};
use crate::web::Site;

/// Read and sent at a time.
const PIECE: usize = 256 * 1024;

async fn described(site: &Site, dataset: &Dataset) -> Result<Value, Problem> {
    let verdict = deliveries::verdict(&mut *site.installation.store.read().await?, dataset.id).await?;
    let base = format!("{}/api/v1/datasets/{}/{}", site.installation.config.public_url, dataset.application_code, dataset.version_name());
    Ok(json!({
        "application": dataset.application_code, "kind": dataset.kind.as_str(), "version": dataset.version, "reason": dataset.reason.as_str(),
        "frozen_at": dataset.frozen_at.rfc3339(chrono_tz::UTC), "sha256": dataset.sha256, "url": base,
        "verdict": verdict.map(|verdict| json!({ "accepted": verdict.is_accepted, "reason": verdict.reason, "at": verdict.at.rfc3339(chrono_tz::UTC) })),
    }))
}

/// It is written, and was not taken away with the applicant's people.
fn is_there(dataset: &Dataset) -> bool {
    dataset.folder.as_ref().is_some_and(|folder| std::path::Path::new(folder).exists())
}

/// All versions that are written, the oldest first.
pub async fn list(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    authorise(&site, &headers)?;
    let mut all = datasets::all(&mut *site.installation.store.read().await?).await?;
    all.retain(is_there);
    all.sort_by_key(|dataset| (dataset.frozen_at, dataset.id));
    let mut shown = Vec::with_capacity(all.len());
    for dataset in &all {
        shown.push(described(&site, dataset).await?);
    }
    Ok(Json(json!({ "datasets": shown })))
}

async fn find(site: &Site, application: &str, version: &str) -> Result<Dataset, Problem> {
    let all = datasets::all(&mut *site.installation.store.read().await?).await?;
    let is_it = |dataset: &Dataset| dataset.application_code == application && dataset.version_name() == version && is_there(dataset);
    all.into_iter().find(is_it).ok_or_else(Problem::not_found)
}

/// One version with its files.
pub async fn show(
    State(site): State<Arc<Site>>,
    Path((application, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    authorise(&site, &headers)?;
    let dataset = find(&site, &application, &version).await?;
    let mut shown = described(&site, &dataset).await?;
    let mut names = Vec::new();
    let folder = dataset.folder.clone().unwrap_or_default();
    let mut entries = tokio::fs::read_dir(&folder).await.map_err(|e| Problem::internal(&format!("{folder}: {e}")))?;
    while let Some(entry) = entries.next_entry().await.map_err(|e| Problem::internal(&format!("{folder}: {e}")))? {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    shown["files"] = json!(names);
    Ok(Json(shown))
}

/// One file of a version.
pub async fn file(
    State(site): State<Arc<Site>>,
    Path((application, version, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    authorise(&site, &headers)?;
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
    Ok((fixed, Body::from_stream(pieces)).into_response())
}

/// What the scoring step says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    accepted: bool,
    #[serde(default)]
    reason: String,
    /// The SHA-256 of the `SHA256SUMS` that was received and checked.
    sha256: String,
}

/// Takes the verdict on a version. Said again, it changes nothing; another one is refused with 409.
pub async fn judge(
    State(site): State<Arc<Site>>,
    Path((application, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Json<Value>, Problem> {
    authorise(&site, &headers)?;
    let said: Said = serde_json::from_slice(&body).map_err(|e| Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {e}")))?;
    let dataset = find(&site, &application, &version).await?;
    let verdict = Verdict { is_accepted: said.accepted, reason: said.reason, who: "api".into(), at: site.installation.clock.now() };
    delivery::judge(&site.installation, &dataset, &said.sha256, &verdict).await?;
    Ok(Json(described(&site, &dataset).await?))
}
