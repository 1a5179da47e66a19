//! Quotas: a complete is counted only if its quota cells have room (invariant I4).
//!
//! [`count_complete`] runs inside the transaction that saves the case's answers. All cells of a
//! case are counted together or not at all, under a lock on the application's total; a CHECK in the
//! database enforces the limit too. A full cell changes nobody's outcome: only respondents who
//! reach it are turned away (`services::interviews`). [`replicates`] releases more of a large list
//! according to the response rate.

pub mod replicates;

use std::time::Duration;

use crate::adapters::database::quotas::QuotaCell;
use crate::adapters::database::{DatabaseError, WriteTx, quotas};
use crate::domain::ids::{ApplicationId, CaseId};
use crate::domain::quota::{CellKind, QuotaPlan};
use crate::domain::time::Timestamp;

/// The result of counting or reserving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellReservation {
    Granted,
    /// A cell has reached its target; this is final.
    CellFull,
    /// All remaining room is reserved for others who have begun; it may become free again.
    ReservedForOthers,
}

/// A case and its cells.
#[derive(Debug, Clone, Copy)]
pub struct QuotaCandidate {
    pub case: CaseId,
    pub application: ApplicationId,
    pub cells: i64,
}

/// Counts one complete if every cell of the case has room.
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
        quotas::mark_full(tx, application, full, closed, now).await?;
    }
    Ok(reservation)
}

/// Reserves room for a respondent in progress in the reserved cells of the case, or extends the
/// reservation. Without reserved cells it is granted at once.
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
    // A reservation in a cell also counts in the total.
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
        // Reservations count in the total and in their own cells.
        let reserved = held.iter().filter(|mask| *mask & cell.bit() != 0).count();
        cell.completes as usize + reserved < cell.target as usize
    };
    Ok(if limiting().all(is_free) {
        CellReservation::Granted
    } else {
        CellReservation::ReservedForOthers
    })
}
