//! The state of SMS interviews.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;

/// An item of one of the invitation's cases: the case's position in the invitation, and the item's
/// id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedQuestion {
    pub place: usize,
    pub item: String,
}

#[derive(Debug, Clone)]
pub struct SmsInterview {
    pub invitation: InvitationId,
    pub is_asking: bool,
    /// Number of questions asked so far, corrections included, from 0.
    pub question_seq: u32,
    pub current: AskedQuestion,
    pub text_sealed: Vec<u8>,
    /// Number of replies to the current item that were not understood.
    pub unclear_count: u32,
    /// The previous item, and when the reply that answered it was sent.
    pub previous: Option<(AskedQuestion, Timestamp)>,
}

fn read(row: &AnyRow) -> Result<SmsInterview> {
    let number = |column: &str| {
        Ok::<_, sqlx::Error>(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
    };
    let previous_item: Option<String> = row.try_get("previous_item")?;
    let (previous_case_position, previous_at): (Option<i64>, Option<i64>) =
        (row.try_get("previous_case_position")?, row.try_get("previous_at")?);
    let place = |place: i64| usize::try_from(place).unwrap_or(0);
    Ok(SmsInterview {
        invitation: InvitationId(row.try_get("invitation_id")?),
        is_asking: row.try_get::<String, _>("state")? == "asking",
        question_seq: number("question_seq")?,
        current: AskedQuestion {
            place: place(row.try_get("case_position")?),
            item: row.try_get("item")?,
        },
        text_sealed: row.try_get("text_sealed")?,
        unclear_count: number("unclear_count")?,
        previous: previous_item.map(|item| {
            (
                AskedQuestion { place: place(previous_case_position.unwrap_or(0)), item },
                Timestamp(previous_at.unwrap_or(0)),
            )
        }),
    })
}

const SELECT: &str = "SELECT invitation_id, state, question_seq, case_position, item, \
    text_sealed, unclear_count, previous_case_position, previous_item, previous_at FROM \
    sms_interview";

/// Returns the current interview with a number. There is at most one, across all lists that contain
/// the number.
pub async fn find_by_phone(
    connection: &mut AnyConnection,
    phone_hash: &str,
) -> Result<Option<SmsInterview>> {
    let sql = statement(format!(
        "{SELECT} WHERE phone_hash = $1 AND state = 'asking' ORDER BY changed_at DESC LIMIT 1"
    ));
    sqlx::query(sql)
        .bind(phone_hash.to_owned())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

pub async fn find(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Option<SmsInterview>> {
    let sql = statement(format!("{SELECT} WHERE invitation_id = $1"));
    sqlx::query(sql)
        .bind(invitation.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

pub async fn put(
    tx: &mut AnyConnection,
    interview: &SmsInterview,
    phone_hash: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO sms_interview (invitation_id, phone_hash, state, question_seq, \
        case_position, item, text_sealed, unclear_count, previous_case_position, previous_item,
                                          previous_at, changed_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
               ON CONFLICT (invitation_id) DO UPDATE SET state = excluded.state, question_seq = \
               excluded.question_seq, case_position = excluded.case_position,
                   item = excluded.item, text_sealed = excluded.text_sealed, unclear_count = \
                   excluded.unclear_count, previous_case_position = \
                   excluded.previous_case_position,
                   previous_item = excluded.previous_item, previous_at = excluded.previous_at, \
                   changed_at = excluded.changed_at";
    let place = |question: &AskedQuestion| i64::try_from(question.place).unwrap_or(0);
    let previous = interview.previous.as_ref();
    sqlx::query(sql)
        .bind(interview.invitation.0)
        .bind(phone_hash.to_owned())
        .bind(if interview.is_asking { "asking" } else { "ended" })
        .bind(i64::from(interview.question_seq))
        .bind(place(&interview.current))
        .bind(interview.current.item.clone())
        .bind(interview.text_sealed.clone())
        .bind(i64::from(interview.unclear_count))
        .bind(previous.map(|(question, _)| place(question)))
        .bind(previous.map(|(question, _)| question.item.clone()))
        .bind(previous.map(|(_, at)| at.0))
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends the interview with a number.
pub async fn end_by_phone(tx: &mut AnyConnection, phone_hash: &str) -> Result<()> {
    let sql = "UPDATE sms_interview SET state = 'ended' WHERE phone_hash = $1";
    sqlx::query(sql).bind(phone_hash.to_owned()).execute(tx).await?;
    Ok(())
}

/// Returns the question texts of these invitations, by the message that asks.
pub async fn texts(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<HashMap<(InvitationId, u32), Vec<u8>>> {
    let sql = format!(
        "SELECT invitation_id, question_seq, text_sealed FROM sms_interview WHERE invitation_id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(statement(sql))
        .bind(to_param(invitations.iter().map(|i| i.0)))
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, seq, text)| ((InvitationId(id), u32::try_from(seq).unwrap_or(0)), text))
        .collect())
}

/// Returns the numbers whose interview has progressed since a moment, with its invitation.
pub async fn under_way(
    connection: &mut AnyConnection,
    phone_hashes: &[String],
    since: Timestamp,
) -> Result<HashMap<String, InvitationId>> {
    let sql = format!(
        "SELECT phone_hash, invitation_id FROM sms_interview WHERE state = 'asking' AND \
            changed_at >= $2 AND phone_hash {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Text)
    );
    let rows: Vec<(String, i64)> = sqlx::query_as(statement(sql))
        .bind(to_param(phone_hashes))
        .bind(since.0)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(hash, id)| (hash, InvitationId(id))).collect())
}
