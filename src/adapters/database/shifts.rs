//! Interviewers' shifts.

use chrono::{NaiveTime, Timelike};
use sqlx::AnyConnection;

use super::{DatabaseError, Result};
use crate::domain::ids::AccountId;
use crate::domain::shift::{Shift, ShiftDay, Target};

/// A stored shift.
#[derive(Debug, Clone)]
pub struct StoredShift {
    pub id: i64,
    pub account: AccountId,
    pub shift: Shift,
}

pub async fn add(tx: &mut AnyConnection, account: AccountId, shift: &Shift) -> Result<()> {
    let (weekday, day) = match shift.day {
        ShiftDay::Weekly(day) => (Some(i64::from(day)), None),
        ShiftDay::Once(day) => (None, Some(day.to_string())),
    };
    let minute = |time: NaiveTime| i64::from(time.hour() * 60 + time.minute());
    let sql = "INSERT INTO shift (account_id, weekday, day, from_minute, to_minute, target_kind, \
        target_count) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(sql)
        .bind(account.0)
        .bind(weekday)
        .bind(day)
        .bind(minute(shift.from))
        .bind(minute(shift.to))
        .bind(shift.target.map(Target::as_str))
        .bind(shift.target.map_or(0, |target| i64::from(target.count())))
        .execute(tx)
        .await?;
    Ok(())
}

/// Removes a shift. Returns false if there is none.
pub async fn remove(tx: &mut AnyConnection, id: i64) -> Result<bool> {
    let done = sqlx::query("DELETE FROM shift WHERE id = $1").bind(id).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Lists the shifts of accounts that are not disabled, weekly ones first.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<StoredShift>> {
    type Row = (i64, i64, Option<i64>, Option<String>, i64, i64, Option<String>, i64);
    let sql = "SELECT s.id, s.account_id, s.weekday, s.day, s.from_minute, s.to_minute, \
        s.target_kind, s.target_count FROM shift s JOIN account a ON a.id = s.account_id
        WHERE a.disabled_at IS NULL ORDER BY a.name, COALESCE(s.day, ''), s.weekday, s.from_minute, s.id";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    let read = |(id, account, weekday, day, from, to, kind, count): Row| {
        let day = match (weekday, day) {
            (Some(weekday), _) => weekday.to_string(),
            (None, day) => day.unwrap_or_default(),
        };
        let unreadable = |value: String| DatabaseError::Unreadable { what: "a shift", value };
        let time = |minutes: i64| {
            u32::try_from(minutes)
                .ok()
                .and_then(|m| NaiveTime::from_hms_opt(m / 60, m % 60, 0))
                .ok_or_else(|| unreadable(minutes.to_string()))
        };
        Ok(StoredShift {
            id,
            account: AccountId(account),
            shift: Shift {
                day: ShiftDay::parse(&day).ok_or_else(|| unreadable(day.clone()))?,
                from: time(from)?,
                to: time(to)?,
                target: kind
                    .and_then(|kind| Target::parse(&kind, u32::try_from(count).unwrap_or(0))),
            },
        })
    };
    rows.into_iter().map(read).collect()
}
