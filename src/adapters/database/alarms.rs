//! Alarms: applications at risk, their notifications and acknowledgements.

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{Result, events};
use crate::domain::event::EventKind;
use crate::domain::ids::ApplicationId;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Alarm {
    pub id: i64,
    pub application: ApplicationId,
    pub application_code: String,
    pub campaign_code: Option<String>,
    pub level: String,
    pub chance: f64,
    pub raised_at: Timestamp,
    pub notified_at: Option<Timestamp>,
    pub notification_count: u32,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by: Option<String>,
    pub note: Option<String>,
    pub ended_at: Option<Timestamp>,
}

const SELECT: &str =
    "SELECT l.id, l.application_id, a.code, c.code AS campaign, l.level, l.chance, l.raised_at, \
        l.notified_at, l.notification_count, l.acknowledged_at,
                             l.acknowledged_by, l.note, l.ended_at
                      FROM alarm l JOIN application a ON a.id = l.application_id LEFT JOIN \
                      campaign c ON c.id = a.campaign_id";

fn read(row: &AnyRow) -> Result<Alarm> {
    let at =
        |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
    Ok(Alarm {
        id: row.try_get("id")?,
        application: ApplicationId(row.try_get("application_id")?),
        application_code: row.try_get("code")?,
        campaign_code: row.try_get("campaign")?,
        level: row.try_get("level")?,
        chance: row.try_get("chance")?,
        raised_at: Timestamp(row.try_get("raised_at")?),
        notified_at: at("notified_at")?,
        notification_count: u32::try_from(row.try_get::<i64, _>("notification_count")?)
            .unwrap_or(0),
        acknowledged_at: at("acknowledged_at")?,
        acknowledged_by: row.try_get("acknowledged_by")?,
        note: row.try_get("note")?,
        ended_at: at("ended_at")?,
    })
}

/// An application in the field with its latest forecast.
#[derive(Debug, Clone)]
pub struct AlarmCandidate {
    pub application: ApplicationId,
    pub chance: f64,
    pub field_closes_at: Timestamp,
    /// Id and level of its open alarm.
    pub alarm: Option<(i64, String)>,
}

/// Returns the applications that may be at risk and those that have an open alarm.
pub async fn candidates(connection: &mut AnyConnection) -> Result<Vec<AlarmCandidate>> {
    let sql = "SELECT a.id, f.chance, a.field_closes_at, l.id, l.level
               FROM application a
               JOIN forecast f ON f.application_id = a.id AND f.day = (SELECT MAX(x.day) FROM \
               forecast x WHERE x.application_id = a.id)
               LEFT JOIN alarm l ON l.application_id = a.id AND l.ended_at IS NULL
               WHERE a.state = 'in_field' AND a.held_since IS NULL ORDER BY a.id";
    type Row = (i64, f64, Option<i64>, Option<i64>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    let row = |(id, chance, closes, alarm, level): Row| AlarmCandidate {
        application: ApplicationId(id),
        chance,
        field_closes_at: Timestamp(closes.unwrap_or(i64::MAX)),
        alarm: alarm.zip(level),
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Raises an alarm. Returns false if another daemon has already raised it.
pub async fn raise(
    tx: &mut AnyConnection,
    application: ApplicationId,
    level: &str,
    chance: f64,
    now: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO alarm (application_id, level, chance, raised_at) VALUES ($1, $2, $3, \
        $4) ON CONFLICT DO NOTHING";
    let done = sqlx::query(sql)
        .bind(application.0)
        .bind(level.to_owned())
        .bind(chance)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let code = events::application_code(tx, application).await?;
    events::publish(
        tx,
        EventKind::AlarmRaised,
        &json!({ "application": code, "level": level, "chance": chance }),
        now,
    )
    .await?;
    Ok(true)
}

async fn application_of(connection: &mut AnyConnection, alarm: i64) -> Result<String> {
    let sql =
        "SELECT a.code FROM alarm l JOIN application a ON a.id = l.application_id WHERE l.id = $1";
    Ok(sqlx::query_scalar(sql).bind(alarm).fetch_one(connection).await?)
}

/// Changes the level of an open alarm. A worse level is notified again, even if the previous one
/// was acknowledged.
pub async fn change_level(
    tx: &mut AnyConnection,
    alarm: i64,
    level: &str,
    chance: f64,
    is_worse: bool,
    now: Timestamp,
) -> Result<()> {
    let anew = if is_worse {
        ", notified_at = NULL, acknowledged_at = NULL, acknowledged_by = NULL, note = NULL"
    } else {
        ""
    };
    let sql = statement(format!(
        "UPDATE alarm SET level = $2, chance = $3{anew} WHERE id = $1 AND ended_at IS NULL"
    ));
    let done =
        sqlx::query(sql).bind(alarm).bind(level.to_owned()).bind(chance).execute(&mut *tx).await?;
    if is_worse && done.rows_affected() == 1 {
        let code = application_of(tx, alarm).await?;
        events::publish(
            tx,
            EventKind::AlarmRaised,
            &json!({ "application": code, "level": level, "chance": chance }),
            now,
        )
        .await?;
    }
    Ok(())
}

pub async fn end(tx: &mut AnyConnection, alarm: i64, chance: f64, now: Timestamp) -> Result<()> {
    let sql = "UPDATE alarm SET ended_at = $2, chance = $3 WHERE id = $1 AND ended_at IS NULL";
    if sqlx::query(sql)
        .bind(alarm)
        .bind(now.0)
        .bind(chance)
        .execute(&mut *tx)
        .await?
        .rows_affected()
        == 1
    {
        let code = application_of(tx, alarm).await?;
        events::publish(
            tx,
            EventKind::AlarmEnded,
            &json!({ "application": code, "chance": chance }),
            now,
        )
        .await?;
    }
    Ok(())
}

/// Returns whether there is an open alarm that [`end_out_of_field`] would end.
pub async fn any_out_of_field(connection: &mut AnyConnection) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM alarm l JOIN application a ON a.id = l.application_id
               WHERE l.ended_at IS NULL AND (a.state <> 'in_field' OR a.held_since IS NOT NULL)";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    Ok(count > 0)
}

/// Returns whether any alarm may need a notification.
pub async fn any_to_notify(connection: &mut AnyConnection) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM alarm WHERE (ended_at IS NULL AND acknowledged_at IS NULL) \
        OR (ended_at IS NOT NULL AND end_notified = 0)";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    Ok(count > 0)
}

/// Ends the alarms of applications that are on hold or no longer in the field. The end of a field
/// is reported through other channels.
pub async fn end_out_of_field(tx: &mut AnyConnection, now: Timestamp) -> Result<()> {
    let sql = "SELECT a.code FROM alarm l JOIN application a ON a.id = l.application_id
               WHERE l.ended_at IS NULL AND (a.state <> 'in_field' OR a.held_since IS NOT NULL) \
               ORDER BY l.id";
    let over: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *tx).await?;
    let sql = "UPDATE alarm SET ended_at = $1, end_notified = 1
               WHERE ended_at IS NULL AND application_id IN (SELECT id FROM application WHERE \
               state <> 'in_field' OR held_since IS NOT NULL)";
    sqlx::query(sql).bind(now.0).execute(&mut *tx).await?;
    for code in over {
        events::publish(tx, EventKind::AlarmEnded, &json!({ "application": code }), now).await?;
    }
    Ok(())
}

