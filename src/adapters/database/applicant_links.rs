//! Links to applicants' own pages, their one-time codes, and what applicants declared.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Result;
use super::dialect::statement;
use crate::domain::ids::{ApplicantId, ApplicationId, ProgrammeId};
use crate::domain::time::Timestamp;

/// A link, and the applicant it belongs to.
#[derive(Debug, Clone)]
pub struct ApplicantLink {
    pub id: i64,
    pub applicant: ApplicantId,
    pub applicant_code: String,
    pub applicant_name: String,
    pub programme: ProgrammeId,
    /// The key that seals what belongs to the applicant.
    pub key_id: String,
    pub mobile_sealed: Vec<u8>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub code_hash: Option<String>,
    pub code_sent_at: Option<Timestamp>,
    pub wrong_codes: u32,
    /// Codes sent since `counted_since`.
    pub codes_sent: u32,
    pub counted_since: Timestamp,
    pub signed_in_at: Option<Timestamp>,
    /// Sessions that began before, or then, have ended.
    pub sessions_ended_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT l.id, l.applicant_id, a.code AS applicant_code, \
    a.name AS applicant_name, a.programme_id, a.key_id, l.mobile_sealed, l.created_by, \
    l.created_at, l.expires_at, l.revoked_at, l.code_hash, l.code_sent_at, l.wrong_codes, \
    l.codes_sent, l.counted_since, l.signed_in_at, l.sessions_ended_at
    FROM applicant_link l JOIN applicant a ON a.id = l.applicant_id";

fn read(row: &AnyRow) -> Result<ApplicantLink> {
    let time = |column: &str| Ok::<_, sqlx::Error>(Timestamp(row.try_get(column)?));
    let maybe =
        |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
    let count = |column: &str| {
        Ok::<_, sqlx::Error>(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(u32::MAX))
    };
    Ok(ApplicantLink {
        id: row.try_get("id")?,
        applicant: ApplicantId(row.try_get("applicant_id")?),
        applicant_code: row.try_get("applicant_code")?,
        applicant_name: row.try_get("applicant_name")?,
        programme: ProgrammeId(row.try_get("programme_id")?),
        key_id: row.try_get("key_id")?,
        mobile_sealed: row.try_get("mobile_sealed")?,
        created_by: row.try_get("created_by")?,
        created_at: time("created_at")?,
        expires_at: time("expires_at")?,
        revoked_at: maybe("revoked_at")?,
        code_hash: row.try_get("code_hash")?,
        code_sent_at: maybe("code_sent_at")?,
        wrong_codes: count("wrong_codes")?,
        codes_sent: count("codes_sent")?,
        counted_since: time("counted_since")?,
        signed_in_at: maybe("signed_in_at")?,
        sessions_ended_at: maybe("sessions_ended_at")?,
    })
}

/// A link to be stored.
pub struct NewLink<'a> {
    pub applicant: ApplicantId,
    pub token_hash: &'a str,
    pub mobile_sealed: Vec<u8>,
    pub created_by: &'a str,
    pub expires_at: Timestamp,
}

pub async fn add(tx: &mut AnyConnection, link: NewLink<'_>, now: Timestamp) -> Result<i64> {
    let sql = "INSERT INTO applicant_link (applicant_id, token_hash, mobile_sealed, created_by, \
        created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
    let id = sqlx::query_scalar(sql)
        .bind(link.applicant.0)
        .bind(link.token_hash.to_owned())
        .bind(link.mobile_sealed)
        .bind(link.created_by.to_owned())
        .bind(now.0)
        .bind(link.expires_at.0)
        .fetch_one(tx)
        .await?;
    Ok(id)
}

