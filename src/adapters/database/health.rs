//! Counts for monitoring: due work, messages by gateway, and the database's clock.

use sqlx::AnyConnection;

use super::Result;
use super::dialect::{Engine, statement};
use crate::domain::time::Timestamp;

/// Returns, for each running campaign, the number of due invitations and since when the first of
/// them is due.
pub async fn due_by_campaign(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<(String, u64, Option<Timestamp>)>> {
    let sql = "SELECT c.code, COUNT(n.next_at), MIN(n.next_at) FROM campaign c
               LEFT JOIN next_contact n ON n.campaign_id = c.id AND n.next_at <= $1 WHERE \
               c.state = 'running' GROUP BY c.code ORDER BY c.code";
    let rows: Vec<(String, i64, Option<i64>)> =
        sqlx::query_as(sql).bind(now.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(code, due, since)| (code, u64::try_from(due).unwrap_or(0), since.map(Timestamp)))
        .collect())
}

/// Counts the messages of each gateway by state, and those submitted since a moment.
pub async fn messages(
    connection: &mut AnyConnection,
    since: Timestamp,
) -> Result<Vec<(String, String, u64, u64)>> {
    let sql = "SELECT gateway, state, COUNT(*), COUNT(CASE WHEN submitted_at >= $1 THEN 1 END) \
        FROM message GROUP BY gateway, state ORDER BY gateway, state";
    let rows: Vec<(String, String, i64, i64)> =
        sqlx::query_as(sql).bind(since.0).fetch_all(connection).await?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(rows
        .into_iter()
        .map(|(gateway, state, all, lately)| (gateway, state, count(all), count(lately)))
        .collect())
}

/// Returns the durations, in seconds, of the interviews completed since a moment.
pub async fn interview_seconds(
    connection: &mut AnyConnection,
    since: Timestamp,
) -> Result<Vec<i64>> {
    let sql = "SELECT (completed_at - started_at) / 1000 FROM response WHERE completed_at >= $1 \
        ORDER BY 1";
    Ok(sqlx::query_scalar(sql).bind(since.0).fetch_all(connection).await?)
}

/// Returns the latest chance of each application in the field.
pub async fn chances(connection: &mut AnyConnection) -> Result<Vec<(String, f64)>> {
    let sql = "SELECT a.code, f.chance FROM application a JOIN forecast f ON f.application_id = \
        a.id
               WHERE a.state = 'in_field' AND f.made_at = (SELECT MAX(l.made_at) FROM forecast l \
               WHERE l.application_id = a.id) ORDER BY a.code";
    Ok(sqlx::query_as(sql).fetch_all(connection).await?)
}

/// Counts the people who may be called now.
pub async fn calls_due(connection: &mut AnyConnection, now: Timestamp) -> Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM call_queue WHERE next_at <= $1")
        .bind(now.0)
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Returns the database's own time, if it has a clock, and the latest stored time, which no clock
/// may be behind.
pub async fn clocks(
    connection: &mut AnyConnection,
) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let own = match Engine::of_connection(connection) {
        Engine::Sqlite => None,
        Engine::Postgres => {
            let sql = statement(
                "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)".to_owned(),
            );
            Some(Timestamp(sqlx::query_scalar(sql).fetch_one(&mut *connection).await?))
        }
    };
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT at FROM audit_entry WHERE via <> 'before' ORDER BY number DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    Ok((own, last.map(Timestamp)))
}
