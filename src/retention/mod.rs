//! Retention: what is kept only for a time goes when its time is over.
//!
//! In goes the clock; out go conversations with gateways, receipts that name no message, and suppressions that have run out. It touches nothing that a
//! case, an answer or a dataset stands on.

use crate::domain::time::Timestamp;
use crate::installation::Installation;
use crate::store::{StoreError, exchanges, quotas, receipts, suppressions};

/// What one round of housekeeping took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    pub conversations: u64,
    pub waiting_receipts: u64,
    pub suppressions: u64,
    /// Places in quotas that nobody has come back to.
    pub quota_holds: u64,
}

/// Takes away whatever has been kept long enough.
pub async fn tidy(installation: &Installation) -> Result<Tidied, StoreError> {
    let now = installation.clock.now();
    let keep = &installation.config.housekeeping;
    let mut tx = installation.store.write().await?;
    let tidied = Tidied {
        conversations: exchanges::forget(&mut tx, now - keep.keep_conversations).await?,
        waiting_receipts: receipts::forget_waiting(&mut tx, now - keep.keep_waiting_receipts).await?,
        suppressions: suppressions::forget_expired(&mut tx, now).await?,
        quota_holds: quotas::forget_expired(&mut tx, now).await?,
    };
    tx.commit().await?;
    Ok(tidied)
}

/// When the next round is due, by the configuration's cron expression; `None`: never.
pub fn next_round(installation: &Installation, after: Timestamp) -> Option<Timestamp> {
    installation.config.housekeeping.at.next_after(after)
}
