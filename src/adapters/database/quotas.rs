//! Quota cells and their reservations (invariant I4: completes never exceed a hard target).

use sqlx::AnyConnection;

use super::{DatabaseError, Result, WriteTx, decode_enum};
use crate::domain::condition::Condition;
use crate::domain::ids::{ApplicationId, CaseId};
use crate::domain::quota::{self, CellKind, QuotaPlan};
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaCell {
    /// 0 for the total.
    pub number: u32,
    /// `*` for the total.
    pub name: String,
    pub kind: CellKind,
    pub target: u32,
    /// The completes that are wanted at least; 0: no minimum.
    pub minimum: u32,
    pub completes: u32,
}

impl QuotaCell {
    /// Returns its bit in cell masks.
    pub fn bit(&self) -> i64 {
        1 << self.number
    }

    pub fn is_full(&self) -> bool {
        self.completes >= self.target
    }
}

pub async fn insert_cells(
    tx: &mut AnyConnection,
    application: ApplicationId,
    plan: &QuotaPlan,
    now: Timestamp,
) -> Result<()> {
    let total = (Segment::TOTAL, "true", plan.total_kind, plan.total, 0);
    let cells = plan.cells.iter().map(|cell| {
        (cell.name.as_str(), cell.condition.source(), cell.kind, cell.target, cell.minimum)
    });
    let mut full = (0, 0);
    for ((name, condition, kind, target, minimum), number) in
        [total].into_iter().chain(cells).zip(0i64..)
    {
        let sql = "INSERT INTO quota_cell (application_id, number, name, condition, kind, \
            target, minimum) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(sql)
            .bind(application.0)
            .bind(number)
            .bind(name.to_owned())
            .bind(condition.to_owned())
            .bind(kind.as_str())
            .bind(i64::from(target))
            .bind(i64::from(minimum))
            .execute(&mut *tx)
            .await?;
        if target == 0 {
            full.0 |= 1 << number;
            full.1 |= i64::from(kind != CellKind::Soft) << number;
        }
    }
    mark_full(tx, application, full.0, full.1, now).await
}

