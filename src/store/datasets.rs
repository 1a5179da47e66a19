//! Datasets: which versions of an application's data were frozen, and where they were written.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::ids::ApplicationId;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Dataset {
    pub application: ApplicationId,
    pub application_code: String,
    pub version: u32,
    pub frozen_at: Timestamp,
    /// Where it was written; `None` while that is still to be done.
    pub folder: Option<String>,
    /// The SHA-256 of its `SHA256SUMS`.
    pub sha256: Option<String>,
}

/// Notes that an application's data is frozen; the folder is written after that, and again if the daemon dies in between.
pub async fn freeze(tx: &mut AnyConnection, application: ApplicationId, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO dataset (application_id, version, frozen_at) VALUES ($1, 1, $2) ON CONFLICT (application_id, version) DO NOTHING";
    sqlx::query(sql).bind(application.0).bind(now.0).execute(tx).await?;
    Ok(())
}

pub async fn set_written(tx: &mut AnyConnection, dataset: &Dataset, folder: &str, sha256: &str) -> Result<()> {
    let sql = "UPDATE dataset SET folder = $3, sha256 = $4 WHERE application_id = $1 AND version = $2";
    sqlx::query(sql).bind(dataset.application.0).bind(i64::from(dataset.version)).bind(folder.to_owned()).bind(sha256.to_owned()).execute(tx).await?;
    Ok(())
}

pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Dataset>> {
    let sql = "SELECT d.application_id, a.code, d.version, d.frozen_at, d.folder, d.sha256
               FROM dataset d JOIN application a ON a.id = d.application_id ORDER BY a.code, d.version";
    type DatasetRow = (i64, String, i64, i64, Option<String>, Option<String>);
    let rows: Vec<DatasetRow> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(application, application_code, version, frozen_at, folder, sha256)| Dataset {
            application: ApplicationId(application),
            application_code,
            version: u32::try_from(version).unwrap_or(0),
            frozen_at: Timestamp(frozen_at),
            folder,
            sha256,
        })
        .collect())
}
