//! Drafts of applications, as they were read from an applicant's documents.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Result;
use super::dialect::statement;
use crate::domain::ids::ProgrammeId;
use crate::domain::time::Timestamp;

/// A draft that is neither registered nor discarded.
#[derive(Debug, Clone)]
pub struct ApplicationDraft {
    pub id: i64,
    pub programme: ProgrammeId,
    pub programme_code: String,
    pub key_id: String,
    pub content_sealed: Vec<u8>,
    pub created_by: String,
    pub changed_at: Timestamp,
}

const OPEN: &str =
    "SELECT d.id, d.programme_id, p.code, d.key_id, d.content_sealed, d.created_by, \
    d.changed_at FROM application_draft d JOIN programme p ON p.id = d.programme_id
    WHERE d.ended IS NULL AND d.content_sealed IS NOT NULL";

fn read(row: &AnyRow) -> Result<ApplicationDraft> {
    Ok(ApplicationDraft {
        id: row.try_get("id")?,
        programme: ProgrammeId(row.try_get("programme_id")?),
        programme_code: row.try_get("code")?,
        key_id: row.try_get("key_id")?,
        content_sealed: row.try_get("content_sealed")?,
        created_by: row.try_get("created_by")?,
        changed_at: Timestamp(row.try_get("changed_at")?),
    })
}

/// What makes a draft another one: the documents, and the applicant among those they name.
#[derive(Debug, Clone, Copy)]
pub struct DraftOrigin<'a> {
    pub content_hash: &'a str,
    pub applicant_hash: &'a str,
}

/// Stores a draft; `None`: the same documents were read before. Returns its id.
pub async fn add(
    tx: &mut AnyConnection,
    programme: ProgrammeId,
    origin: DraftOrigin<'_>,
    (key_id, content_sealed): (&str, Vec<u8>),
    actor: &str,
    now: Timestamp,
) -> Result<Option<i64>> {
    let sql = "INSERT INTO application_draft (programme_id, content_hash, applicant_hash, key_id, \
        content_sealed, created_by, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (programme_id, content_hash, applicant_hash) DO NOTHING RETURNING id";
    Ok(sqlx::query_scalar(sql)
        .bind(programme.0)
        .bind(origin.content_hash.to_owned())
        .bind(origin.applicant_hash.to_owned())
        .bind(key_id.to_owned())
        .bind(content_sealed)
        .bind(actor.to_owned())
        .bind(now.0)
        .fetch_optional(tx)
        .await?)
}

/// Returns the draft that these documents gave, and how it ended, if they were read before.
pub async fn known(
    connection: &mut AnyConnection,
    programme: ProgrammeId,
    origin: DraftOrigin<'_>,
) -> Result<Option<(i64, Option<String>)>> {
    let sql = "SELECT id, ended FROM application_draft WHERE programme_id = $1 AND content_hash = \
        $2 AND applicant_hash = $3";
    Ok(sqlx::query_as(sql)
        .bind(programme.0)
        .bind(origin.content_hash.to_owned())
        .bind(origin.applicant_hash.to_owned())
        .fetch_optional(connection)
        .await?)
}

pub async fn find(connection: &mut AnyConnection, id: i64) -> Result<Option<ApplicationDraft>> {
    let sql = statement(format!("{OPEN} AND d.id = $1"));
    sqlx::query(sql).bind(id).fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Returns the open drafts, the latest first.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<ApplicationDraft>> {
    let sql = statement(format!("{OPEN} ORDER BY d.id DESC"));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

/// Replaces the content, unless somebody else has changed it since `seen`. Returns whether it was.
pub async fn set_content(
    tx: &mut AnyConnection,
    id: i64,
    seen: Timestamp,
    content_sealed: Vec<u8>,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE application_draft SET content_sealed = $3, changed_at = $4 WHERE id = $1 AND \
        changed_at = $2 AND ended IS NULL";
    let done = sqlx::query(sql)
        .bind(id)
        .bind(seen.0)
        .bind(content_sealed)
        .bind(now.0.max(seen.0 + 1))
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a draft whose applications are registered: its content is deleted, and its documents stay
/// known. Returns whether it was open.
pub async fn end(tx: &mut AnyConnection, id: i64) -> Result<bool> {
    let sql = "UPDATE application_draft SET ended = 'registered', content_sealed = NULL WHERE id = \
        $1 AND ended IS NULL";
    let done = sqlx::query(sql).bind(id).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes an open draft; its documents can be read again.
pub async fn discard(tx: &mut AnyConnection, id: i64) -> Result<()> {
    let sql = "DELETE FROM application_draft WHERE id = $1 AND ended IS NULL";
    sqlx::query(sql).bind(id).execute(tx).await?;
    Ok(())
}

/// Deletes the open drafts that nobody has changed since a moment. Returns their keys.
pub async fn delete_stale(tx: &mut AnyConnection, since: Timestamp) -> Result<Vec<String>> {
    let sql = "DELETE FROM application_draft WHERE ended IS NULL AND changed_at < $1 RETURNING \
        key_id";
    Ok(sqlx::query_scalar(sql).bind(since.0).fetch_all(tx).await?)
}
