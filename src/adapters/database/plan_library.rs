//! Plans and texts that staff keep under a name.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Result;
use super::dialect::statement;
use crate::domain::time::Timestamp;

/// A plan or a text of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryEntry {
    pub id: i64,
    /// `plan`, `sms` or `telephone`.
    pub kind: String,
    pub name: String,
    /// Of a plan, a [`crate::domain::contact_plan::PlanFile`] as JSON; else the text.
    pub content: String,
    pub saved_by: String,
    pub saved_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

const SELECT: &str =
    "SELECT id, kind, name, content, saved_by, saved_at, deleted_at FROM library_entry";

fn read(row: &AnyRow) -> Result<LibraryEntry> {
    Ok(LibraryEntry {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        content: row.try_get("content")?,
        saved_by: row.try_get("saved_by")?,
        saved_at: Timestamp(row.try_get("saved_at")?),
        deleted_at: row.try_get::<Option<i64>, _>("deleted_at")?.map(Timestamp),
    })
}

/// Returns all entries, those that are deleted last.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<LibraryEntry>> {
    let sql = statement(format!(
        "{SELECT} ORDER BY CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END, kind, name, id"
    ));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

pub async fn find(connection: &mut AnyConnection, id: i64) -> Result<Option<LibraryEntry>> {
    let sql = statement(format!("{SELECT} WHERE id = $1"));
    sqlx::query(sql).bind(id).fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Returns the id of the entry of a kind with a name that is not deleted.
pub async fn named(connection: &mut AnyConnection, kind: &str, name: &str) -> Result<Option<i64>> {
    let sql =
        "SELECT id FROM library_entry WHERE kind = $1 AND name = $2 AND deleted_at IS NULL LIMIT 1";
    Ok(sqlx::query_scalar(sql)
        .bind(kind.to_owned())
        .bind(name.to_owned())
        .fetch_optional(connection)
        .await?)
}

/// Stores a new entry and returns its id.
pub async fn add(
    tx: &mut AnyConnection,
    (kind, name, content): (&str, &str, &str),
    actor: &str,
    now: Timestamp,
) -> Result<i64> {
    let sql = "INSERT INTO library_entry (kind, name, content, saved_by, saved_at) VALUES ($1, $2, \
        $3, $4, $5) RETURNING id";
    Ok(sqlx::query_scalar(sql)
        .bind(kind.to_owned())
        .bind(name.to_owned())
        .bind(content.to_owned())
        .bind(actor.to_owned())
        .bind(now.0)
        .fetch_one(tx)
        .await?)
}

/// Gives an entry another name.
pub async fn rename(
    tx: &mut AnyConnection,
    id: i64,
    name: &str,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE library_entry SET name = $2, saved_by = $3, saved_at = $4 WHERE id = $1";
    sqlx::query(sql)
        .bind(id)
        .bind(name.to_owned())
        .bind(actor.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes an entry at a moment, or has it back (`None`).
pub async fn set_deleted(tx: &mut AnyConnection, id: i64, at: Option<Timestamp>) -> Result<()> {
    sqlx::query("UPDATE library_entry SET deleted_at = $2 WHERE id = $1")
        .bind(id)
        .bind(at.map(|at| at.0))
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes for good what was deleted before a moment.
pub async fn delete_before(tx: &mut AnyConnection, before: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM library_entry WHERE deleted_at < $1")
        .bind(before.0)
        .execute(tx)
        .await?
        .rows_affected())
}