/// Lists open alarms and, with `all`, ended ones; the lowest chance first.
pub async fn list(connection: &mut AnyConnection, all: bool) -> Result<Vec<Alarm>> {
    let open = if all { "" } else { " WHERE l.ended_at IS NULL" };
    let sql = statement(format!(
        "{SELECT}{open} ORDER BY CASE WHEN l.ended_at IS NULL THEN 0 ELSE 1 END, l.chance, \
            a.code, l.id"
    ));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

/// Lists the open alarms of applications in the field whose campaign goes on; the lowest chance
/// first. An alarm that is over stays open until the next look at all of them.
pub async fn in_field(connection: &mut AnyConnection) -> Result<Vec<Alarm>> {
    let sql = statement(format!(
        "{SELECT} WHERE l.ended_at IS NULL AND a.state = 'in_field' AND a.held_since IS NULL AND \
            (c.state IS NULL OR c.state <> 'closed') ORDER BY l.chance, a.code, l.id"
    ));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

/// Lists open alarms that are not acknowledged, the lowest chance first.
pub async fn unacknowledged(connection: &mut AnyConnection) -> Result<Vec<Alarm>> {
    let sql = statement(format!(
        "{SELECT} WHERE l.ended_at IS NULL AND l.acknowledged_at IS NULL ORDER BY l.chance, a.code"
    ));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

/// Lists ended alarms that were notified and whose end was not.
pub async fn ended_unnotified(connection: &mut AnyConnection) -> Result<Vec<Alarm>> {
    let sql = statement(format!(
        "{SELECT} WHERE l.ended_at IS NOT NULL AND l.end_notified = 0 ORDER BY a.code"
    ));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

/// Records that alarms are notified now, and which of the notices report their end.
pub async fn mark_notified(
    tx: &mut AnyConnection,
    notified: &[i64],
    over: &[i64],
    now: Timestamp,
) -> Result<()> {
    let engine = Engine::of_connection(tx);
    let sql = format!(
        "UPDATE alarm SET notified_at = $1, notification_count = notification_count + 1 WHERE id \
            {}",
        engine.in_list(2, ColumnType::Number)
    );
    sqlx::query(statement(sql)).bind(now.0).bind(to_param(notified)).execute(&mut *tx).await?;
    let sql = format!(
        "UPDATE alarm SET end_notified = 1 WHERE id {}",
        engine.in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql)).bind(to_param(over)).execute(tx).await?;
    Ok(())
}

/// Acknowledges the open alarm of an application. Returns false if there is none or if it is
/// already acknowledged.
pub async fn acknowledge(
    tx: &mut AnyConnection,
    application: ApplicationId,
    actor: &str,
    note: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE alarm SET acknowledged_at = $2, acknowledged_by = $3, note = $4
               WHERE application_id = $1 AND ended_at IS NULL AND acknowledged_at IS NULL";
    let done = sqlx::query(sql)
        .bind(application.0)
        .bind(now.0)
        .bind(actor.to_owned())
        .bind(note.to_owned())
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let code = events::application_code(tx, application).await?;
    events::publish(
        tx,
        EventKind::AlarmAcknowledged,
        &json!({ "application": code, "by": actor }),
        now,
    )
    .await?;
    Ok(true)
}
