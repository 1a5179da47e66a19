//! Quotas: a complete is counted only where there is room (invariant I4).
//!
//! In go cases with the cells they are in, one at a time inside the transaction that saves their
//! answers; out comes whether there is a place. All cells of a case are counted together or not at
//! all, under a lock of the application's total; the database's CHECK stands behind that. Cases
//! that no cell will count any more are taken out of the field. [`replicates`] lets more of a large
//! list into the field as the response rate shows the need.

pub mod replicates;

use std::time::Duration;

use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::quotas::QuotaCell;
use crate::adapters::database::{DatabaseError, WriteTx, quotas};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicationId, CaseId};
use crate::domain::quota::{CellKind, QuotaPlan};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// Is there a place?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellReservation {
    Granted,
    /// A cell has reached its target: never again.
    CellFull,
    /// All places left are kept for others who have begun: perhaps later.
    ReservedForOthers,
}

/// A case and the cells that it is in.
#[derive(Debug, Clone, Copy)]
pub struct QuotaCandidate {
    pub case: CaseId,
    pub application: ApplicationId,
    pub cells: i64,
}

/// Counts one complete, where every cell of the case has room.
pub async fn count_complete(
    tx: &mut WriteTx,
    candidate: QuotaCandidate,
    now: Timestamp,
) -> Result<CellReservation, DatabaseError> {
    let QuotaCandidate { case, application, cells: mask } = candidate;
    let cells = quotas::lock(tx, application).await?;
    let reservation = check_room(tx, &cells, candidate, now).await?;
    if reservation == CellReservation::Granted {
        quotas::add_complete(tx, application, mask).await?;
        quotas::release_reservation(tx, case).await?;
        let reached =
            cells.iter().filter(|cell| cell.bit() & mask != 0 && cell.completes + 1 >= cell.target);
        let (full, closed) = reached.fold((0, 0), |(full, closed), cell| {
            (
                full | cell.bit(),
                if cell.kind == CellKind::Soft { closed } else { closed | cell.bit() },
            )
        });
        quotas::mark_full(tx, application, full, closed).await?;
    }
    Ok(reservation)
}

/// Keeps a place for somebody who is under way, in the reserved cells among those of the case, or
/// keeps it longer. Where nothing is reserved there is nothing to keep.
pub async fn reserve_place(
    tx: &mut WriteTx,
    plan: &QuotaPlan,
    candidate: QuotaCandidate,
    keep: Duration,
    now: Timestamp,
) -> Result<CellReservation, DatabaseError> {
    let kinds = std::iter::once(plan.total_kind).chain(plan.cells.iter().map(|cell| cell.kind));
    let reserved = kinds
        .enumerate()
        .filter(|(_, kind)| *kind == CellKind::Reserved)
        .fold(0, |mask, (number, _)| mask | (1 << number));
    if candidate.cells & reserved == 0 {
        return Ok(CellReservation::Granted);
    }
    // A place in a cell is one of the total too.
    let candidate =
        QuotaCandidate { cells: candidate.cells & reserved | QuotaPlan::TOTAL, ..candidate };
    let cells = quotas::lock(tx, candidate.application).await?;
    let reservation = check_room(tx, &cells, candidate, now).await?;
    if reservation == CellReservation::Granted {
        quotas::reserve(tx, candidate.application, candidate.case, candidate.cells, now + keep)
            .await?;
    }
    Ok(reservation)
}

async fn check_room(
    tx: &mut WriteTx,
    cells: &[QuotaCell],
    candidate: QuotaCandidate,
    now: Timestamp,
) -> Result<CellReservation, DatabaseError> {
    let limiting = || {
        cells.iter().filter(|cell| cell.bit() & candidate.cells != 0 && cell.kind != CellKind::Soft)
    };
    if limiting().any(QuotaCell::is_full) || limiting().next().is_none() {
        return Ok(CellReservation::CellFull);
    }
    if !cells.iter().any(|cell| cell.kind == CellKind::Reserved) {
        return Ok(CellReservation::Granted);
    }
    let held = quotas::reserved_by_others(tx, candidate.application, candidate.case, now).await?;
    let is_free = |cell: &QuotaCell| {
        // Held places count in the total, and in the cells that they are held in.
        let kept = held.iter().filter(|mask| *mask & cell.bit() != 0).count();
        cell.completes as usize + kept < cell.target as usize
    };
    Ok(if limiting().all(is_free) {
        CellReservation::Granted
    } else {
        CellReservation::ReservedForOthers
    })
}

/// Takes open cases of full cells out of the field (AAPOR 4.8); returns how many there were.
pub async fn release_cases_of_full_cells(context: &AppContext) -> Result<u64, DatabaseError> {
    if quotas::cases_of_full_cells(&mut *context.database.read().await?).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = context.database.write().await?;
    let full = quotas::cases_of_full_cells(&mut tx).await?;
    let released = cases::set_disposition(
        &mut tx,
        &full,
        Disposition::QuotaFilled,
        &[],
        DispositionSource::Close,
        context.clock.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(released)
}
