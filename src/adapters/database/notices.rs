//! Notices to those responsible. They are written in the transaction of the event that they report,
//! then sent and retried until they arrive or are given up.

use sqlx::AnyConnection;

use super::dialect::Engine;
use super::{Result, WriteTx};
use crate::adapters::config::NoticeChannel;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Notice {
    pub id: i64,
    pub channel: NoticeChannel,
    /// `alarm`, `digest` or `test`.
    pub kind: String,
    pub subject: String,
    pub body: String,
    pub created_at: Timestamp,
    /// `None` once it is sent or given up.
    pub next_at: Option<Timestamp>,
    pub attempt_count: u32,
    pub sent_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

type Row =
    (i64, String, String, String, String, i64, Option<i64>, i64, Option<i64>, Option<String>);
const SELECT: &str = "SELECT id, channel, kind, subject, body, created_at, next_at, \
    attempt_count, sent_at, last_error FROM notice";

fn read(
    (id, channel, kind, subject, body, created_at, next_at, attempt_count, sent_at, last_error): Row,
) -> Result<Notice> {
    Ok(Notice {
        id,
        channel: super::decode_enum("a channel", &channel, NoticeChannel::parse)?,
        kind,
        subject,
        body,
        created_at: Timestamp(created_at),
        next_at: next_at.map(Timestamp),
        attempt_count: u32::try_from(attempt_count).unwrap_or(u32::MAX),
        sent_at: sent_at.map(Timestamp),
        last_error,
    })
}

pub async fn add(
    tx: &mut AnyConnection,
    channel: NoticeChannel,
    kind: &str,
    subject: &str,
    body: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO notice (channel, kind, subject, body, created_at, next_at) VALUES \
        ($1, $2, $3, $4, $5, $5)";
    sqlx::query(sql)
        .bind(channel.as_str())
        .bind(kind.to_owned())
        .bind(subject.to_owned())
        .bind(body.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns when the last notice of a kind was created.
pub async fn last_created(connection: &mut AnyConnection, kind: &str) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar("SELECT MAX(created_at) FROM notice WHERE kind = $1")
        .bind(kind.to_owned())
        .fetch_one(connection)
        .await?;
    Ok(at.map(Timestamp))
}

pub async fn next_due(connection: &mut AnyConnection) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT MIN(next_at) FROM notice WHERE next_at IS NOT NULL")
            .fetch_one(connection)
            .await?;
    Ok(at.map(Timestamp))
}

/// Claims the notice that has been due for longest, for one attempt. If this daemon dies, the
/// notice is due again at `again`; an SMS is not, because it may have been sent.
pub async fn take_due(
    tx: &mut WriteTx,
    now: Timestamp,
    again: Timestamp,
) -> Result<Option<Notice>> {
    let engine: Engine = tx.engine();
    let sql = format!(
        "{SELECT} WHERE next_at <= $1 ORDER BY next_at, id LIMIT 1{}",
        engine.skip_locked()
    );
    let row: Option<Row> = sqlx::query_as(super::dialect::statement(sql))
        .bind(now.0)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let notice = read(row)?;
    let again = (notice.channel != NoticeChannel::Sms).then_some(again.0);
    let sql = "UPDATE notice SET attempt_count = attempt_count + 1, next_at = $2, last_error = \
        $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(notice.id)
        .bind(again)
        .bind(notice.last_error.clone().unwrap_or_else(|| "its try was not finished".into()))
        .execute(&mut **tx)
        .await?;
    Ok(Some(notice))
}

pub async fn set_sent(tx: &mut AnyConnection, id: i64, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE notice SET sent_at = $2, next_at = NULL, last_error = NULL WHERE id = $1")
        .bind(id)
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Records a failed attempt. `next` is the time of the next attempt; `None` gives the notice up.
pub async fn set_failed(
    tx: &mut AnyConnection,
    id: i64,
    next: Option<Timestamp>,
    last_error: &str,
) -> Result<()> {
    let sql = "UPDATE notice SET next_at = $2, last_error = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(id)
        .bind(next.map(|at| at.0))
        .bind(last_error.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the latest notices, newest first.
pub async fn latest(connection: &mut AnyConnection, most: u32) -> Result<Vec<Notice>> {
    let sql = super::dialect::statement(format!("{SELECT} ORDER BY id DESC LIMIT $1"));
    let rows: Vec<Row> = sqlx::query_as(sql).bind(i64::from(most)).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}
