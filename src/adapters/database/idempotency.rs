//! Stored responses to API requests, by idempotency key.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::time::Timestamp;

/// A request that was begun earlier under the same key.
#[derive(Debug, Clone)]
pub struct StoredResponse {
    /// Fingerprint of the request; it detects a different request under the same key.
    pub fingerprint: String,
    /// 0 while the request is in progress.
    pub status: u16,
    pub body: String,
    pub at: Timestamp,
}

/// Begins a request. Returns `Some` if it was begun before. Entries older than `since` are deleted;
/// until then an unfinished request cannot begin again.
pub async fn begin(
    tx: &mut AnyConnection,
    (token, key, fingerprint): (&str, &str, &str),
    since: Timestamp,
    now: Timestamp,
) -> Result<Option<StoredResponse>> {
    sqlx::query("DELETE FROM idempotency WHERE at < $1").bind(since.0).execute(&mut *tx).await?;
    let sql = "INSERT INTO idempotency (token, key, fingerprint, status, body, at) VALUES ($1, \
        $2, $3, 0, '', $4) ON CONFLICT (token, key) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(token.to_owned())
        .bind(key.to_owned())
        .bind(fingerprint.to_owned())
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 1 {
        return Ok(None);
    }
    let sql = "SELECT fingerprint, status, body, at FROM idempotency WHERE token = $1 AND key = $2";
    let row: Option<(String, i64, String, i64)> =
        sqlx::query_as(sql).bind(token.to_owned()).bind(key.to_owned()).fetch_optional(tx).await?;
    Ok(row.map(|(fingerprint, status, body, at)| StoredResponse {
        fingerprint,
        status: u16::try_from(status).unwrap_or(0),
        body,
        at: Timestamp(at),
    }))
}

/// Stores the response.
pub async fn finish(
    tx: &mut AnyConnection,
    token: &str,
    key: &str,
    status: u16,
    body: &str,
) -> Result<()> {
    let sql = "UPDATE idempotency SET status = $3, body = $4 WHERE token = $1 AND key = $2";
    sqlx::query(sql)
        .bind(token.to_owned())
        .bind(key.to_owned())
        .bind(i64::from(status))
        .bind(body.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Discards a failed request; its key can be used again.
pub async fn discard(tx: &mut AnyConnection, token: &str, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM idempotency WHERE token = $1 AND key = $2")
        .bind(token.to_owned())
        .bind(key.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}
