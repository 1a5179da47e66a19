//! Events for other systems. The functions in `adapters/database/` that make a change also write
//! its event, in the same transaction: no event is lost, and none reports a change that did not
//! happen. Each delivery is retried until it arrives or is deleted for its age.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::dialect::statement;
use super::{Result, decode_enum};
use crate::domain::event::{EventKind, event_body};
use crate::domain::ids::{ApplicationId, CampaignId};
use crate::domain::time::Timestamp;
use crate::domain::webhook_state::WebhookState;

/// An address that receives events.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: i64,
    pub name: String,
    pub url: String,
    /// Subscribed kinds; empty means all.
    pub kinds: Vec<EventKind>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub secret: SecretTimes,
    /// Number of consecutive failed attempts.
    pub failures: u32,
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before this time.
    pub retry_at: Timestamp,
    pub last_error: Option<String>,
    /// Attempts at the event that was tried most often and has not arrived.
    pub most_tries: u32,
    /// The state of which those responsible were told last.
    pub notified: Option<String>,
}

impl Endpoint {
    pub fn state(&self, now: Timestamp) -> WebhookState {
        WebhookState::of(
            self.retry_at == NEVER_AGAIN,
            self.failures,
            self.failing_since.map(|since| now.since(since)),
            self.most_tries,
        )
    }
}

/// When an endpoint's secrets were made; they are derived from these times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretTimes {
    pub current: Timestamp,
    /// The secret before the last rotation.
    pub previous: Option<Timestamp>,
}

