//! What a clock that was ahead has written: shortened to what is possible.

use std::time::Duration;

use sqlx::AnyConnection;

use super::Result;
use super::dialect::statement;
use super::rates::MAX_OPEN_DURATION;
use crate::domain::time::Timestamp;

/// The longest that each lasts.
#[derive(Debug, Clone, Copy)]
pub struct LongestDelays {
    pub call_lease: Duration,
    pub reservation: Duration,
    pub account_lock: Duration,
    /// Between two attempts of a delivery, a notice, an event, or work that has failed.
    pub retry: Duration,
}

/// Shortens every lease, reservation, lock, pause and delay that would last longer from `now`.
/// Returns the number of changed rows.
pub async fn pull_in(
    tx: &mut AnyConnection,
    longest: LongestDelays,
    now: Timestamp,
) -> Result<u64> {
    let retry = now + longest.retry;
    let limits = [
        ("call_queue", "leased_until", now + longest.call_lease),
        ("cell_reservation", "expires_at", now + longest.reservation),
        ("account", "locked_until", now + longest.account_lock),
        ("event_endpoint", "leased_until", retry),
        ("event_endpoint", "retry_at", retry),
        ("event_delivery", "next_at", retry),
        ("delivery", "next_at", retry),
        ("notice", "next_at", retry),
        ("stuck_work", "retry_at", retry),
        // When a rate was last reduced.
        ("gateway_rate", "rate_set_at", now),
    ];
    let mut changed = 0;
    for (table, column, limit) in limits {
        // What is put off for ever stays so.
        let sql = format!(
            "UPDATE {table} SET {column} = $1 WHERE {column} > $1 AND {column} < 9223372036854775807"
        );
        let done = sqlx::query(statement(sql)).bind(limit.0).execute(&mut *tx).await?;
        changed += done.rows_affected();
    }
    // A pause for another reason may be meant to be longer.
    let sql = "UPDATE gateway_rate SET paused_until = $1 WHERE paused_until > $1 AND \
        paused_because IN ('slow_down', 'circuit_open')";
    let done = sqlx::query(sql).bind((now + MAX_OPEN_DURATION).0).execute(tx).await?;
    Ok(changed + done.rows_affected())
}
