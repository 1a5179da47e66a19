//! What the staff have answered to replies: sealed texts, each the text of one message.

use sqlx::AnyConnection;

use super::dialect::statement;
use super::messages::{STAFF_ANSWER, STEP};
use super::{DatabaseError, Result};
use crate::domain::contact_plan::MessageSlot;
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;

pub struct NewStaffAnswer {
    pub invitation: InvitationId,
    pub reply: i64,
    /// With the applicant's key.
    pub text_sealed: Vec<u8>,
    /// The account.
    pub written_by: String,
}

/// A stored answer.
pub struct StaffAnswer {
    pub number: u32,
    /// `None`: the person's data is deleted.
    pub text_sealed: Option<Vec<u8>>,
    pub written_by: String,
    pub written_at: Timestamp,
    /// When it goes out; `None`: it has gone out, or never will.
    pub due_at: Option<Timestamp>,
}

/// Counts the answers to a person.
pub async fn count(connection: &mut AnyConnection, invitation: InvitationId) -> Result<u32> {
    let sql = "SELECT COUNT(*) FROM staff_answer WHERE invitation_id = $1";
    let count: i64 = sqlx::query_scalar(sql).bind(invitation.0).fetch_one(connection).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Stores an answer and makes it the next message of its invitation; the step of the plan that was
/// planned comes after it. `None`: another message beside the plan is about to go, and nothing is
/// stored.
pub async fn add(
    tx: &mut AnyConnection,
    answer: &NewStaffAnswer,
    now: Timestamp,
) -> Result<Option<u32>> {
    let number = i64::from(count(tx, answer.invitation).await?);
    // What is cancelled stays cancelled.
    let sql = format!(
        "UPDATE next_contact SET resume_step = CASE WHEN next_at IS NULL THEN NULL ELSE \
            next_number END, next_kind = {STAFF_ANSWER}, next_number = $2, next_at = $3
         WHERE invitation_id = $1 AND (next_kind = {STEP} OR next_at IS NULL)"
    );
    let planned = sqlx::query(statement(sql))
        .bind(answer.invitation.0)
        .bind(number)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    if planned.rows_affected() == 0 {
        return Ok(None);
    }
    let sql = "INSERT INTO staff_answer (invitation_id, number, reply_id, text_sealed, written_by, \
        written_at) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(answer.invitation.0)
        .bind(number)
        .bind(answer.reply)
        .bind(answer.text_sealed.clone())
        .bind(answer.written_by.clone())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(u32::try_from(number).ok())
}

/// Returns the sealed text of an answer; `None`: there is none any more.
pub async fn text(
    connection: &mut AnyConnection,
    invitation: InvitationId,
    slot: MessageSlot,
) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT text_sealed FROM staff_answer WHERE invitation_id = $1 AND number = $2";
    let sealed: Option<Option<Vec<u8>>> = sqlx::query_scalar(sql)
        .bind(invitation.0)
        .bind(i64::from(slot.number))
        .fetch_optional(connection)
        .await?;
    Ok(sealed.flatten())
}

/// Lists the answers to a person, the earliest first.
pub async fn of_invitation(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<StaffAnswer>> {
    let sql = format!(
        "SELECT s.number, s.text_sealed, s.written_by, s.written_at, n.next_at FROM staff_answer s \
         LEFT JOIN next_contact n ON n.invitation_id = s.invitation_id AND n.next_kind = \
         {STAFF_ANSWER} AND n.next_number = s.number
         WHERE s.invitation_id = $1 ORDER BY s.number"
    );
    type Row = (i64, Option<Vec<u8>>, String, i64, Option<i64>);
    let rows: Vec<Row> =
        sqlx::query_as(statement(sql)).bind(invitation.0).fetch_all(connection).await?;
    let answer = |(number, text_sealed, written_by, written_at, due_at): Row| {
        Ok(StaffAnswer {
            number: u32::try_from(number).map_err(|_| DatabaseError::Unreadable {
                what: "the number of an answer",
                value: number.to_string(),
            })?,
            text_sealed,
            written_by,
            written_at: Timestamp(written_at),
            due_at: due_at.map(Timestamp),
        })
    };
    rows.into_iter().map(answer).collect()
}

/// Lists the replies whose answers have not arrived: they could not be sent any more, or the gateway
/// reports that they were not delivered. Those written before `since` are left out.
pub async fn not_arrived(connection: &mut AnyConnection, since: Timestamp) -> Result<Vec<i64>> {
    let sql = format!(
        "SELECT DISTINCT s.reply_id FROM staff_answer s
         LEFT JOIN message m ON m.invitation_id = s.invitation_id AND m.kind = {STAFF_ANSWER} AND \
         m.number = s.number
         LEFT JOIN next_contact n ON n.invitation_id = s.invitation_id AND n.next_kind = \
         {STAFF_ANSWER} AND n.next_number = s.number AND n.next_at IS NOT NULL
         WHERE s.written_at >= $1 AND s.reply_id IS NOT NULL AND s.text_sealed IS NOT NULL
           AND (m.state IN ('refused', 'failed', 'undelivered')
                OR (n.invitation_id IS NULL AND (m.state IS NULL OR m.state = 'deferred')))
           AND NOT EXISTS (SELECT 1 FROM staff_answer later WHERE later.invitation_id = \
           s.invitation_id AND later.number > s.number)
         ORDER BY s.reply_id"
    );
    Ok(sqlx::query_scalar(statement(sql)).bind(since.0).fetch_all(connection).await?)
}
