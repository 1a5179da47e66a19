//! Paradata of responses: page visits, and the quality flags that are set when the field closes.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{Result, decode_enum};
use crate::domain::device::DeviceClass;
use crate::domain::ids::{ApplicationId, CaseId, ResponseId};
use crate::domain::quality::Quality;
use crate::domain::time::Timestamp;

/// One submission of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageVisit {
    /// Page index, from 0.
    pub page: usize,
    pub mode: String,
    pub device: DeviceClass,
    pub shown_at: Timestamp,
    pub sent_at: Timestamp,
    /// Number of items with an error.
    pub problems: usize,
}

pub async fn add(tx: &mut AnyConnection, response: ResponseId, visit: &PageVisit) -> Result<()> {
    let sql = "INSERT INTO page_visit (response_id, page, mode, device, shown_at, sent_at, \
        problems) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    sqlx::query(sql)
        .bind(response.0)
        .bind(number(visit.page))
        .bind(visit.mode.clone())
        .bind(visit.device.as_str())
        .bind(visit.shown_at.0)
        .bind(visit.sent_at.0)
        .bind(number(visit.problems))
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the visits of an application's responses, in chronological order.
pub async fn of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<HashMap<ResponseId, Vec<PageVisit>>> {
    select(
        connection,
        "c.application_id = CAST(CAST($1 AS TEXT) AS BIGINT)",
        application.0.to_string(),
    )
    .await
}

/// Returns the visits of these cases' responses, in chronological order.
pub async fn of_cases(
    connection: &mut AnyConnection,
    cases: &[CaseId],
) -> Result<HashMap<ResponseId, Vec<PageVisit>>> {
    let condition =
        format!("c.id {}", Engine::of_connection(connection).in_list(1, ColumnType::Number));
    select(connection, &condition, to_param(cases.iter().map(|case| case.0))).await
}

/// `given` is the value of `$1` in the condition.
async fn select(
    connection: &mut AnyConnection,
    condition: &str,
    given: String,
) -> Result<HashMap<ResponseId, Vec<PageVisit>>> {
    let sql = format!(
        "SELECT v.response_id, v.page, v.mode, v.device, v.shown_at, v.sent_at, v.problems
         FROM page_visit v JOIN response r ON r.id = v.response_id JOIN survey_case c ON c.id = \
         r.case_id
         WHERE {condition} ORDER BY v.response_id, v.sent_at, v.id"
    );
    let rows: Vec<(i64, i64, String, String, i64, i64, i64)> =
        sqlx::query_as(statement(sql)).bind(given).fetch_all(connection).await?;
    let number = |n| usize::try_from(n).unwrap_or(0);
    let mut visits: HashMap<ResponseId, Vec<PageVisit>> = HashMap::new();
    for (response, page, mode, device, shown_at, sent_at, problems) in rows {
        visits.entry(ResponseId(response)).or_default().push(PageVisit {
            page: number(page),
            mode,
            device: decode_enum("a device", &device, DeviceClass::from_name)?,
            shown_at: Timestamp(shown_at),
            sent_at: Timestamp(sent_at),
            problems: number(problems),
        });
    }
    Ok(visits)
}

/// Returns the total time spent on the pages.
pub fn total_time(visits: &[PageVisit]) -> Duration {
    visits.iter().map(|visit| visit.sent_at.since(visit.shown_at)).sum()
}

pub async fn set_quality(
    tx: &mut AnyConnection,
    qualities: &[(ResponseId, Quality)],
) -> Result<()> {
    if qualities.is_empty() {
        return Ok(());
    }
    let columns = [
        ("id", ColumnType::Number),
        ("seconds", ColumnType::Number),
        ("is_speeding", ColumnType::Number),
        ("is_straight_lined", ColumnType::Number),
        ("missing", ColumnType::Number),
        ("is_duplicate", ColumnType::Number),
    ];
    let sql = format!(
        "UPDATE response SET seconds = v.seconds, is_speeding = v.is_speeding, is_straight_lined \
            = v.is_straight_lined, is_duplicate = v.is_duplicate,
                             item_nonresponse = CAST(v.missing AS DOUBLE PRECISION) / 1000000.0
         FROM ({}) AS v WHERE response.id = v.id",
        Engine::of_connection(tx).select_rows(1, &columns)
    );
    let millionths = |share: f64| (share * 1e6).round() as i64;
    let given = to_param(qualities.iter().map(|(id, q)| {
        (
            id.0,
            q.seconds,
            q.speeding.map(i64::from),
            q.straight_lining.map(i64::from),
            q.item_nonresponse.map(millionths),
            q.duplicate.map(i64::from),
        )
    }));
    sqlx::query(statement(sql)).bind(given).execute(tx).await?;
    Ok(())
}

/// Counts the flagged responses: speeding, straight-lining.
pub async fn count_flagged(connection: &mut AnyConnection) -> Result<(u64, u64)> {
    let sql = "SELECT COUNT(CASE WHEN is_speeding = 1 THEN 1 END), COUNT(CASE WHEN \
        is_straight_lined = 1 THEN 1 END) FROM response";
    let (speeding, straight): (i64, i64) = sqlx::query_as(sql).fetch_one(connection).await?;
    let number = |n| u64::try_from(n).unwrap_or(0);
    Ok((number(speeding), number(straight)))
}