/// The delivery of an event to one endpoint.
#[derive(Debug, Clone)]
pub struct EventDelivery {
    pub id: i64,
    /// The event's code, or `webhook.test`.
    pub kind: String,
    pub body: String,
    pub created_at: Timestamp,
    /// `None` once it is delivered; earlier versions also gave events up after 12 attempts.
    pub next_at: Option<Timestamp>,
    pub attempt_count: u32,
    pub arrived_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

const ENDPOINT: &str = "SELECT id, name, url, kinds, created_by, created_at, secret_made_at, \
    previous_secret_made_at, failures, failing_since, retry_at, last_error, notified, \
    COALESCE((SELECT MAX(d.attempt_count) FROM event_delivery d WHERE d.endpoint_id = \
    event_endpoint.id AND d.arrived_at IS NULL), 0) AS most_tries FROM event_endpoint";

fn read_endpoint(row: &AnyRow) -> Result<Endpoint> {
    let kinds: String = row.try_get("kinds")?;
    let failures: i64 = row.try_get("failures")?;
    Ok(Endpoint {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        url: row.try_get("url")?,
        kinds: kinds
            .split_whitespace()
            .map(|kind| decode_enum("an event", kind, EventKind::parse))
            .collect::<Result<_>>()?,
        created_by: row.try_get("created_by")?,
        created_at: Timestamp(row.try_get("created_at")?),
        secret: SecretTimes {
            current: Timestamp(row.try_get("secret_made_at")?),
            previous: row.try_get::<Option<i64>, _>("previous_secret_made_at")?.map(Timestamp),
        },
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        failing_since: row.try_get::<Option<i64>, _>("failing_since")?.map(Timestamp),
        retry_at: Timestamp(row.try_get("retry_at")?),
        last_error: row.try_get("last_error")?,
        most_tries: u32::try_from(row.try_get::<i64, _>("most_tries")?).unwrap_or(u32::MAX),
        notified: row.try_get("notified")?,
    })
}

const DELIVERY: &str = "SELECT id, kind, body, created_at, next_at, attempt_count, arrived_at, \
    last_error FROM event_delivery";

fn read_delivery(row: &AnyRow) -> Result<EventDelivery> {
    let attempt_count: i64 = row.try_get("attempt_count")?;
    Ok(EventDelivery {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        body: row.try_get("body")?,
        created_at: Timestamp(row.try_get("created_at")?),
        next_at: row.try_get::<Option<i64>, _>("next_at")?.map(Timestamp),
        attempt_count: u32::try_from(attempt_count).unwrap_or(u32::MAX),
        arrived_at: row.try_get::<Option<i64>, _>("arrived_at")?.map(Timestamp),
        last_error: row.try_get("last_error")?,
    })
}

/// Adds an endpoint. Returns false if the name is taken.
pub async fn add_endpoint(tx: &mut AnyConnection, new: &Endpoint) -> Result<bool> {
    let sql = "INSERT INTO event_endpoint (name, url, kinds, created_by, created_at, \
        secret_made_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";
    let kinds: Vec<&str> = new.kinds.iter().map(|kind| kind.code()).collect();
    let done = sqlx::query(sql)
        .bind(new.name.clone())
        .bind(new.url.clone())
        .bind(kinds.join(" "))
        .bind(new.created_by.clone())
        .bind(new.created_at.0)
        .bind(new.secret.current.0)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces an endpoint's secret; the present one becomes the previous one.
pub async fn rotate_secret(
    tx: &mut AnyConnection,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE event_endpoint SET secret_made_at = $2, previous_secret_made_at = $3 WHERE \
        id = $1";
    sqlx::query(sql)
        .bind(endpoint.id)
        .bind(now.0)
        .bind(endpoint.secret.current.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Removes an endpoint with its pending deliveries. Returns false if there is no such endpoint.
pub async fn remove_endpoint(tx: &mut AnyConnection, name: &str) -> Result<bool> {
    let sql = "DELETE FROM event_delivery WHERE endpoint_id IN (SELECT id FROM event_endpoint \
        WHERE name = $1)";
    sqlx::query(sql).bind(name.to_owned()).execute(&mut *tx).await?;
    Ok(sqlx::query("DELETE FROM event_endpoint WHERE name = $1")
        .bind(name.to_owned())
        .execute(tx)
        .await?
        .rows_affected()
        == 1)
}

pub async fn endpoints(connection: &mut AnyConnection) -> Result<Vec<Endpoint>> {
    sqlx::query(statement(format!("{ENDPOINT} ORDER BY name")))
        .fetch_all(connection)
        .await?
        .iter()
        .map(read_endpoint)
        .collect()
}

/// Like [`endpoints`], without those whose row cannot be read: they are stuck work of their own, and
/// hide no other.
pub async fn readable_endpoints(connection: &mut AnyConnection) -> Result<Vec<Endpoint>> {
    let rows = sqlx::query(statement(format!("{ENDPOINT} ORDER BY name"))).fetch_all(connection);
    Ok(rows.await?.iter().filter_map(|row| read_endpoint(row).ok()).collect())
}

pub async fn endpoint(connection: &mut AnyConnection, name: &str) -> Result<Option<Endpoint>> {
    let sql = statement(format!("{ENDPOINT} WHERE name = $1"));
    sqlx::query(sql)
        .bind(name.to_owned())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read_endpoint)
        .transpose()
}

/// The retry time of an endpoint that reported itself gone for good: it gets nothing more.
pub const NEVER_AGAIN: Timestamp = Timestamp(i64::MAX);

/// Condition on endpoints: subscribed to the kind in parameter 1.
const IS_SUBSCRIBED: &str = "retry_at < 9223372036854775807 AND (kinds = '' OR ' ' || kinds || ' \
    ' LIKE '% ' || CAST($1 AS TEXT) || ' %')";

/// Returns whether any endpoint is subscribed to this kind.
pub async fn has_subscribers(connection: &mut AnyConnection, kind: EventKind) -> Result<bool> {
    let sql = statement(format!("SELECT COUNT(*) FROM event_endpoint WHERE {IS_SUBSCRIBED}"));
    let count: i64 = sqlx::query_scalar(sql).bind(kind.code()).fetch_one(connection).await?;
    Ok(count > 0)
}

/// Publishes an event to all subscribed endpoints.
pub async fn publish(
    tx: &mut AnyConnection,
    kind: EventKind,
    data: &Value,
    now: Timestamp,
) -> Result<()> {
    let sql = statement(format!(
        "INSERT INTO event_delivery (endpoint_id, kind, body, created_at, next_at)
         SELECT id, CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($3 AS BIGINT) \
         FROM event_endpoint WHERE {IS_SUBSCRIBED}"
    ));
    sqlx::query(sql)
        .bind(kind.code())
        .bind(event_body(kind.code(), data, now))
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Publishes an event to one endpoint, regardless of its subscriptions.
pub async fn publish_to(
    tx: &mut AnyConnection,
    endpoint: i64,
    code: &str,
    data: &Value,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO event_delivery (endpoint_id, kind, body, created_at, next_at) VALUES \
        ($1, $2, $3, $4, $4)";
    sqlx::query(sql)
        .bind(endpoint)
        .bind(code.to_owned())
        .bind(event_body(code, data, now))
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn application_code(
    connection: &mut AnyConnection,
    id: ApplicationId,
) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT code FROM application WHERE id = $1")
        .bind(id.0)
        .fetch_one(connection)
        .await?)
}

pub(super) async fn campaign_code(
    connection: &mut AnyConnection,
    id: CampaignId,
) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT code FROM campaign WHERE id = $1")
        .bind(id.0)
        .fetch_one(connection)
        .await?)
}

/// Lists the names of the endpoints that have a due delivery.
pub async fn due_endpoints(connection: &mut AnyConnection, now: Timestamp) -> Result<Vec<String>> {
    let sql = "SELECT name FROM event_endpoint WHERE retry_at <= $1 AND leased_until <= $1 AND \
        EXISTS (SELECT 1 FROM event_delivery d WHERE d.endpoint_id = event_endpoint.id AND \
        d.next_at <= $1) ORDER BY id";
    Ok(sqlx::query_scalar(sql).bind(now.0).fetch_all(connection).await?)
}

/// Leases an endpoint to one daemon, which delivers in order; the lease expires at `until`. Returns
/// false if another daemon has it.
pub async fn lease(
    tx: &mut AnyConnection,
    endpoint: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE event_endpoint SET leased_until = $3 WHERE id = $1 AND leased_until <= $2 \
        AND retry_at <= $2";
    Ok(sqlx::query(sql).bind(endpoint).bind(now.0).bind(until.0).execute(tx).await?.rows_affected()
        == 1)
}

/// Extends the lease of an endpoint, or releases it with an `until` in the past.
pub async fn extend_lease(tx: &mut AnyConnection, endpoint: i64, until: Timestamp) -> Result<()> {
    sqlx::query("UPDATE event_endpoint SET leased_until = $2 WHERE id = $1")
        .bind(endpoint)
        .bind(until.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the due deliveries of an endpoint in the order of their events.
pub async fn due(
    connection: &mut AnyConnection,
    endpoint: i64,
    most: u32,
    now: Timestamp,
) -> Result<Vec<EventDelivery>> {
    let sql = statement(format!(
        "{DELIVERY} WHERE endpoint_id = $1 AND next_at <= $2 ORDER BY id LIMIT $3"
    ));
    sqlx::query(sql)
        .bind(endpoint)
        .bind(now.0)
        .bind(i64::from(most))
        .fetch_all(connection)
        .await?
        .iter()
        .map(read_delivery)
        .collect()
}

pub async fn set_arrived(tx: &mut AnyConnection, id: i64, now: Timestamp) -> Result<()> {
    let sql = "UPDATE event_delivery SET arrived_at = $2, next_at = NULL, last_error = NULL, \
        attempt_count = attempt_count + 1 WHERE id = $1";
    sqlx::query(sql).bind(id).bind(now.0).execute(tx).await?;
    Ok(())
}

/// Records a failed attempt. `next` is the time of the next attempt.
pub async fn set_failed(
    tx: &mut AnyConnection,
    id: i64,
    next: Timestamp,
    last_error: &str,
) -> Result<()> {
    let sql = "UPDATE event_delivery SET next_at = $2, last_error = $3, attempt_count = \
        attempt_count + 1 WHERE id = $1";
    sqlx::query(sql).bind(id).bind(next.0).bind(last_error.to_owned()).execute(tx).await?;
    Ok(())
}

/// Records that the endpoint accepts events.
pub async fn mark_healthy(tx: &mut AnyConnection, endpoint: i64) -> Result<()> {
    let sql = "UPDATE event_endpoint SET failures = 0, failing_since = NULL, retry_at = 0, \
        last_error = NULL WHERE id = $1 AND last_error IS NOT NULL";
    sqlx::query(sql).bind(endpoint).execute(tx).await?;
    Ok(())
}

/// Makes the endpoint due now, whatever its retry time, even if it was gone for good.
pub async fn retry_now(tx: &mut AnyConnection, endpoint: i64) -> Result<()> {
    sqlx::query("UPDATE event_endpoint SET retry_at = 0 WHERE id = $1")
        .bind(endpoint)
        .execute(tx)
        .await?;
    Ok(())
}

/// Makes all events of an endpoint due again that were created at `from` or later, whether or not
/// they have arrived, under their ids. Returns how many there are.
pub async fn send_again(
    tx: &mut AnyConnection,
    endpoint: i64,
    from: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    let sql = "UPDATE event_delivery SET next_at = $3, arrived_at = NULL, attempt_count = 0, \
        last_error = NULL WHERE endpoint_id = $1 AND created_at >= $2";
    Ok(sqlx::query(sql).bind(endpoint).bind(from.0).bind(now.0).execute(tx).await?.rows_affected())
}

/// Records the state of which those responsible have been told; `None`: it is well again.
pub async fn set_notified(
    tx: &mut AnyConnection,
    endpoint: i64,
    state: Option<&str>,
) -> Result<()> {
    sqlx::query("UPDATE event_endpoint SET notified = $2 WHERE id = $1")
        .bind(endpoint)
        .bind(state.map(str::to_owned))
        .execute(tx)
        .await?;
    Ok(())
}

/// Records a failed attempt of the endpoint; nothing is sent before the retry time.
pub async fn mark_failing(
    tx: &mut AnyConnection,
    endpoint: i64,
    until: Timestamp,
    last_error: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE event_endpoint SET failures = failures + 1, failing_since = \
        COALESCE(failing_since, $4), retry_at = $2, last_error = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(endpoint)
        .bind(until.0)
        .bind(last_error.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the deliveries of an endpoint, the latest first.
pub async fn deliveries(
    connection: &mut AnyConnection,
    endpoint: i64,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<EventDelivery>> {
    let sql = statement(format!(
        "{DELIVERY} WHERE endpoint_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
    ));
    let rows = sqlx::query(sql)
        .bind(endpoint)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read_delivery).collect()
}

/// Counts the pending deliveries of an endpoint.
pub async fn count_pending(connection: &mut AnyConnection, endpoint: i64) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM event_delivery WHERE endpoint_id = $1 AND next_at IS NOT NULL";
    let count: i64 = sqlx::query_scalar(sql).bind(endpoint).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Deletes events from before a moment, delivered or not: an event that old is no longer news.
pub async fn delete_before(tx: &mut AnyConnection, since: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM event_delivery WHERE created_at < $1")
        .bind(since.0)
        .execute(tx)
        .await?
        .rows_affected())
}
