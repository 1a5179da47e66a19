//! Questionnaires that staff write: released versions, and the states of the one being written.
//! (Those that campaigns use are frozen with them, in `campaigns.rs`.)

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Result;
use crate::domain::category::Category;
use crate::domain::time::Timestamp;

/// A version that staff have released for new campaigns.
#[derive(Debug, Clone)]
pub struct ReleasedVersion {
    pub version: u32,
    pub source: String,
    /// What staff said of it.
    pub note: String,
    pub released_by: String,
    pub released_at: Timestamp,
}

/// A version that is frozen with a campaign.
#[derive(Debug, Clone)]
pub struct UsedVersion {
    pub id: i64,
    pub code: String,
    pub version: u32,
    /// The latest campaign with it.
    pub campaign: String,
}

/// A state of the questionnaire that is being written.
#[derive(Debug, Clone)]
pub struct EditedState {
    /// Counts the changes.
    pub revision: i64,
    pub source: String,
    pub changed_by: String,
    pub changed_at: Timestamp,
}

fn number(row: &AnyRow, column: &str) -> Result<u32> {
    Ok(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
}

fn read_release(row: &AnyRow) -> Result<ReleasedVersion> {
    Ok(ReleasedVersion {
        version: number(row, "version")?,
        source: row.try_get("source")?,
        note: row.try_get("note")?,
        released_by: row.try_get("released_by")?,
        released_at: Timestamp(row.try_get("released_at")?),
    })
}

/// Lists the released versions of a category, the latest first.
pub async fn releases(
    connection: &mut AnyConnection,
    category: Category,
) -> Result<Vec<ReleasedVersion>> {
    let sql = "SELECT version, source, note, released_by, released_at FROM questionnaire_release \
        WHERE category = $1 ORDER BY version DESC";
    let rows = sqlx::query(sql).bind(category.as_str()).fetch_all(connection).await?;
    rows.iter().map(read_release).collect()
}

/// Returns the latest released version of a category.
pub async fn latest_release(
    connection: &mut AnyConnection,
    category: Category,
) -> Result<Option<ReleasedVersion>> {
    let sql = "SELECT version, source, note, released_by, released_at FROM questionnaire_release \
        WHERE category = $1 ORDER BY version DESC LIMIT 1";
    let row = sqlx::query(sql).bind(category.as_str()).fetch_optional(connection).await?;
    row.as_ref().map(read_release).transpose()
}

pub async fn add_release(
    tx: &mut AnyConnection,
    category: Category,
    release: &ReleasedVersion,
) -> Result<()> {
    let sql = "INSERT INTO questionnaire_release (category, version, source, note, released_by, \
        released_at) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(category.as_str())
        .bind(i64::from(release.version))
        .bind(release.source.clone())
        .bind(release.note.clone())
        .bind(release.released_by.clone())
        .bind(release.released_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the versions that campaigns of a category were launched with, the latest first.
pub async fn used(connection: &mut AnyConnection, category: Category) -> Result<Vec<UsedVersion>> {
    let sql = "SELECT q.id, q.code, q.version, MAX(c.code) AS campaign FROM questionnaire q
        JOIN application a ON a.questionnaire_id = q.id JOIN campaign c ON c.id = a.campaign_id
        WHERE a.category = $1 GROUP BY q.id, q.code, q.version ORDER BY q.id DESC";
    let rows = sqlx::query(sql).bind(category.as_str()).fetch_all(connection).await?;
    let read = |row: &AnyRow| {
        Ok(UsedVersion {
            id: row.try_get("id")?,
            code: row.try_get("code")?,
            version: number(row, "version")?,
            campaign: row.try_get("campaign")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Returns the highest version that is frozen under a code; 0: none.
pub async fn highest_frozen(connection: &mut AnyConnection, code: &str) -> Result<u32> {
    let sql = "SELECT COALESCE(MAX(version), 0) AS version FROM questionnaire WHERE code = $1";
    let row = sqlx::query(sql).bind(code.to_owned()).fetch_one(connection).await?;
    number(&row, "version")
}

/// Returns the state of a category's questionnaire that is being written, if there is one.
pub async fn edited(
    connection: &mut AnyConnection,
    category: Category,
) -> Result<Option<EditedState>> {
    let sql = "SELECT revision, source, changed_by, changed_at FROM questionnaire_state \
        WHERE category = $1 ORDER BY revision DESC LIMIT 1";
    let row = sqlx::query(sql).bind(category.as_str()).fetch_optional(connection).await?;
    let read = |row: &AnyRow| {
        Ok(EditedState {
            revision: row.try_get("revision")?,
            source: row.try_get("source")?,
            changed_by: row.try_get("changed_by")?,
            changed_at: Timestamp(row.try_get("changed_at")?),
        })
    };
    row.as_ref().map(read).transpose()
}

/// Counts the states that are kept.
pub async fn count_states(connection: &mut AnyConnection, category: Category) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM questionnaire_state WHERE category = $1";
    Ok(sqlx::query_scalar(sql).bind(category.as_str()).fetch_one(connection).await?)
}

/// Stores a state, and drops all but the latest so many.
pub async fn add_state(
    tx: &mut AnyConnection,
    category: Category,
    state: &EditedState,
    kept: i64,
) -> Result<()> {
    let sql = "INSERT INTO questionnaire_state (category, revision, source, changed_by, \
        changed_at) VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(sql)
        .bind(category.as_str())
        .bind(state.revision)
        .bind(state.source.clone())
        .bind(state.changed_by.clone())
        .bind(state.changed_at.0)
        .execute(&mut *tx)
        .await?;
    let sql = "DELETE FROM questionnaire_state WHERE category = $1 AND revision NOT IN (SELECT \
        revision FROM questionnaire_state WHERE category = $1 ORDER BY revision DESC LIMIT $2)";
    sqlx::query(sql).bind(category.as_str()).bind(kept).execute(tx).await?;
    Ok(())
}

/// Takes the last state back: the one before it counts as the next revision, so that nobody's page
/// of the state that is gone is taken for the present one. Without one before it, nothing happens.
pub async fn take_back(tx: &mut AnyConnection, category: Category, revision: i64) -> Result<()> {
    let sql = "SELECT MAX(revision) FROM questionnaire_state WHERE category = $1 AND revision < $2";
    let before: Option<i64> =
        sqlx::query_scalar(sql).bind(category.as_str()).bind(revision).fetch_one(&mut *tx).await?;
    let Some(before) = before else { return Ok(()) };
    sqlx::query("DELETE FROM questionnaire_state WHERE category = $1 AND revision = $2")
        .bind(category.as_str())
        .bind(revision)
        .execute(&mut *tx)
        .await?;
    let sql = "UPDATE questionnaire_state SET revision = $3 WHERE category = $1 AND revision = $2";
    sqlx::query(sql).bind(category.as_str()).bind(before).bind(revision + 1).execute(tx).await?;
    Ok(())
}

/// Drops every state: nothing is being written any more.
pub async fn remove_states(tx: &mut AnyConnection, category: Category) -> Result<()> {
    sqlx::query("DELETE FROM questionnaire_state WHERE category = $1")
        .bind(category.as_str())
        .execute(tx)
        .await?;
    Ok(())
}
