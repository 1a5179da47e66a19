//! Work of the daemon's loops that fails again and again.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::time::Timestamp;

/// A piece of work that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckWork {
    pub kind: String,
    /// What it is done for: an application's code, a campaign's, a row's number.
    pub item: String,
    /// The last error.
    pub problem: String,
    pub attempt_count: u32,
    pub since: Timestamp,
    pub retry_at: Timestamp,
}

type Row = (String, String, String, i64, i64, i64);

fn read((kind, item, problem, attempt_count, since, retry_at): Row) -> StuckWork {
    StuckWork {
        kind,
        item,
        problem,
        attempt_count: u32::try_from(attempt_count).unwrap_or(u32::MAX),
        since: Timestamp(since),
        retry_at: Timestamp(retry_at),
    }
}

/// Lists the failed work of a kind.
pub async fn of_kind(connection: &mut AnyConnection, kind: &str) -> Result<Vec<StuckWork>> {
    let sql = "SELECT kind, item, problem, attempt_count, since, retry_at FROM stuck_work WHERE \
        kind = $1";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(kind.to_owned()).fetch_all(connection).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Lists all work that has failed at least `attempts` times, the oldest first.
pub async fn list(connection: &mut AnyConnection, attempts: u32) -> Result<Vec<StuckWork>> {
    let sql = "SELECT kind, item, problem, attempt_count, since, retry_at FROM stuck_work WHERE \
        attempt_count >= $1 ORDER BY since, kind, item";
    let rows: Vec<Row> =
        sqlx::query_as(sql).bind(i64::from(attempts)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Stores a failure, in place of an earlier one.
pub async fn save(tx: &mut AnyConnection, work: &StuckWork) -> Result<()> {
    let sql =
        "INSERT INTO stuck_work (kind, item, problem, attempt_count, since, retry_at) VALUES \
        ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (kind, item) DO UPDATE SET problem = excluded.problem, attempt_count = \
        excluded.attempt_count, retry_at = excluded.retry_at";
    sqlx::query(sql)
        .bind(work.kind.clone())
        .bind(work.item.clone())
        .bind(work.problem.clone())
        .bind(i64::from(work.attempt_count))
        .bind(work.since.0)
        .bind(work.retry_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Removes work that has succeeded.
pub async fn remove(tx: &mut AnyConnection, kind: &str, item: &str) -> Result<()> {
    sqlx::query("DELETE FROM stuck_work WHERE kind = $1 AND item = $2")
        .bind(kind.to_owned())
        .bind(item.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Makes all failed work due now.
pub async fn retry_all(tx: &mut AnyConnection, now: Timestamp) -> Result<u64> {
    Ok(sqlx::query("UPDATE stuck_work SET retry_at = $1 WHERE retry_at > $1")
        .bind(now.0)
        .execute(tx)
        .await?
        .rows_affected())
}
