//! The pace of each gateway, shared by all daemons of the installation (invariant I3).

use std::time::Duration;

use sqlx::AnyConnection;

use super::Result;
use super::dialect::{Engine, statement};
use crate::domain::time::Timestamp;

/// Takes up to `wanted` slots of a gateway's rate that lie before `now + horizon_micros`, evenly spaced: the generic cell rate algorithm with no
/// burst, so that no sliding second holds more than the rate. Returns the slots in UTC microseconds, in order. A daemon that dies with slots in
/// hand loses them at most for the horizon.
pub async fn take_slots(
    tx: &mut AnyConnection,
    engine: Engine,
    gateway: &str,
    now: Timestamp,
    per_second: u32,
    horizon_micros: i64,
    wanted: u32,
) -> Result<Vec<i64>> {
    let sql = "INSERT INTO gateway_rate (gateway, arrival_micros) VALUES ($1, 0) ON CONFLICT (gateway) DO NOTHING";
    sqlx::query(sql).bind(gateway.to_owned()).execute(&mut *tx).await?;
    let sql = format!("SELECT arrival_micros, paused_until FROM gateway_rate WHERE gateway = $1{}", engine.for_update());
    let (arrival, paused_until): (i64, i64) = sqlx::query_as(statement(sql)).bind(gateway.to_owned()).fetch_one(&mut *tx).await?;
    let now_micros = now.0 * 1000;
    if paused_until > now.0 {
        return Ok(Vec::new());
    }
    let slots = slots_from(arrival, now_micros, per_second, horizon_micros, wanted);
    if let Some(last) = slots.last() {
        let next = last + interval_micros(per_second);
        sqlx::query("UPDATE gateway_rate SET arrival_micros = $2 WHERE gateway = $1").bind(gateway.to_owned()).bind(next).execute(tx).await?;
    }
    Ok(slots)
}

/// Holds a gateway still for everybody until `until`.
pub async fn pause(tx: &mut AnyConnection, gateway: &str, until: Timestamp) -> Result<()> {
    let sql = "UPDATE gateway_rate SET paused_until = $2 WHERE gateway = $1 AND paused_until < $2";
    sqlx::query(sql).bind(gateway.to_owned()).bind(until.0).execute(tx).await?;
    Ok(())
}

/// Gateways that are being held still, with the end of it.
pub async fn paused(connection: &mut AnyConnection, now: Timestamp) -> Result<Vec<(String, Timestamp)>> {
    let sql = "SELECT gateway, paused_until FROM gateway_rate WHERE paused_until > $1 ORDER BY gateway";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).bind(now.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(gateway, until)| (gateway, Timestamp(until))).collect())
}

/// A slot may be used so much later than its time, and no later.
pub const SLOT_TOLERANCE: Duration = Duration::from_millis(5);

/// So many microseconds lie between two slots. `per_second` intervals make a second and the tolerance: then however late each slot is used within its
/// tolerance, no sliding second holds more than the rate (the first of them late, the last one on time). The price is half a per cent of the rate.
fn interval_micros(per_second: u32) -> i64 {
    let window = 1_000_000 + i64::try_from(SLOT_TOLERANCE.as_micros()).unwrap_or(0);
    (window + i64::from(per_second) - 1) / i64::from(per_second.max(1))
}

fn slots_from(arrival: i64, now: i64, per_second: u32, horizon: i64, wanted: u32) -> Vec<i64> {
    let interval = interval_micros(per_second);
    let first = arrival.max(now);
    (0..i64::from(wanted)).map(|n| first + n * interval).take_while(|slot| *slot <= now + horizon).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant I3, in the arithmetic: whatever the ticks, and however late each slot is used within its tolerance, no sliding second holds more
        /// than the rate.
        #[test]
        fn no_sliding_second_holds_more_than_the_rate(
            per_second in 1u32..2000,
            ticks in prop::collection::vec((0i64..3_000_000, 1u32..300), 1..40),
            lateness in prop::collection::vec(0i64..=5_000, 1..50),
        ) {
            let (mut now, mut arrival, mut used) = (1_000_000_000i64, 0i64, Vec::new());
            for (wait, wanted) in ticks {
                now += wait;
                let slots = slots_from(arrival, now, per_second, 500_000, wanted);
                if let Some(last) = slots.last() {
                    arrival = last + interval_micros(per_second);
                }
                for slot in slots {
                    used.push(slot + lateness[used.len() % lateness.len()]);
                }
            }
            used.sort_unstable();
            for pair in used.windows(per_second as usize + 1) {
                prop_assert!(pair[per_second as usize] - pair[0] >= 1_000_000);
            }
        }
    }
}