/// Returns the link with this token, if it can be used now.
pub async fn find_open(
    connection: &mut AnyConnection,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<ApplicantLink>> {
    let sql = format!(
        "{SELECT} WHERE l.token_hash = $1 AND l.revoked_at IS NULL AND l.expires_at > $2 AND \
            a.purged_at IS NULL"
    );
    let row = sqlx::query(statement(sql)).bind(token_hash.to_owned()).bind(now.0);
    row.fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Returns the links of an applicant, the latest first.
pub async fn of_applicant(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<ApplicantLink>> {
    let sql = statement(format!("{SELECT} WHERE l.applicant_id = $1 ORDER BY l.id DESC"));
    sqlx::query(sql).bind(applicant.0).fetch_all(connection).await?.iter().map(read).collect()
}

/// Ends a link of an applicant. Returns false if there is none that is open.
pub async fn revoke(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    id: i64,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE applicant_link SET revoked_at = $3, code_hash = NULL WHERE id = $1 AND \
        applicant_id = $2 AND revoked_at IS NULL";
    let done = sqlx::query(sql).bind(id).bind(applicant.0).bind(now.0).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Stores a new code in place of the one that `before` was sent. Returns false if another one was
/// sent meanwhile.
pub async fn set_code(
    tx: &mut AnyConnection,
    link: &ApplicantLink,
    code_hash: &str,
    (codes_sent, counted_since): (u32, Timestamp),
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE applicant_link SET code_hash = $2, code_sent_at = $3, wrong_codes = 0, \
        codes_sent = $4, counted_since = $5
        WHERE id = $1 AND COALESCE(code_sent_at, 0) = $6";
    let done = sqlx::query(sql)
        .bind(link.id)
        .bind(code_hash.to_owned())
        .bind(now.0)
        .bind(i64::from(codes_sent))
        .bind(counted_since.0)
        .bind(link.code_sent_at.map_or(0, |at| at.0))
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts a wrong code. Returns false where there had been `most` already.
pub async fn count_wrong_code(tx: &mut AnyConnection, id: i64, most: u32) -> Result<bool> {
    let sql = "UPDATE applicant_link SET wrong_codes = wrong_codes + 1 WHERE id = $1 AND \
        wrong_codes < $2";
    Ok(sqlx::query(sql).bind(id).bind(i64::from(most)).execute(tx).await?.rows_affected() == 1)
}

/// Uses up a code. Returns false if it was used or replaced meanwhile.
pub async fn use_code(
    tx: &mut AnyConnection,
    id: i64,
    code_hash: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE applicant_link SET code_hash = NULL, signed_in_at = $3 WHERE id = $1 AND \
        code_hash = $2";
    let done = sqlx::query(sql).bind(id).bind(code_hash.to_owned()).bind(now.0).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Ends every session of a link.
pub async fn end_sessions(tx: &mut AnyConnection, id: i64, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE applicant_link SET sessions_ended_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Counts the people of an application who were sent a message or called.
pub async fn contacted(connection: &mut AnyConnection, application: ApplicationId) -> Result<u32> {
    let sql = "SELECT COUNT(*) FROM survey_case c WHERE c.application_id = $1 AND (
        EXISTS (SELECT 1 FROM message m WHERE m.invitation_id = c.invitation_id AND m.state IN
            ('in_doubt', 'accepted', 'delivered', 'undelivered'))
        OR EXISTS (SELECT 1 FROM phone_call p WHERE p.invitation_id = c.invitation_id))";
    let count: i64 = sqlx::query_scalar(sql).bind(application.0).fetch_one(connection).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Keeps the declaration of a list that was accepted.
pub async fn add_declaration(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    applications: &str,
    (declared_sealed, handed_in_at): (Vec<u8>, Timestamp),
    (accepted_by, now): (&str, Timestamp),
) -> Result<()> {
    let sql = "INSERT INTO list_declaration (applicant_id, applications, declared_sealed, \
        handed_in_at, accepted_by, accepted_at) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(applicant.0)
        .bind(applications.to_owned())
        .bind(declared_sealed)
        .bind(handed_in_at.0)
        .bind(accepted_by.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// A declaration of a list that was accepted.
#[derive(Debug, Clone)]
pub struct StoredDeclaration {
    pub applications: String,
    /// `None`: the applicant's data was deleted.
    pub declared_sealed: Option<Vec<u8>>,
    pub handed_in_at: Timestamp,
    pub accepted_by: String,
    pub accepted_at: Timestamp,
}

/// Returns the declarations of an applicant, the oldest first.
pub async fn declarations(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<StoredDeclaration>> {
    let sql = "SELECT applications, declared_sealed, handed_in_at, accepted_by, accepted_at \
        FROM list_declaration WHERE applicant_id = $1 ORDER BY id";
    type Row = (String, Option<Vec<u8>>, i64, String, i64);
    let rows: Vec<Row> = sqlx::query_as(sql).bind(applicant.0).fetch_all(connection).await?;
    let declaration = |(applications, declared_sealed, handed_in_at, accepted_by, accepted_at)| {
        StoredDeclaration {
            applications,
            declared_sealed,
            handed_in_at: Timestamp(handed_in_at),
            accepted_by,
            accepted_at: Timestamp(accepted_at),
        }
    };
    Ok(rows.into_iter().map(declaration).collect())
}
