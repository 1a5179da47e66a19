//! Changes to applications: each with its time, its reason and its actor.

use serde_json::json;
use sqlx::AnyConnection;

use super::{Result, decode_enum, events};
use crate::domain::event::EventKind;
use crate::domain::ids::ApplicationId;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationEventKind {
    FeeSettled,
    Launched,
    Held,
    Released,
    Extended,
    Closed,
}

impl ApplicationEventKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ApplicationEventKind::FeeSettled => "fee_settled",
            ApplicationEventKind::Launched => "launched",
            ApplicationEventKind::Held => "held",
            ApplicationEventKind::Released => "released",
            ApplicationEventKind::Extended => "extended",
            ApplicationEventKind::Closed => "closed",
        }
    }

    /// The event that is published to other systems.
    fn published_as(self) -> EventKind {
        match self {
            ApplicationEventKind::FeeSettled => EventKind::FeeSettled,
            ApplicationEventKind::Launched => EventKind::ApplicationLaunched,
            ApplicationEventKind::Held => EventKind::ApplicationHeld,
            ApplicationEventKind::Released => EventKind::ApplicationReleased,
            ApplicationEventKind::Extended => EventKind::ApplicationExtended,
            ApplicationEventKind::Closed => EventKind::ApplicationClosed,
        }
    }

    /// The label in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            ApplicationEventKind::FeeSettled => ("费用到账", "the fee was settled"),
            ApplicationEventKind::Launched => ("启动", "launched"),
            ApplicationEventKind::Held => ("暂停", "put on hold"),
            ApplicationEventKind::Released => ("恢复", "taken up again"),
            ApplicationEventKind::Extended => ("延期", "extended"),
            ApplicationEventKind::Closed => ("结束", "closed"),
        }
    }

    fn parse(raw: &str) -> Option<ApplicationEventKind> {
        [
            ApplicationEventKind::FeeSettled,
            ApplicationEventKind::Launched,
            ApplicationEventKind::Held,
            ApplicationEventKind::Released,
            ApplicationEventKind::Extended,
            ApplicationEventKind::Closed,
        ]
        .into_iter()
        .find(|e| e.as_str() == raw)
    }
}

#[derive(Debug, Clone)]
pub struct ApplicationEvent {
    pub at: Timestamp,
    pub kind: ApplicationEventKind,
    /// Days added to the due days.
    pub days: Option<u32>,
    pub reason: String,
    pub actor: String,
}

pub async fn add(
    tx: &mut AnyConnection,
    application: ApplicationId,
    kind: ApplicationEventKind,
    days: Option<u32>,
    reason: &str,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO application_event (application_id, at, kind, days, reason, actor) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(application.0)
        .bind(now.0)
        .bind(kind.as_str())
        .bind(days.map(i64::from))
        .bind(reason.to_owned())
        .bind(actor.to_owned())
        .execute(&mut *tx)
        .await?;
    let code = events::application_code(tx, application).await?;
    let data = match kind {
        ApplicationEventKind::Launched => json!({ "application": code, "campaign": reason }),
        ApplicationEventKind::Closed => json!({ "application": code, "reason": reason }),
        // A reason written by a person is not published.
        ApplicationEventKind::FeeSettled
        | ApplicationEventKind::Held
        | ApplicationEventKind::Released
        | ApplicationEventKind::Extended => json!({ "application": code, "days": days }),
    };
    events::publish(tx, kind.published_as(), &data, now).await
}

/// Lists the events of an application in chronological order.
pub async fn of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<ApplicationEvent>> {
    let sql = "SELECT at, kind, days, reason, actor FROM application_event WHERE application_id \
        = $1 ORDER BY at, id";
    let rows: Vec<(i64, String, Option<i64>, String, String)> =
        sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let happened = |(at, kind, days, reason, actor): (i64, String, Option<i64>, String, String)| {
        Ok(ApplicationEvent {
            at: Timestamp(at),
            kind: decode_enum("an event", &kind, ApplicationEventKind::parse)?,
            days: days.and_then(|days| u32::try_from(days).ok()),
            reason,
            actor,
        })
    };
    rows.into_iter().map(happened).collect()
}

/// Counts the changes that moved deadlines: ended holds and extensions.
pub async fn count_deadline_changes(connection: &mut AnyConnection) -> Result<u64> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM application_event WHERE days IS NOT NULL")
            .fetch_one(connection)
            .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
