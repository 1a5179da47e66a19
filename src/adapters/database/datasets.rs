//! Datasets: the frozen versions of an application's data, their contents and their folders.

use serde_json::json;
use sqlx::AnyConnection;

use super::dialect::statement;
use super::{Result, decode_enum, events};
use crate::domain::event::EventKind;
use crate::domain::ids::{ApplicationId, ProgrammeId};
use crate::domain::time::Timestamp;

/// Final version, or interim version during the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    Final,
    Interim,
}

impl DatasetKind {
    pub fn as_str(self) -> &'static str {
        match self {
            DatasetKind::Final => "final",
            DatasetKind::Interim => "interim",
        }
    }

    fn parse(raw: &str) -> Option<DatasetKind> {
        [DatasetKind::Final, DatasetKind::Interim].into_iter().find(|kind| kind.as_str() == raw)
    }
}

/// The reason for which a version was frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeReason {
    /// The field closed.
    Closed,
    /// Late answers were to be included.
    LateAnswers,
    /// A respondent withdrew the consent.
    Withdrawal,
    /// The scoring step rejected the previous version.
    Rejected,
    /// Staff accepted or excluded responses.
    Reviewed,
    /// An interim delivery was due or requested.
    Interim,
}

impl FreezeReason {
    pub fn as_str(self) -> &'static str {
        match self {
            FreezeReason::Closed => "closed",
            FreezeReason::LateAnswers => "late_answers",
            FreezeReason::Withdrawal => "withdrawal",
            FreezeReason::Rejected => "rejected",
            FreezeReason::Reviewed => "reviewed",
            FreezeReason::Interim => "interim",
        }
    }

    fn parse(raw: &str) -> Option<FreezeReason> {
        let all = [
            FreezeReason::Closed,
            FreezeReason::LateAnswers,
            FreezeReason::Withdrawal,
            FreezeReason::Rejected,
            FreezeReason::Reviewed,
            FreezeReason::Interim,
        ];
        all.into_iter().find(|reason| reason.as_str() == raw)
    }
}

#[derive(Debug, Clone)]
pub struct Dataset {
    pub id: i64,
    pub application: ApplicationId,
    pub application_code: String,
    pub kind: DatasetKind,
    pub version: u32,
    pub frozen_at: Timestamp,
    pub reason: FreezeReason,
    /// Number of cases whose consent was withdrawn before the freeze.
    pub withdrawn: u64,
    /// `None` while its open answers await review.
    pub released_at: Option<Timestamp>,
    /// The folder it was written to; `None` until it is written.
    pub folder: Option<String>,
    /// SHA-256 of its `SHA256SUMS` file.
    pub sha256: Option<String>,
}

impl Dataset {
    /// The name used in folders and addresses: `v2`, `interim-3`.
    pub fn version_name(&self) -> String {
        match self.kind {
            DatasetKind::Final => format!("v{}", self.version),
            DatasetKind::Interim => format!("interim-{}", self.version),
        }
    }
}

type Row =
    (i64, i64, String, String, i64, i64, String, i64, Option<i64>, Option<String>, Option<String>);
const SELECT: &str = "SELECT d.id, d.application_id, a.code, d.kind, d.version, d.frozen_at, \
    d.reason, d.withdrawn, d.released_at, d.folder, d.sha256
                      FROM dataset d JOIN application a ON a.id = d.application_id WHERE \
                      d.metadata IS NOT NULL";

fn read(
    (
        id,
        application,
        application_code,
        kind,
        version,
        frozen_at,
        reason,
        withdrawn,
        released_at,
        folder,
        sha256,
    ): Row,
) -> Result<Dataset> {
    Ok(Dataset {
        id,
        application: ApplicationId(application),
        application_code,
        kind: decode_enum("a kind of dataset", &kind, DatasetKind::parse)?,
        version: u32::try_from(version).unwrap_or(0),
        frozen_at: Timestamp(frozen_at),
        reason: decode_enum("a reason", &reason, FreezeReason::parse)?,
        withdrawn: u64::try_from(withdrawn).unwrap_or(0),
        released_at: released_at.map(Timestamp),
        folder,
        sha256,
    })
}

/// Begins the next version of an application's dataset. Rows can be added until [`finalise`] in the
/// same transaction.
pub async fn begin(
    tx: &mut AnyConnection,
    application: ApplicationId,
    kind: DatasetKind,
    reason: FreezeReason,
    withdrawn: u64,
    now: Timestamp,
) -> Result<(i64, u32)> {
    let sql = "INSERT INTO dataset (application_id, kind, version, frozen_at, reason, withdrawn)
               SELECT $1, $2, COALESCE(MAX(version), 0) + 1, $3, $4, $5 FROM dataset WHERE \
               application_id = $1 AND kind = $2
               RETURNING id, version";
    let (id, version): (i64, i64) = sqlx::query_as(sql)
        .bind(application.0)
        .bind(kind.as_str())
        .bind(now.0)
        .bind(reason.as_str())
        .bind(i64::try_from(withdrawn).unwrap_or(i64::MAX))
        .fetch_one(tx)
        .await?;
    Ok((id, u32::try_from(version).unwrap_or(0)))
}

