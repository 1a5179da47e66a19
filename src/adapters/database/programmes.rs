//! Programmes and applicants.

use sqlx::AnyConnection;

use super::{DatabaseError, Result};
use crate::domain::ids::{ApplicantId, ProgrammeId};
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;

/// Creates a programme or replaces its rules.
pub async fn put(
    tx: &mut AnyConnection,
    programme: &Programme,
    now: Timestamp,
) -> Result<ProgrammeId> {
    let definition = serde_json::to_string(programme)
        .map_err(|e| DatabaseError::Unreadable { what: "a programme", value: e.to_string() })?;
    let sql = "INSERT INTO programme (code, definition, updated_at) VALUES ($1, $2, $3)
               ON CONFLICT (code) DO UPDATE
                   SET definition = excluded.definition, updated_at = excluded.updated_at, \
                   revision = programme.revision + 1
               RETURNING id";
    let id: i64 = sqlx::query_scalar(sql)
        .bind(programme.code.clone())
        .bind(definition)
        .bind(now.0)
        .fetch_one(tx)
        .await?;
    Ok(ProgrammeId(id))
}

pub async fn find(
    connection: &mut AnyConnection,
    code: &str,
) -> Result<Option<(ProgrammeId, Programme)>> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT id, definition FROM programme WHERE code = $1")
            .bind(code.to_owned())
            .fetch_optional(connection)
            .await?;
    row.map(|(id, definition)| Ok((ProgrammeId(id), read(&definition)?))).transpose()
}

pub async fn get(connection: &mut AnyConnection, id: ProgrammeId) -> Result<Programme> {
    let definition: String = sqlx::query_scalar("SELECT definition FROM programme WHERE id = $1")
        .bind(id.0)
        .fetch_one(connection)
        .await?;
    read(&definition)
}

/// Returns the codes of all programmes.
pub async fn codes(connection: &mut AnyConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT code FROM programme ORDER BY code").fetch_all(connection).await?)
}

/// Returns a programme with its revision.
pub async fn get_revision(
    connection: &mut AnyConnection,
    id: ProgrammeId,
) -> Result<(i64, Programme)> {
    let (revision, definition): (i64, String) =
        sqlx::query_as("SELECT revision, definition FROM programme WHERE id = $1")
            .bind(id.0)
            .fetch_one(connection)
            .await?;
    Ok((revision, read(&definition)?))
}

fn read(definition: &str) -> Result<Programme> {
    serde_json::from_str(definition)
        .map_err(|e| DatabaseError::Unreadable { what: "a programme", value: e.to_string() })
}

/// Stores the picture on top of a programme's pages, in place of the one before.
pub async fn put_logo(
    tx: &mut AnyConnection,
    programme: ProgrammeId,
    name: &str,
    content: Vec<u8>,
) -> Result<()> {
    let sql = "INSERT INTO programme_logo (programme_id, name, content) VALUES ($1, $2, $3)
               ON CONFLICT (programme_id) DO UPDATE SET name = excluded.name, content = \
               excluded.content";
    sqlx::query(sql).bind(programme.0).bind(name.to_owned()).bind(content).execute(tx).await?;
    Ok(())
}

pub async fn remove_logo(tx: &mut AnyConnection, programme: ProgrammeId) -> Result<()> {
    sqlx::query("DELETE FROM programme_logo WHERE programme_id = $1")
        .bind(programme.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns a picture by its name.
pub async fn logo(connection: &mut AnyConnection, name: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT content FROM programme_logo WHERE name = $1 LIMIT 1";
    Ok(sqlx::query_scalar(sql).bind(name.to_owned()).fetch_optional(connection).await?)
}

/// Returns the applicants of a programme, by code and name.
pub async fn applicants(
    connection: &mut AnyConnection,
    programme: ProgrammeId,
) -> Result<Vec<(String, String)>> {
    let sql = "SELECT code, name FROM applicant WHERE programme_id = $1 AND purged_at IS NULL \
        ORDER BY code";
    Ok(sqlx::query_as(sql).bind(programme.0).fetch_all(connection).await?)
}

/// An applicant of a programme.
#[derive(Debug, Clone)]
pub struct KnownApplicant {
    pub id: ApplicantId,
    pub name: String,
    /// When its people were deleted.
    pub purged_at: Option<Timestamp>,
}

/// Returns the applicant with a code, if it is registered in the programme.
pub async fn find_applicant(
    connection: &mut AnyConnection,
    programme: ProgrammeId,
    code: &str,
) -> Result<Option<KnownApplicant>> {
    let sql = "SELECT id, name, purged_at FROM applicant WHERE programme_id = $1 AND code = $2";
    let row: Option<(i64, String, Option<i64>)> = sqlx::query_as(sql)
        .bind(programme.0)
        .bind(code.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(id, name, purged)| KnownApplicant {
        id: ApplicantId(id),
        name,
        purged_at: purged.map(Timestamp),
    }))
}

/// Gives an applicant another name, in messages and on pages from now on.
pub async fn rename_applicant(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    name: &str,
) -> Result<()> {
    sqlx::query("UPDATE applicant SET name = $2 WHERE id = $1")
        .bind(applicant.0)
        .bind(name.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn add_applicant(
    tx: &mut AnyConnection,
    programme: ProgrammeId,
    code: &str,
    name: &str,
    key_id: &str,
) -> Result<ApplicantId> {
    let sql = "INSERT INTO applicant (programme_id, code, name, key_id) VALUES ($1, $2, $3, $4) \
        RETURNING id";
    let id: i64 = sqlx::query_scalar(sql)
        .bind(programme.0)
        .bind(code.to_owned())
        .bind(name.to_owned())
        .bind(key_id.to_owned())
        .fetch_one(tx)
        .await?;
    Ok(ApplicantId(id))
}

/// Stores whom to ask about an applicant's applications, in place of who was named before.
pub async fn set_contact(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    contact_sealed: Vec<u8>,
) -> Result<()> {
    sqlx::query("UPDATE applicant SET contact_sealed = $2 WHERE id = $1")
        .bind(applicant.0)
        .bind(contact_sealed)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the applicant's contact, sealed.
pub async fn contact(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT contact_sealed FROM applicant WHERE id = $1";
    let contact = sqlx::query_scalar(sql).bind(applicant.0).fetch_optional(connection).await?;
    Ok(contact.flatten())
}
