//! Privacy notices and the consents to them.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::ids::{InvitationId, ProgrammeId};
use crate::domain::language::Language;
use crate::domain::time::Timestamp;

/// Stores the text of a notice under its version. Returns false if another text is stored under it.
pub async fn store_notice(
    tx: &mut AnyConnection,
    programme: ProgrammeId,
    version: &str,
    text: &str,
) -> Result<bool> {
    let insert = "INSERT INTO privacy_notice (programme_id, version, text) VALUES ($1, $2, $3) \
        ON CONFLICT (programme_id, version) DO NOTHING";
    sqlx::query(insert)
        .bind(programme.0)
        .bind(version.to_owned())
        .bind(text.to_owned())
        .execute(&mut *tx)
        .await?;
    let select = "SELECT text FROM privacy_notice WHERE programme_id = $1 AND version = $2";
    let stored: String =
        sqlx::query_scalar(select).bind(programme.0).bind(version.to_owned()).fetch_one(tx).await?;
    Ok(stored == text)
}

/// Records a consent to a version of the notice; a repeated consent, or one after a withdrawal,
/// replaces the previous one.
pub async fn record(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    version: &str,
    language: Language,
    mode: &'static str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO consent (invitation_id, version, language, mode, given_at) VALUES \
        ($1, $2, $3, $4, $5)
               ON CONFLICT (invitation_id, version) DO UPDATE
                   SET withdrawn_at = NULL, given_at = excluded.given_at, language = \
                   excluded.language, mode = excluded.mode
                   WHERE consent.withdrawn_at IS NOT NULL";
    sqlx::query(sql)
        .bind(invitation.0)
        .bind(version.to_owned())
        .bind(language.tag())
        .bind(mode)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE invitation SET consent = $2, has_withdrawn = 0 WHERE id = $1")
        .bind(invitation.0)
        .bind(version.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Withdraws a consent. Returns false if there was none.
pub async fn withdraw(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    now: Timestamp,
) -> Result<bool> {
    let sql =
        "UPDATE consent SET withdrawn_at = $2 WHERE invitation_id = $1 AND withdrawn_at IS NULL";
    let had =
        sqlx::query(sql).bind(invitation.0).bind(now.0).execute(&mut *tx).await?.rows_affected()
            > 0;
    if had {
        sqlx::query("UPDATE invitation SET consent = NULL, has_withdrawn = 1 WHERE id = $1")
            .bind(invitation.0)
            .execute(tx)
            .await?;
    }
    Ok(had)
}

/// Counts consents by version: active ones and withdrawn ones.
pub async fn count(connection: &mut AnyConnection) -> Result<Vec<(String, i64, i64)>> {
    let sql = "SELECT version, COUNT(CASE WHEN withdrawn_at IS NULL THEN 1 END), \
        COUNT(withdrawn_at) FROM consent GROUP BY version ORDER BY version";
    Ok(sqlx::query_as(sql).fetch_all(connection).await?)
}
