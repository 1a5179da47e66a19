//! Quota cells (invariant I4: completes never exceed a target).

use sqlx::AnyConnection;

use super::Result;
use crate::domain::ids::{ApplicationId, CaseId};
use crate::domain::quota::QuotaPlan;
use crate::domain::segment::Segment;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// `*` for the total.
    pub segment: String,
    pub target: u32,
    pub completes: u32,
}

pub async fn set(tx: &mut AnyConnection, application: ApplicationId, plan: &QuotaPlan) -> Result<()> {
    let total = (Segment::TOTAL.to_owned(), plan.total);
    for (segment, target) in [total].into_iter().chain(plan.cells.iter().map(|(s, &t)| (s.as_str().to_owned(), t))) {
        let sql = "INSERT INTO quota_cell (application_id, segment, target) VALUES ($1, $2, $3)";
        sqlx::query(sql).bind(application.0).bind(segment).bind(i64::from(target)).execute(&mut *tx).await?;
    }
    Ok(())
}

pub async fn cells(connection: &mut AnyConnection, application: ApplicationId) -> Result<Vec<Cell>> {
    let sql = "SELECT segment, target, completes FROM quota_cell WHERE application_id = $1 ORDER BY segment";
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let number = |n| u32::try_from(n).unwrap_or(0);
    Ok(rows.into_iter().map(|(segment, target, completes)| Cell { segment, target: number(target), completes: number(completes) }).collect())
}

/// Counts one complete for the total and the segment's cell, if each has room. False: one is full; the caller must then roll back to its savepoint
/// or commit nothing of the count, for which it uses [`release`].
pub async fn take_place(tx: &mut AnyConnection, application: ApplicationId, segment: &str) -> Result<bool> {
    let cells = "SELECT COUNT(*) FROM quota_cell WHERE application_id = $1 AND segment IN ('*', $2)";
    let wanted: i64 = sqlx::query_scalar(cells).bind(application.0).bind(segment.to_owned()).fetch_one(&mut *tx).await?;
    let sql = "UPDATE quota_cell SET completes = completes + 1
               WHERE application_id = $1 AND segment IN ('*', $2) AND completes < target RETURNING segment";
    let taken: Vec<String> = sqlx::query_scalar(sql).bind(application.0).bind(segment.to_owned()).fetch_all(&mut *tx).await?;
    if i64::try_from(taken.len()).unwrap_or(0) == wanted && wanted > 0 {
        return Ok(true);
    }
    for segment in taken {
        release(tx, application, &segment).await?;
    }
    Ok(false)
}

async fn release(tx: &mut AnyConnection, application: ApplicationId, segment: &str) -> Result<()> {
    let sql = "UPDATE quota_cell SET completes = completes - 1 WHERE application_id = $1 AND segment = $2";
    sqlx::query(sql).bind(application.0).bind(segment.to_owned()).execute(tx).await?;
    Ok(())
}

/// Applications in the field whose total is reached.
pub async fn full_applications(connection: &mut AnyConnection) -> Result<Vec<ApplicationId>> {
    let sql = "SELECT a.id FROM application a JOIN quota_cell q ON q.application_id = a.id AND q.segment = '*'
               WHERE a.state = 'in_field' AND q.completes >= q.target ORDER BY a.id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(ids.into_iter().map(ApplicationId).collect())
}

/// Open cases of applications in the field whose own cell is full: they cannot be counted any more.
pub async fn cases_of_full_cells(connection: &mut AnyConnection) -> Result<Vec<CaseId>> {
    let sql = "SELECT c.id FROM survey_case c
               JOIN application a ON a.id = c.application_id AND a.state = 'in_field'
               JOIN quota_cell q ON q.application_id = c.application_id AND q.segment = c.segment
               WHERE c.is_open = 1 AND q.completes >= q.target ORDER BY c.id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(ids.into_iter().map(CaseId).collect())
}
