//! The public holidays that staff have entered, by year.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use sqlx::AnyConnection;

use super::{DatabaseError, Result};
use crate::domain::contact_window::Calendar;
use crate::domain::holidays::HolidayYear;
use crate::domain::time::Timestamp;

/// A year as it was entered.
#[derive(Debug, Clone)]
pub struct EnteredYear {
    pub year: HolidayYear,
    pub changed_by: String,
    pub changed_at: Timestamp,
}

pub async fn entered(connection: &mut AnyConnection) -> Result<Vec<EnteredYear>> {
    type Row = (i64, String, String, String, i64);
    let sql =
        "SELECT year, holidays, workdays, changed_by, changed_at FROM holiday_year ORDER BY year";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    let read = |(year, holidays, workdays, changed_by, changed_at): Row| {
        Ok(EnteredYear {
            year: HolidayYear {
                year: i32::try_from(year).unwrap_or_default(),
                days: Calendar {
                    holidays: read_days(&holidays)?,
                    workdays: read_days(&workdays)?,
                    closed: BTreeSet::new(),
                },
            },
            changed_by,
            changed_at: Timestamp(changed_at),
        })
    };
    rows.into_iter().map(read).collect()
}

/// Stores a year, over what was entered before.
pub async fn put(
    tx: &mut AnyConnection,
    year: &HolidayYear,
    changed_by: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO holiday_year (year, holidays, workdays, changed_by, changed_at)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (year) DO UPDATE SET holidays = excluded.holidays, workdays = \
               excluded.workdays, changed_by = excluded.changed_by, changed_at = excluded.changed_at";
    sqlx::query(sql)
        .bind(i64::from(year.year))
        .bind(write_days(&year.days.holidays))
        .bind(write_days(&year.days.workdays))
        .bind(changed_by.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

fn write_days(days: &BTreeSet<NaiveDate>) -> String {
    days.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn read_days(stored: &str) -> Result<BTreeSet<NaiveDate>> {
    let read = |day: &str| {
        day.parse().map_err(|_| DatabaseError::Unreadable { what: "a holiday", value: day.into() })
    };
    stored.split_whitespace().map(read).collect()
}

/// The codes of open campaigns that collect beyond a moment, with the last end of their fields.
pub async fn campaigns_beyond(
    connection: &mut AnyConnection,
    after: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    let sql = "SELECT c.code, MAX(a.field_closes_at) FROM application a
               JOIN campaign c ON c.id = a.campaign_id
               WHERE a.state = 'in_field' AND a.field_closes_at > $1 AND c.state <> 'closed'
               GROUP BY c.code ORDER BY c.code";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).bind(after.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(code, closes)| (code, Timestamp(closes))).collect())
}
