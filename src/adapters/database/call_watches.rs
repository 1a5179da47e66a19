//! Supervisors who sit beside calls that go on, and the page of each call that its interviewer sees.

use sqlx::AnyConnection;

use super::{Result, decode_enum};
use crate::domain::ids::{AccountId, CallId};
use crate::domain::language::Language;
use crate::domain::time::Timestamp;

/// The page of the questionnaire on an interviewer's screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownPage {
    /// Its place in the questionnaire, from 0.
    pub page: usize,
    pub language: Language,
}

/// Stores the page that the interviewer of a call sees now.
pub async fn show_page(tx: &mut AnyConnection, call: CallId, shown: ShownPage) -> Result<()> {
    let sql = "INSERT INTO call_page (call_id, page, language) VALUES ($1, $2, $3)
               ON CONFLICT (call_id) DO UPDATE SET page = excluded.page, language = \
               excluded.language";
    sqlx::query(sql)
        .bind(call.0)
        .bind(i64::try_from(shown.page).unwrap_or(i64::MAX))
        .bind(shown.language.tag())
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the page that the interviewer of a call sees; `None`: no question yet.
pub async fn shown_page(connection: &mut AnyConnection, call: CallId) -> Result<Option<ShownPage>> {
    let sql = "SELECT page, language FROM call_page WHERE call_id = $1";
    let row: Option<(i64, String)> =
        sqlx::query_as(sql).bind(call.0).fetch_optional(connection).await?;
    let Some((page, language)) = row else { return Ok(None) };
    let language = decode_enum("a language", &language, Language::parse)?;
    Ok(Some(ShownPage { page: usize::try_from(page).unwrap_or_default(), language }))
}

/// Begins to sit beside a call; the look counts until `until`.
pub async fn begin(
    tx: &mut AnyConnection,
    call: CallId,
    account: AccountId,
    until: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO call_watch (call_id, account_id, seen_until) VALUES ($1, $2, $3)
               ON CONFLICT (call_id, account_id) DO UPDATE SET seen_until = excluded.seen_until";
    sqlx::query(sql).bind(call.0).bind(account.0).bind(until.0).execute(tx).await?;
    Ok(())
}

/// Looks again. Returns false if this account does not sit beside the call.
pub async fn look(
    tx: &mut AnyConnection,
    call: CallId,
    account: AccountId,
    until: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE call_watch SET seen_until = $3 WHERE call_id = $1 AND account_id = $2";
    let done = sqlx::query(sql).bind(call.0).bind(account.0).bind(until.0).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Returns whether somebody sits beside a call at this moment.
pub async fn is_watched(
    connection: &mut AnyConnection,
    call: CallId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM call_watch WHERE call_id = $1 AND seen_until > $2";
    let count: i64 = sqlx::query_scalar(sql).bind(call.0).bind(now.0).fetch_one(connection).await?;
    Ok(count > 0)
}

/// Ends it for everybody: the call is over.
pub async fn end(tx: &mut AnyConnection, call: CallId) -> Result<()> {
    for sql in
        ["DELETE FROM call_watch WHERE call_id = $1", "DELETE FROM call_page WHERE call_id = $1"]
    {
        sqlx::query(sql).bind(call.0).execute(&mut *tx).await?;
    }
    Ok(())
}
