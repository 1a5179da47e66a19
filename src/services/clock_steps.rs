//! What a clock that was ahead has written (leases, reservations, locks, pauses, delays) would last
//! longer than it may, once the clock is set back. It is shortened to what its rule allows at most.
//!
//! A process that sees the step does this at once ([`crate::adapters::clock_watch`]); each does it
//! every minute, for clocks that are set between two runs.

use crate::adapters::database::DatabaseError;
use crate::adapters::database::clock_steps::{self, LongestDelays};
use crate::domain::retry_delay::LONGEST_RETRY_DELAY;
use crate::services::accounts::LOCK_DURATION;
use crate::services::call_center::queue::UNSCRIPTED_LEASE;
use crate::services::context::AppContext;

/// Shortens what lasts longer from now than its rule allows. Returns the number of changed rows.
pub async fn pull_in(context: &AppContext) -> Result<u64, DatabaseError> {
    let longest = LongestDelays {
        call_lease: UNSCRIPTED_LEASE,
        reservation: context.config.reservation_time,
        account_lock: LOCK_DURATION,
        retry: LONGEST_RETRY_DELAY,
    };
    let mut tx = context.database.write().await?;
    let changed = clock_steps::pull_in(&mut tx, longest, context.clock.now()).await?;
    tx.commit().await?;
    if changed > 0 {
        tracing::warn!(changed, "leases and delays of a clock that was ahead are shortened");
    }
    Ok(changed)
}
