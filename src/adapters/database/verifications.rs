//! Verifications: completed telephone interviews that were drawn for a check, and the respondents'
//! answers.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{AccountId, ApplicationId, CallId, InvitationId};
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Verification {
    pub id: i64,
    pub call: CallId,
    pub invitation: InvitationId,
    /// The account that conducted the interview.
    pub interviewer: AccountId,
    pub interviewer_name: String,
    pub interviewed_at: Timestamp,
    pub taken_by: Option<AccountId>,
    pub verified_at: Option<Timestamp>,
    /// `sound` or `doubtful`, or the outcome of a call without a result.
    pub outcome: Option<String>,
}

const SELECT: &str = "SELECT v.id, v.call_id, v.invitation_id, c.account_id, a.name, c.begun_at, \
    v.taken_by, v.verified_at, v.outcome
                      FROM verification v JOIN phone_call c ON c.id = v.call_id JOIN account a \
                      ON a.id = c.account_id";

fn read(row: &AnyRow) -> Result<Verification> {
    Ok(Verification {
        id: row.try_get("id")?,
        call: CallId(row.try_get("call_id")?),
        invitation: InvitationId(row.try_get("invitation_id")?),
        interviewer: AccountId(row.try_get("account_id")?),
        interviewer_name: row.try_get("name")?,
        interviewed_at: Timestamp(row.try_get("begun_at")?),
        taken_by: row.try_get::<Option<i64>, _>("taken_by")?.map(AccountId),
        verified_at: row.try_get::<Option<i64>, _>("verified_at")?.map(Timestamp),
        outcome: row.try_get("outcome")?,
    })
}

/// Returns completed telephone interviews that have been neither drawn nor passed over yet, with
/// their interviewers.
pub async fn candidates(
    connection: &mut AnyConnection,
) -> Result<Vec<(CallId, InvitationId, AccountId)>> {
    let sql = "SELECT c.id, c.invitation_id, c.account_id FROM phone_call c
               WHERE c.outcome = 'interviewed' AND c.purpose = 'interview' AND NOT EXISTS \
               (SELECT 1 FROM verification v WHERE v.call_id = c.id)
                 AND EXISTS (SELECT 1 FROM survey_case s WHERE s.invitation_id = c.invitation_id \
                 AND s.disposition = '1.1')
               ORDER BY c.id";
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(call, invitation, account)| {
            (CallId(call), InvitationId(invitation), AccountId(account))
        })
        .collect())
}

pub async fn insert_drawn(
    tx: &mut AnyConnection,
    drawn: &[(CallId, InvitationId)],
    now: Timestamp,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO verification (call_id, invitation_id, drawn_at) SELECT v.call_id, \
            v.invitation_id, $1 FROM ({}) AS v WHERE true
         ON CONFLICT (call_id) DO NOTHING",
        Engine::of_connection(tx).select_rows(
            2,
            &[("call_id", ColumnType::Number), ("invitation_id", ColumnType::Number)]
        )
    );
    sqlx::query(statement(sql))
        .bind(now.0)
        .bind(to_param(drawn.iter().map(|(call, id)| (call.0, id.0))))
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the latest verifications, pending ones first.
pub async fn all(connection: &mut AnyConnection, most: u32) -> Result<Vec<Verification>> {
    let sql = statement(format!(
        "{SELECT} ORDER BY CASE WHEN v.verified_at IS NULL THEN 0 ELSE 1 END, v.id DESC LIMIT $1"
    ));
    sqlx::query(sql).bind(i64::from(most)).fetch_all(connection).await?.iter().map(read).collect()
}

pub async fn find(connection: &mut AnyConnection, id: i64) -> Result<Option<Verification>> {
    let sql = statement(format!("{SELECT} WHERE v.id = $1"));
    sqlx::query(sql).bind(id).fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Returns the verification that an account has claimed and not finished: there is one at most.
pub async fn claimed_by(connection: &mut AnyConnection, account: AccountId) -> Result<Option<i64>> {
    let sql = "SELECT id FROM verification WHERE taken_by = $1 AND verified_at IS NULL";
    Ok(sqlx::query_scalar(sql).bind(account.0).fetch_optional(connection).await?)
}

/// Claims a verification. Returns false if it is claimed by somebody else or finished.
pub async fn claim(tx: &mut AnyConnection, id: i64, by: AccountId, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE verification SET taken_by = $2, taken_at = $3 WHERE id = $1 AND \
        verified_at IS NULL AND (taken_by IS NULL OR taken_by = $2)";
    Ok(sqlx::query(sql).bind(id).bind(by.0).bind(now.0).execute(tx).await?.rows_affected() == 1)
}

/// Returns a verification that could not be made now to the pool.
pub async fn return_to_pool(tx: &mut AnyConnection, id: i64) -> Result<()> {
    sqlx::query(
        "UPDATE verification SET taken_by = NULL, taken_at = NULL WHERE id = $1 AND \
        verified_at IS NULL",
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Stores the respondent's answers. `answers` is JSON of option codes by item.
pub async fn finish(
    tx: &mut AnyConnection,
    id: i64,
    outcome: &str,
    answers: &str,
    comment_sealed: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE verification SET verified_at = $2, outcome = $3, answers = $4, \
        comment_sealed = $5 WHERE id = $1 AND verified_at IS NULL";
    let done = sqlx::query(sql)
        .bind(id)
        .bind(now.0)
        .bind(outcome.to_owned())
        .bind(answers.to_owned())
        .bind(comment_sealed)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts the completes of an application that were verified, and the doubtful ones among them.
pub async fn of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<(u64, u64)> {
    let sql = "SELECT COUNT(DISTINCT c.id), COUNT(DISTINCT CASE WHEN v.outcome = 'doubtful' THEN \
        c.id END) FROM survey_case c JOIN verification v ON v.invitation_id = c.invitation_id
               WHERE c.application_id = $1 AND c.disposition = $2 AND v.outcome IN ('sound', \
               'doubtful')";
    let (verified, doubtful): (i64, i64) = sqlx::query_as(sql)
        .bind(application.0)
        .bind(Disposition::Complete.code())
        .fetch_one(connection)
        .await?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok((number(verified), number(doubtful)))
}

/// Counts, for each interviewer, the verified interviews and the doubtful ones among them.
pub async fn by_interviewer(connection: &mut AnyConnection) -> Result<Vec<(AccountId, u32, u32)>> {
    let sql = "SELECT c.account_id, COUNT(*), COUNT(CASE WHEN v.outcome = 'doubtful' THEN 1 END)
               FROM verification v JOIN phone_call c ON c.id = v.call_id WHERE v.outcome IN \
               ('sound', 'doubtful') GROUP BY c.account_id ORDER BY c.account_id";
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    let number = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(rows
        .into_iter()
        .map(|(account, verified, doubtful)| {
            (AccountId(account), number(verified), number(doubtful))
        })
        .collect())
}