/// Returns the quota plan as it was launched.
pub async fn launched_plan(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<QuotaPlan> {
    let sql = "SELECT name, condition, kind, target, minimum FROM quota_cell WHERE application_id = $1 \
        ORDER BY number";
    let rows: Vec<(String, String, String, i64, i64)> =
        sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let mut cells = Vec::with_capacity(rows.len());
    for (name, condition, kind, target, minimum) in rows {
        let condition = Condition::parse(&condition)
            .map_err(|value| DatabaseError::Unreadable { what: "a cell's condition", value })?;
        cells.push(quota::Cell {
            name,
            condition,
            kind: decode_enum("a cell's kind", &kind, CellKind::parse)?,
            target: number(target),
            minimum: number(minimum),
        });
    }
    let total = if cells.is_empty() { None } else { Some(cells.remove(0)) };
    let (total, total_kind) = total.map_or((0, CellKind::Hard), |total| (total.target, total.kind));
    Ok(QuotaPlan { total, total_kind, cells })
}

pub async fn cells(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<QuotaCell>> {
    let sql = "SELECT number, name, kind, target, minimum, completes FROM quota_cell WHERE application_id \
        = $1 ORDER BY number";
    type Row = (i64, String, String, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let cell = |(at, name, kind, target, minimum, completes): Row| {
        Ok(QuotaCell {
            number: number(at),
            name,
            kind: decode_enum("a cell's kind", &kind, CellKind::parse)?,
            target: number(target),
            minimum: number(minimum),
            completes: number(completes),
        })
    };
    rows.into_iter().map(cell).collect()
}

fn number(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Locks the cells of an application to the end of the transaction and returns them.
pub async fn lock(tx: &mut WriteTx, application: ApplicationId) -> Result<Vec<QuotaCell>> {
    let sql = format!(
        "SELECT number FROM quota_cell WHERE application_id = $1 AND number = 0{}",
        tx.engine().for_update()
    );
    sqlx::query(super::dialect::statement(sql)).bind(application.0).fetch_all(&mut **tx).await?;
    cells(tx, application).await
}

/// Counts one complete in each cell of a mask.
pub async fn add_complete(tx: &mut WriteTx, application: ApplicationId, mask: i64) -> Result<()> {
    let sql = "UPDATE quota_cell SET completes = completes + 1
               WHERE application_id = $1 AND ((CAST(1 AS BIGINT) << CAST(number AS INTEGER)) & \
               $2) <> 0";
    sqlx::query(sql).bind(application.0).bind(mask).execute(&mut **tx).await?;
    Ok(())
}

/// Subtracts one complete from each cell of a mask; cells of an application in the field that have
/// room again are reopened.
pub async fn subtract_complete(
    tx: &mut WriteTx,
    application: ApplicationId,
    mask: i64,
) -> Result<()> {
    let sql = "UPDATE quota_cell SET completes = completes - 1
               WHERE application_id = $1 AND completes > 0 AND ((CAST(1 AS BIGINT) << \
               CAST(number AS INTEGER)) & $2) <> 0";
    sqlx::query(sql).bind(application.0).bind(mask).execute(&mut **tx).await?;
    let with_room = cells(tx, application)
        .await?
        .iter()
        .filter(|cell| !cell.is_full())
        .fold(0, |all, cell| all | cell.bit());
    let sql = "UPDATE application SET full_cell_mask = full_cell_mask & ~$2, closed_cell_mask = \
        closed_cell_mask & ~$2 WHERE id = $1 AND state = 'in_field'";
    sqlx::query(sql).bind(application.0).bind(with_room).execute(&mut **tx).await?;
    let sql = "UPDATE quota_cell SET filled_at = NULL WHERE application_id = $1 AND ((CAST(1 AS \
        BIGINT) << CAST(number AS INTEGER)) & $2) <> 0";
    sqlx::query(sql).bind(application.0).bind(with_room).execute(&mut **tx).await?;
    Ok(())
}

/// Marks cells that have reached their targets: cases in `full` are no longer contacted, and
/// `closed` takes no more answers.
pub async fn mark_full(
    tx: &mut AnyConnection,
    application: ApplicationId,
    full: i64,
    closed: i64,
    now: Timestamp,
) -> Result<()> {
    if full == 0 {
        return Ok(());
    }
    let sql = "UPDATE application SET full_cell_mask = full_cell_mask | $2, closed_cell_mask = \
        closed_cell_mask | $3 WHERE id = $1";
    sqlx::query(sql).bind(application.0).bind(full).bind(closed).execute(&mut *tx).await?;
    let sql = "UPDATE quota_cell SET filled_at = $3 WHERE application_id = $1 AND filled_at IS \
        NULL AND ((CAST(1 AS BIGINT) << CAST(number AS INTEGER)) & $2) <> 0";
    sqlx::query(sql).bind(application.0).bind(full).bind(now.0).execute(tx).await?;
    Ok(())
}

/// Returns the masks of the current reservations of all other cases.
pub async fn reserved_by_others(
    connection: &mut AnyConnection,
    application: ApplicationId,
    case: CaseId,
    now: Timestamp,
) -> Result<Vec<i64>> {
    let sql = "SELECT h.cell_mask FROM cell_reservation h JOIN survey_case c ON c.id = h.case_id \
        AND c.is_open = 1
               WHERE h.application_id = $1 AND h.case_id <> $2 AND h.expires_at > $3";
    Ok(sqlx::query_scalar(sql)
        .bind(application.0)
        .bind(case.0)
        .bind(now.0)
        .fetch_all(connection)
        .await?)
}

/// Reserves a place for a case, or extends its reservation.
pub async fn reserve(
    tx: &mut AnyConnection,
    application: ApplicationId,
    case: CaseId,
    mask: i64,
    until: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO cell_reservation (case_id, application_id, cell_mask, expires_at) \
        VALUES ($1, $2, $3, $4)
               ON CONFLICT (case_id) DO UPDATE SET cell_mask = excluded.cell_mask, expires_at = \
               excluded.expires_at";
    sqlx::query(sql).bind(case.0).bind(application.0).bind(mask).bind(until.0).execute(tx).await?;
    Ok(())
}

pub async fn release_reservation(tx: &mut AnyConnection, case: CaseId) -> Result<()> {
    sqlx::query("DELETE FROM cell_reservation WHERE case_id = $1").bind(case.0).execute(tx).await?;
    Ok(())
}

/// Deletes expired reservations and returns their number.
pub async fn delete_expired_reservations(tx: &mut AnyConnection, now: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM cell_reservation WHERE expires_at <= $1")
        .bind(now.0)
        .execute(tx)
        .await?
        .rows_affected())
}

/// Returns the applications in the field whose total is reached.
pub async fn full_applications(connection: &mut AnyConnection) -> Result<Vec<ApplicationId>> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM application WHERE state = 'in_field' AND \
            (full_cell_mask & 1) <> 0 ORDER BY id",
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(ApplicationId).collect())
}
