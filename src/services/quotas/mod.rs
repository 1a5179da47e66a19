//! Quotas: a complete is counted only where there is room (invariant I4).
//!
//! In go cases with the cells they are in, one at a time inside the transaction that saves their answers; out comes whether there is a place. All cells of a
//! case are counted together or not at all, under a lock of the application's total; the database's CHECK stands behind that. Cases that no cell will
//! count any more are taken out of the field. [`replicates`] lets more of a large list into the field as the response rate shows the need.

pub mod replicates;

use std::time::Duration;

use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicationId, CaseId};
use crate::domain::quota::{CellKind, QuotaPlan};
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::cases::{self, Source};
use crate::adapters::database::quotas::Cell;
use crate::adapters::database::{StoreError, WriteTx, quotas};

/// Is there a place?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Taken,
    /// A cell has reached its target: never again.
    Full,
    /// All places left are kept for others who have begun: perhaps later.
    Held,
}

/// A case and the cells that it is in.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    pub case: CaseId,
    pub application: ApplicationId,
    pub cells: i64,
}

/// Counts one complete, where every cell of the case has room.
pub async fn count_complete(tx: &mut WriteTx, candidate: Candidate, now: Timestamp) -> Result<Place, StoreError> {
    let Candidate { case, application, cells: mask } = candidate;
    let cells = quotas::lock(tx, application).await?;
    let place = room(tx, &cells, candidate, now).await?;
    if place == Place::Taken {
        quotas::count(tx, application, mask).await?;
        quotas::release(tx, case).await?;
        let reached = cells.iter().filter(|cell| cell.bit() & mask != 0 && cell.completes + 1 >= cell.target);
        let (full, closed) =
            reached.fold((0, 0), |(full, closed), cell| (full | cell.bit(), if cell.kind == CellKind::Soft { closed } else { closed | cell.bit() }));
        quotas::mark_full(tx, application, full, closed).await?;
    }
    Ok(place)
}

/// Keeps a place for somebody who is under way, in the reserved cells among those of the case, or keeps it longer. Where nothing is reserved there is
/// nothing to keep.
pub async fn hold_place(tx: &mut WriteTx, plan: &QuotaPlan, candidate: Candidate, keep: Duration, now: Timestamp) -> Result<Place, StoreError> {
    let kinds = std::iter::once(plan.total_kind).chain(plan.cells.iter().map(|cell| cell.kind));
    let reserved = kinds.enumerate().filter(|(_, kind)| *kind == CellKind::Reserved).fold(0, |mask, (number, _)| mask | (1 << number));
    if candidate.cells & reserved == 0 {
        return Ok(Place::Taken);
    }
    // A place in a cell is one of the total too.
    let candidate = Candidate { cells: candidate.cells & reserved | QuotaPlan::TOTAL, ..candidate };
    let cells = quotas::lock(tx, candidate.application).await?;
    let place = room(tx, &cells, candidate, now).await?;
    if place == Place::Taken {
        quotas::hold(tx, candidate.application, candidate.case, candidate.cells, now + keep).await?;
    }
    Ok(place)
}

async fn room(tx: &mut WriteTx, cells: &[Cell], candidate: Candidate, now: Timestamp) -> Result<Place, StoreError> {
    let limiting = || cells.iter().filter(|cell| cell.bit() & candidate.cells != 0 && cell.kind != CellKind::Soft);
    if limiting().any(Cell::is_full) || limiting().next().is_none() {
        return Ok(Place::Full);
    }
    if !cells.iter().any(|cell| cell.kind == CellKind::Reserved) {
        return Ok(Place::Taken);
    }
    let held = quotas::held_by_others(tx, candidate.application, candidate.case, now).await?;
    let is_free = |cell: &Cell| {
        // Held places count in the total, and in the cells that they are held in.
        let kept = held.iter().filter(|mask| *mask & cell.bit() != 0).count();
        cell.completes as usize + kept < cell.target as usize
    };
    Ok(if limiting().all(is_free) { Place::Taken } else { Place::Held })
}

/// Takes open cases of full cells out of the field (AAPOR 4.8); returns how many there were.
pub async fn release_cases_of_full_cells(installation: &Installation) -> Result<u64, StoreError> {
    if quotas::cases_of_full_cells(&mut *installation.store.read().await?).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = installation.store.write().await?;
    let full = quotas::cases_of_full_cells(&mut tx).await?;
    let released = cases::dispose(&mut tx, &full, Disposition::QuotaFilled, &[], Source::Close, installation.clock.now()).await?;
    tx.commit().await?;
    Ok(released)
}
