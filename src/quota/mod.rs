//! Quotas: a complete is counted only where there is room (invariant I4).
//!
//! In go finished cases, one at a time inside the transaction that finishes them; out comes whether the case counts. The total and the case's own
//! cell are counted together or not at all, and the database's CHECK stands behind that. Cases of a full cell are taken out of the field.

use crate::domain::disposition::Disposition;
use crate::domain::ids::ApplicationId;
use crate::installation::Installation;
use crate::store::cases::{self, Source};
use crate::store::{StoreError, WriteTx, quotas};

/// Counts one complete. False: the total or the segment's cell is full, and nothing was counted.
pub async fn count_complete(tx: &mut WriteTx, application: ApplicationId, segment: &str) -> Result<bool, StoreError> {
    quotas::take_place(tx, application, segment).await
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