/// Adds rows to a version that is being frozen: `cells` in plain text, `sealed` for the others.
pub async fn add_block(
    tx: &mut AnyConnection,
    dataset: i64,
    table_name: &'static str,
    number: u32,
    cells: Vec<u8>,
    sealed: Option<Vec<u8>>,
) -> Result<()> {
    let sql = "INSERT INTO frozen_block (dataset_id, table_name, number, plain_cells, \
        sealed_cells) VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(sql)
        .bind(dataset)
        .bind(table_name)
        .bind(i64::from(number))
        .bind(cells)
        .bind(sealed)
        .execute(tx)
        .await?;
    Ok(())
}

/// Completes a version; from now on the database refuses any change. `released` means that it may
/// be delivered at once.
pub async fn finalise(
    tx: &mut AnyConnection,
    dataset: i64,
    metadata: &str,
    released: Option<Timestamp>,
) -> Result<()> {
    let sql = "UPDATE dataset SET metadata = $2, released_at = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(dataset)
        .bind(metadata.to_owned())
        .bind(released.map(|at| at.0))
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns a block of a version's rows as stored by [`add_block`].
pub async fn frozen_block(
    connection: &mut AnyConnection,
    dataset: i64,
    table_name: &'static str,
    number: u32,
) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>> {
    let sql = "SELECT plain_cells, sealed_cells FROM frozen_block WHERE dataset_id = $1 AND \
        table_name = $2 AND number = $3";
    Ok(sqlx::query_as(sql)
        .bind(dataset)
        .bind(table_name)
        .bind(i64::from(number))
        .fetch_optional(connection)
        .await?)
}

/// Returns the latest final version of each application that an applicant of this code has in other
/// programmes.
pub async fn in_other_programmes(
    connection: &mut AnyConnection,
    applicant_code: &str,
    programme: ProgrammeId,
) -> Result<Vec<Dataset>> {
    let sql = format!(
        "{SELECT} AND d.kind = 'final' AND a.applicant_id IN
             (SELECT p.id FROM applicant p WHERE p.code = $1 AND p.programme_id <> $2)
         AND d.version = (SELECT MAX(l.version) FROM dataset l WHERE l.kind = 'final'
             AND l.application_id = d.application_id AND l.metadata IS NOT NULL)
         ORDER BY d.frozen_at, d.id"
    );
    let rows: Vec<Row> = sqlx::query_as(statement(sql))
        .bind(applicant_code.to_owned())
        .bind(programme.0)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(read).collect()
}

/// Returns a version's metadata (JSON) and the cells that a reviewer redacted.
pub async fn metadata(
    connection: &mut AnyConnection,
    dataset: i64,
) -> Result<(String, Option<String>)> {
    Ok(sqlx::query_as("SELECT COALESCE(metadata, '{}'), redacted_cells FROM dataset WHERE id = $1")
        .bind(dataset)
        .fetch_one(connection)
        .await?)
}

/// Releases a reviewed version without the redacted answers. Returns false if it is already
/// released.
pub async fn release(
    tx: &mut AnyConnection,
    dataset: i64,
    redacted_cells: &str,
    actor: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE dataset SET released_at = $2, released_by = $3, redacted_cells = $4 WHERE \
        id = $1 AND released_at IS NULL";
    let done = sqlx::query(sql)
        .bind(dataset)
        .bind(now.0)
        .bind(actor.to_owned())
        .bind(redacted_cells.to_owned())
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn set_written(
    tx: &mut AnyConnection,
    dataset: &Dataset,
    folder: &str,
    sha256: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE dataset SET folder = $2, sha256 = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(dataset.id)
        .bind(folder.to_owned())
        .bind(sha256.to_owned())
        .execute(&mut *tx)
        .await?;
    let data = json!({ "application": dataset.application_code, "version": dataset.version_name(), "kind": dataset.kind.as_str(), "sha256": sha256 });
    events::publish(tx, EventKind::DatasetReady, &data, now).await
}

pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Dataset>> {
    let sql = statement(format!("{SELECT} ORDER BY a.code, d.kind, d.version"));
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}

pub async fn get(connection: &mut AnyConnection, id: i64) -> Result<Dataset> {
    let sql = statement(format!("{SELECT} AND d.id = $1"));
    read(sqlx::query_as(sql).bind(id).fetch_one(connection).await?)
}

/// Returns when the last interim version was frozen.
pub async fn last_interim(connection: &mut AnyConnection) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT MAX(frozen_at) FROM dataset WHERE kind = 'interim'")
            .fetch_one(connection)
            .await?;
    Ok(at.map(Timestamp))
}

/// Lists the versions of an application's final dataset, the first one first.
pub async fn final_versions(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<Dataset>> {
    let sql = statement(format!(
        "{SELECT} AND d.application_id = $1 AND d.kind = 'final' ORDER BY d.version"
    ));
    let rows: Vec<Row> = sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}

/// Returns the applications whose last version contains answers that have been withdrawn since.
pub async fn to_be_corrected(connection: &mut AnyConnection) -> Result<Vec<ApplicationId>> {
    let sql = "SELECT d.application_id FROM dataset d
               WHERE d.kind = 'final' AND d.version = (SELECT MAX(x.version) FROM dataset x \
               WHERE x.application_id = d.application_id AND x.kind = 'final')
                 AND d.withdrawn < (SELECT COUNT(*) FROM survey_case c WHERE c.application_id = \
                 d.application_id AND c.withdrawn_at IS NOT NULL)
                 AND NOT EXISTS (SELECT 1 FROM application a JOIN applicant w ON w.id = \
                 a.applicant_id
                                 WHERE a.id = d.application_id AND w.purged_at IS NOT NULL)
               ORDER BY d.application_id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(ids.into_iter().map(ApplicationId).collect())
}
