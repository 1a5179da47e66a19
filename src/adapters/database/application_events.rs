//! What has happened to applications: each change with its day, its reason and who made it.

use serde_json::json;
use sqlx::AnyConnection;

use super::{Result, events, known};
use crate::domain::event::EventKind;
use crate::domain::ids::ApplicationId;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    FeeSettled,
    Launched,
    Held,
    Released,
    Extended,
    Closed,
}

impl Event {
    pub fn as_str(self) -> &'static str {
        match self {
            Event::FeeSettled => "fee_settled",
            Event::Launched => "launched",
            Event::Held => "held",
            Event::Released => "released",
            Event::Extended => "extended",
            Event::Closed => "closed",
        }
    }

    /// What others are told of it as.
    fn kind(self) -> EventKind {
        match self {
            Event::FeeSettled => EventKind::FeeSettled,
            Event::Launched => EventKind::ApplicationLaunched,
            Event::Held => EventKind::ApplicationHeld,
            Event::Released => EventKind::ApplicationReleased,
            Event::Extended => EventKind::ApplicationExtended,
            Event::Closed => EventKind::ApplicationClosed,
        }
    }

    /// In Chinese and in English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Event::FeeSettled => ("费用到账", "the fee was settled"),
            Event::Launched => ("启动", "launched"),
            Event::Held => ("暂停", "put on hold"),
            Event::Released => ("恢复", "taken up again"),
            Event::Extended => ("延期", "extended"),
            Event::Closed => ("结束", "closed"),
        }
    }

    fn parse(raw: &str) -> Option<Event> {
        [Event::FeeSettled, Event::Launched, Event::Held, Event::Released, Event::Extended, Event::Closed].into_iter().find(|e| e.as_str() == raw)
    }
}

#[derive(Debug, Clone)]
pub struct HappenedTo {
    pub at: Timestamp,
    pub what: Event,
    /// Added to the due days.
    pub days: Option<u32>,
    pub reason: String,
    pub who: String,
}

pub async fn add(
    tx: &mut AnyConnection,
    application: ApplicationId,
    what: Event,
    days: Option<u32>,
    reason: &str,
    who: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO application_event (application_id, at, what, days, reason, who) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(application.0)
        .bind(now.0)
        .bind(what.as_str())
        .bind(days.map(i64::from))
        .bind(reason.to_owned())
        .bind(who.to_owned())
        .execute(&mut *tx)
        .await?;
    let code = events::application_code(tx, application).await?;
    let data = match what {
        Event::Launched => json!({ "application": code, "campaign": reason }),
        Event::Closed => json!({ "application": code, "reason": reason }),
        // A reason that somebody has written stays here.
        Event::FeeSettled | Event::Held | Event::Released | Event::Extended => json!({ "application": code, "days": days }),
    };
    events::tell(tx, what.kind(), &data, now).await
}

/// In the order in which it happened.
pub async fn of_application(connection: &mut AnyConnection, application: ApplicationId) -> Result<Vec<HappenedTo>> {
    let sql = "SELECT at, what, days, reason, who FROM application_event WHERE application_id = $1 ORDER BY at, id";
    let rows: Vec<(i64, String, Option<i64>, String, String)> = sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let happened = |(at, what, days, reason, who): (i64, String, Option<i64>, String, String)| {
        Ok(HappenedTo {
            at: Timestamp(at),
            what: known("an event", &what, Event::parse)?,
            days: days.and_then(|days| u32::try_from(days).ok()),
            reason,
            who,
        })
    };
    rows.into_iter().map(happened).collect()
}

/// How many changes moved deadlines: holds that are over, and extensions.
pub async fn moved(connection: &mut AnyConnection) -> Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM application_event WHERE days IS NOT NULL").fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
