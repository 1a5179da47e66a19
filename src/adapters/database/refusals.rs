//! What a refusal on the personal page has ended, kept for a while so that the same person can take
//! it back.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{DatabaseError, Result, WriteTx};
use crate::domain::disposition::Disposition;
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;

/// What stood before a refusal. It names rows, and no person.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BeforeRefusal {
    /// The open cases: id, and code of the disposition.
    pub cases: Vec<(i64, String)>,
    /// The planned contacts: invitation, kind, number, and time in UTC milliseconds.
    pub contacts: Vec<(i64, i64, i64, i64)>,
    /// Whether answers were deleted with it.
    pub answers_deleted: bool,
}

/// A refusal that can still be taken back.
#[derive(Debug, Clone)]
pub struct UndoableRefusal {
    pub refused_at: Timestamp,
    pub expires_at: Timestamp,
    pub before: BeforeRefusal,
}

/// Returns what stands now of the invitations: their open cases and planned contacts.
pub async fn capture(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<BeforeRefusal> {
    let among = Engine::of_connection(connection).in_list(1, ColumnType::Number);
    let ids = to_param(invitations.iter().map(|invitation| invitation.0));
    let cases = format!(
        "SELECT id, disposition FROM survey_case WHERE is_open = 1 AND invitation_id {among} \
            ORDER BY id"
    );
    let cases =
        sqlx::query_as(statement(cases)).bind(ids.clone()).fetch_all(&mut *connection).await?;
    let contacts = format!(
        "SELECT invitation_id, next_kind, next_number, next_at FROM next_contact WHERE next_at IS \
            NOT NULL AND invitation_id {among} ORDER BY invitation_id"
    );
    let contacts = sqlx::query_as(statement(contacts)).bind(ids).fetch_all(connection).await?;
    Ok(BeforeRefusal { cases, contacts, answers_deleted: false })
}

/// Returns the refusal on an invitation's page that can be taken back at a moment.
pub async fn find(
    connection: &mut AnyConnection,
    invitation: InvitationId,
    now: Timestamp,
) -> Result<Option<UndoableRefusal>> {
    let sql = "SELECT refused_at, expires_at, state_before FROM refusal_undo WHERE invitation_id = $1 \
        AND expires_at > $2";
    let row: Option<(i64, i64, String)> =
        sqlx::query_as(sql).bind(invitation.0).bind(now.0).fetch_optional(connection).await?;
    row.map(read).transpose()
}

fn read((refused, expires, before): (i64, i64, String)) -> Result<UndoableRefusal> {
    Ok(UndoableRefusal {
        refused_at: Timestamp(refused),
        expires_at: Timestamp(expires),
        before: serde_json::from_str(&before)
            .map_err(|e| DatabaseError::Unreadable { what: "a refusal", value: e.to_string() })?,
    })
}

pub async fn put(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    refusal: &UndoableRefusal,
) -> Result<()> {
    let before = serde_json::to_string(&refusal.before)
        .map_err(|e| DatabaseError::Unreadable { what: "a refusal", value: e.to_string() })?;
    let sql =
        "INSERT INTO refusal_undo (invitation_id, refused_at, expires_at, state_before) VALUES \
        ($1, $2, $3, $4)
               ON CONFLICT (invitation_id) DO UPDATE SET refused_at = excluded.refused_at, \
               expires_at = excluded.expires_at, state_before = excluded.state_before";
    sqlx::query(sql)
        .bind(invitation.0)
        .bind(refusal.refused_at.0)
        .bind(refusal.expires_at.0)
        .bind(before)
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes the refusal that can be taken back; who comes second finds none.
pub async fn take(
    tx: &mut WriteTx,
    invitation: InvitationId,
    now: Timestamp,
) -> Result<Option<UndoableRefusal>> {
    let sql = "DELETE FROM refusal_undo WHERE invitation_id = $1 AND expires_at > $2 RETURNING \
        refused_at, expires_at, state_before";
    let row: Option<(i64, i64, String)> =
        sqlx::query_as(sql).bind(invitation.0).bind(now.0).fetch_optional(&mut **tx).await?;
    row.map(read).transpose()
}

/// Makes refusals final: another opt-out has come.
pub async fn make_final(tx: &mut AnyConnection, invitations: &[InvitationId]) -> Result<()> {
    let sql = format!(
        "DELETE FROM refusal_undo WHERE invitation_id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(to_param(invitations.iter().map(|invitation| invitation.0)))
        .execute(tx)
        .await?;
    Ok(())
}

/// Lifts the opt-outs that a refusal on the page made at this moment, and no others. Returns how
/// many.
pub async fn lift_opt_outs(
    tx: &mut AnyConnection,
    phone_hashes: &[String],
    scope: &str,
    refused_at: Timestamp,
) -> Result<u64> {
    let sql = format!(
        "DELETE FROM suppression WHERE scope = $1 AND created_at = $2 AND reason = 'opt_out' AND \
            source = 'web' AND expires_at IS NULL AND phone_hash {}",
        Engine::of_connection(tx).in_list(3, ColumnType::Text)
    );
    let done = sqlx::query(statement(sql))
        .bind(scope.to_owned())
        .bind(refused_at.0)
        .bind(to_param(phone_hashes))
        .execute(tx)
        .await?;
    Ok(done.rows_affected())
}

/// Opens a case that a refusal ended, if its field still takes answers, with its history.
pub async fn reopen(
    tx: &mut AnyConnection,
    case: i64,
    to: Disposition,
    source: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE survey_case SET disposition = $2, disposed_at = $3, is_open = 1, \
            withdrawn_at = NULL
         WHERE id = $1 AND is_open = 0 AND disposition = $4 AND EXISTS (SELECT 1 FROM application \
         a WHERE a.id = survey_case.application_id AND a.state = 'in_field' AND a.field_closes_at \
         > $3)";
    let done = sqlx::query(sql)
        .bind(case)
        .bind(to.code())
        .bind(now.0)
        .bind(Disposition::Refusal.code())
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let sql = "INSERT INTO disposition_change (case_id, disposition, source, changed_at) VALUES \
        ($1, $2, $3, $4)";
    sqlx::query(sql)
        .bind(case)
        .bind(to.code())
        .bind(source.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(true)
}

/// Plans a contact again that a refusal cancelled, if nothing else was planned since and a case is
/// open.
pub async fn plan_again(
    tx: &mut AnyConnection,
    &(invitation, kind, number, at): &(i64, i64, i64, i64),
) -> Result<()> {
    let sql = "UPDATE next_contact SET next_at = $4 WHERE invitation_id = $1 AND next_kind = $2 \
        AND next_number = $3 AND next_at IS NULL AND EXISTS (SELECT 1 FROM survey_case c WHERE \
        c.invitation_id = next_contact.invitation_id AND c.is_open = 1)";
    sqlx::query(sql).bind(invitation).bind(kind).bind(number).bind(at).execute(tx).await?;
    Ok(())
}

/// Deletes what can no longer be taken back.
pub async fn delete_expired(tx: &mut AnyConnection, now: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM refusal_undo WHERE expires_at <= $1")
        .bind(now.0)
        .execute(tx)
        .await?
        .rows_affected())
}
