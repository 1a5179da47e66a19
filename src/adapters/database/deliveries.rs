//! Deliveries of datasets by channel, and the verdicts of the scoring step.

use serde_json::json;
use sqlx::AnyConnection;

use super::datasets::Dataset;
use super::dialect::{Engine, statement};
use super::{Result, WriteTx, decode_enum, events};
use crate::domain::event::EventKind;
use crate::domain::time::Timestamp;

/// A channel to the scoring step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryChannel {
    /// Copied into a folder.
    Folder,
    /// Uploaded to an S3 bucket.
    S3,
    /// Announced to a webhook.
    Webhook,
}

impl DeliveryChannel {
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryChannel::Folder => "folder",
            DeliveryChannel::S3 => "s3",
            DeliveryChannel::Webhook => "webhook",
        }
    }

    fn parse(raw: &str) -> Option<DeliveryChannel> {
        [DeliveryChannel::Folder, DeliveryChannel::S3, DeliveryChannel::Webhook]
            .into_iter()
            .find(|channel| channel.as_str() == raw)
    }
}

#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: i64,
    pub dataset: i64,
    /// `A1 final 2`.
    pub application_code: String,
    pub kind: String,
    pub version: u32,
    pub channel: DeliveryChannel,
    pub created_at: Timestamp,
    /// `None` once it is delivered or given up.
    pub next_at: Option<Timestamp>,
    pub attempt_count: u32,
    pub arrived_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

type Row =
    (i64, i64, String, String, i64, String, i64, Option<i64>, i64, Option<i64>, Option<String>);
const SELECT: &str = "SELECT d.id, d.dataset_id, a.code, s.kind, s.version, d.channel, \
    d.created_at, d.next_at, d.attempt_count, d.arrived_at, d.last_error
                      FROM delivery d JOIN dataset s ON s.id = d.dataset_id JOIN application a \
                      ON a.id = s.application_id";

fn read(
    (
        id,
        dataset,
        application_code,
        kind,
        version,
        channel,
        created_at,
        next_at,
        attempt_count,
        arrived_at,
        last_error,
    ): Row,
) -> Result<Delivery> {
    Ok(Delivery {
        id,
        dataset,
        application_code,
        kind,
        version: u32::try_from(version).unwrap_or(0),
        channel: decode_enum("a channel of delivery", &channel, DeliveryChannel::parse)?,
        created_at: Timestamp(created_at),
        next_at: next_at.map(Timestamp),
        attempt_count: u32::try_from(attempt_count).unwrap_or(u32::MAX),
        arrived_at: arrived_at.map(Timestamp),
        last_error,
    })
}

/// Schedules the delivery of a dataset on one channel, once.
pub async fn schedule(
    tx: &mut AnyConnection,
    dataset: i64,
    channel: DeliveryChannel,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO delivery (dataset_id, channel, created_at, next_at) VALUES ($1, $2, \
        $3, $3) ON CONFLICT (dataset_id, channel) DO NOTHING";
    sqlx::query(sql).bind(dataset).bind(channel.as_str()).bind(now.0).execute(tx).await?;
    Ok(())
}

/// Schedules deliveries again that were given up, or were delivered and lost by the receiver.
pub async fn schedule_again(tx: &mut AnyConnection, dataset: i64, now: Timestamp) -> Result<u64> {
    let sql = "UPDATE delivery SET next_at = $2, attempt_count = 0, arrived_at = NULL, \
        last_error = NULL, notified_at = NULL WHERE dataset_id = $1";
    Ok(sqlx::query(sql).bind(dataset).bind(now.0).execute(tx).await?.rows_affected())
}

/// Claims the delivery that has been due for longest, for one attempt. If this daemon dies, the
/// delivery is due again at `again`. A webhook waits until the dataset's other channels have no
/// pending attempt.
pub async fn take_due(
    tx: &mut WriteTx,
    now: Timestamp,
    again: Timestamp,
) -> Result<Option<Delivery>> {
    let engine: Engine = tx.engine();
    let of_delivery =
        if engine.skip_locked().is_empty() { "" } else { " FOR UPDATE OF d SKIP LOCKED" };
    let sql = format!(
        "{SELECT} WHERE d.next_at <= $1 AND (d.channel <> 'webhook' OR NOT EXISTS (
             SELECT 1 FROM delivery o WHERE o.dataset_id = d.dataset_id AND o.channel <> \
             'webhook' AND o.next_at IS NOT NULL))
         ORDER BY d.next_at, d.id LIMIT 1{of_delivery}"
    );
    let row: Option<Row> =
        sqlx::query_as(statement(sql)).bind(now.0).fetch_optional(&mut **tx).await?;
    let Some(row) = row else { return Ok(None) };
    let delivery = read(row)?;
    let sql = "UPDATE delivery SET attempt_count = attempt_count + 1, next_at = $2 WHERE id = $1";
    sqlx::query(sql).bind(delivery.id).bind(again.0).execute(&mut **tx).await?;
    Ok(Some(delivery))
}

pub async fn next_due(connection: &mut AnyConnection) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT MIN(next_at) FROM delivery WHERE next_at IS NOT NULL")
            .fetch_one(connection)
            .await?;
    Ok(at.map(Timestamp))
}

pub async fn set_arrived(tx: &mut AnyConnection, id: i64, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE delivery SET arrived_at = $2, next_at = NULL, last_error = NULL WHERE id = $1",
    )
    .bind(id)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Records a failed attempt. `next` is the time of the next attempt; `None` gives the delivery up.
pub async fn set_failed(
    tx: &mut AnyConnection,
    id: i64,
    next: Option<Timestamp>,
    last_error: &str,
) -> Result<()> {
    let sql = "UPDATE delivery SET next_at = $2, last_error = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(id)
        .bind(next.map(|at| at.0))
        .bind(last_error.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Delivery>> {
    let sql = statement(format!("{SELECT} ORDER BY d.id"));
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}

/// The scoring step's verdict on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub is_accepted: bool,
    pub reason: String,
    pub actor: String,
    pub at: Timestamp,
}

/// Records a verdict. Returns false if there already is one.
pub async fn record_verdict(
    tx: &mut AnyConnection,
    dataset: &Dataset,
    verdict: &Verdict,
) -> Result<bool> {
    let sql = "INSERT INTO verdict (dataset_id, is_accepted, reason, actor, at) VALUES ($1, $2, \
        $3, $4, $5) ON CONFLICT (dataset_id) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(dataset.id)
        .bind(i64::from(verdict.is_accepted))
        .bind(verdict.reason.clone())
        .bind(verdict.actor.clone())
        .bind(verdict.at.0)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let kind =
        if verdict.is_accepted { EventKind::DatasetAccepted } else { EventKind::DatasetRejected };
    let data =
        json!({ "application": dataset.application_code, "version": dataset.version_name() });
    events::publish(tx, kind, &data, verdict.at).await?;
    Ok(true)
}

/// Returns the verdict on a version.
pub async fn verdict(connection: &mut AnyConnection, dataset: i64) -> Result<Option<Verdict>> {
    let sql = "SELECT is_accepted, reason, actor, at FROM verdict WHERE dataset_id = $1";
    let row: Option<(i64, String, String, i64)> =
        sqlx::query_as(sql).bind(dataset).fetch_optional(connection).await?;
    Ok(row.map(|(is_accepted, reason, actor, at)| Verdict {
        is_accepted: is_accepted == 1,
        reason,
        actor,
        at: Timestamp(at),
    }))
}

/// A version that did not reach the scoring step properly: it was rejected, or its delivery was
/// given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryProblem {
    pub application_code: String,
    pub kind: String,
    pub version: u32,
    /// The channel of the failed delivery; `None` for a rejected version.
    pub channel: Option<DeliveryChannel>,
    /// The scoring step's reason, or the error of the last attempt.
    pub reason: String,
    /// When the version was rejected or its delivery was scheduled.
    pub since: Timestamp,
    pub notified_at: Option<Timestamp>,
}

/// Lists open problems: rejected versions without a later one, and deliveries that were given up.
/// Those that have not been notified come first.
pub async fn open_problems(connection: &mut AnyConnection) -> Result<Vec<DeliveryProblem>> {
    let sql = "SELECT p.code, p.kind, p.version, p.channel, p.reason, p.at, p.notified_at FROM (
                   SELECT a.code, s.kind, s.version, NULL AS channel, v.reason, v.notified_at, v.at
                   FROM verdict v JOIN dataset s ON s.id = v.dataset_id JOIN application a ON \
                   a.id = s.application_id
                   WHERE v.is_accepted = 0 AND NOT EXISTS (
                       SELECT 1 FROM dataset o WHERE o.application_id = s.application_id AND \
                       o.kind = s.kind AND o.version > s.version)
                   UNION ALL
                   SELECT a.code, s.kind, s.version, d.channel, COALESCE(d.last_error, ''), \
                   d.notified_at, d.created_at
                   FROM delivery d JOIN dataset s ON s.id = d.dataset_id JOIN application a ON \
                   a.id = s.application_id
                   WHERE d.arrived_at IS NULL AND d.next_at IS NULL) p
               ORDER BY CASE WHEN p.notified_at IS NULL THEN 0 ELSE 1 END, p.at, p.code";
    type Row = (String, String, i64, Option<String>, String, i64, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    let read = |(application_code, kind, version, channel, reason, since, notified_at): Row| {
        Ok(DeliveryProblem {
            application_code,
            kind,
            version: u32::try_from(version).unwrap_or(0),
            channel: channel
                .map(|channel| {
                    decode_enum("a channel of delivery", &channel, DeliveryChannel::parse)
                })
                .transpose()?,
            reason,
            since: Timestamp(since),
            notified_at: notified_at.map(Timestamp),
        })
    };
    rows.into_iter().map(read).collect()
}

/// Records that everything listed by [`open_problems`] has been notified.
pub async fn mark_problems_notified(tx: &mut WriteTx, now: Timestamp) -> Result<()> {
    let sql = "UPDATE verdict SET notified_at = $1 WHERE notified_at IS NULL AND is_accepted = 0";
    sqlx::query(sql).bind(now.0).execute(&mut **tx).await?;
    let sql = "UPDATE delivery SET notified_at = $1 WHERE notified_at IS NULL AND arrived_at IS \
        NULL AND next_at IS NULL";
    sqlx::query(sql).bind(now.0).execute(&mut **tx).await?;
    Ok(())
}
