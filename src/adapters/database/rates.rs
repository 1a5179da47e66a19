//! The send rate of each gateway, shared by all daemons of the installation (invariant I3).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sqlx::AnyConnection;

use super::dialect::{Engine, statement};
use super::{Result, events};
use crate::domain::event::EventKind;
use crate::domain::seeded_random::jittered;
use crate::domain::time::Timestamp;

/// The maximum rate of requests to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendRate {
    pub per_second: u32,
    /// Messages in one request; they are sent at the same instant.
    pub group: u32,
}

/// The state of a gateway, shared by all daemons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayState {
    /// The first free slot.
    pub free_from: Timestamp,
    pub paused_until: Timestamp,
    pub paused_because: Option<String>,
    /// How often its circuit has opened in a row. Above 0 it is on probation: one message at a
    /// time.
    pub circuit_open_count: u32,
    /// Current rate, in thousandths of the full rate.
    pub rate_permille: i64,
}

/// Takes up to `wanted` slots of a gateway's rate that lie before `now + horizon_micros`, evenly
/// spaced: the generic cell rate algorithm without burst, so that no sliding second holds more than
/// the rate. Returns, in order, the instants in UTC microseconds at which the slots are used. A
/// daemon that dies loses its unused slots for at most the horizon.
pub async fn take_slots(
    tx: &mut AnyConnection,
    engine: Engine,
    gateway: &str,
    now: Timestamp,
    rate: SendRate,
    horizon_micros: i64,
    wanted: u32,
) -> Result<Vec<i64>> {
    let sql = "INSERT INTO gateway_rate (gateway, arrival_micros) VALUES ($1, 0) ON CONFLICT \
        (gateway) DO NOTHING";
    sqlx::query(sql).bind(gateway.to_owned()).execute(&mut *tx).await?;
    let sql = format!(
        "SELECT arrival_micros, paused_until, rate_permille, rate_set_at FROM gateway_rate WHERE \
            gateway = $1{}",
        engine.for_update()
    );
    let (arrival, paused_until, permille, set_at): (i64, i64, i64, i64) =
        sqlx::query_as(statement(sql)).bind(gateway.to_owned()).fetch_one(&mut *tx).await?;
    if paused_until > now.0 {
        return Ok(Vec::new());
    }
    let interval = interval_micros(rate) * 1000 / recovered(permille, set_at, now);
    let slots = slots_from(arrival, now.0 * 1000, interval, rate, horizon_micros, wanted);
    if let Some(last) = slots.last() {
        let next = last + interval;
        sqlx::query("UPDATE gateway_rate SET arrival_micros = $2 WHERE gateway = $1")
            .bind(gateway.to_owned())
            .bind(next)
            .execute(tx)
            .await?;
    }
    Ok(slots.into_iter().map(|slot| instant_of(slot, rate)).collect())
}

/// Frees slots that were taken by a clock that has been set back since.
pub async fn release_slots(tx: &mut AnyConnection, gateway: &str, from: Timestamp) -> Result<()> {
    let sql =
        "UPDATE gateway_rate SET arrival_micros = $2 WHERE gateway = $1 AND arrival_micros > $2";
    sqlx::query(sql).bind(gateway.to_owned()).bind(from.0 * 1000).execute(tx).await?;
    Ok(())
}

/// Throttles a gateway that reported too many requests: it is paused until `until` and used more
/// slowly afterwards; the rate recovers by itself.
pub async fn throttle(
    tx: &mut AnyConnection,
    gateway: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let (permille, set_at): (i64, i64) =
        sqlx::query_as("SELECT rate_permille, rate_set_at FROM gateway_rate WHERE gateway = $1")
            .bind(gateway.to_owned())
            .fetch_one(&mut *tx)
            .await?;
    // All responses to one burst report the same; the rate is reduced once.
    if now.since(Timestamp(set_at)) >= Duration::from_secs(1) {
        let slower = (recovered(permille, set_at, now) * 7 / 10).max(MIN_RATE_PERMILLE);
        let sql = "UPDATE gateway_rate SET rate_permille = $2, rate_set_at = $3 WHERE gateway = $1";
        sqlx::query(sql)
            .bind(gateway.to_owned())
            .bind(slower)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
    }
    pause(tx, gateway, until, SLOW_DOWN, now).await
}

/// Returns how a gateway's receipts spell ids, if that has been found out.
pub async fn receipt_ids(connection: &mut AnyConnection, gateway: &str) -> Result<Option<String>> {
    let sql = "SELECT receipt_ids FROM gateway_rate WHERE gateway = $1";
    let row: Option<Option<String>> =
        sqlx::query_scalar(sql).bind(gateway.to_owned()).fetch_optional(connection).await?;
    Ok(row.flatten())
}

/// Stores how a gateway's receipts spell ids.
pub async fn set_receipt_ids(tx: &mut AnyConnection, gateway: &str, learnt: &str) -> Result<()> {
    sqlx::query("UPDATE gateway_rate SET receipt_ids = $2 WHERE gateway = $1")
        .bind(gateway.to_owned())
        .bind(learnt.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Pauses a gateway for all daemons until `until`.
pub async fn pause(
    tx: &mut AnyConnection,
    gateway: &str,
    until: Timestamp,
    because: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE gateway_rate SET paused_until = $2, paused_because = $3 WHERE gateway = $1 \
        AND paused_until < $2";
    let done = sqlx::query(sql)
        .bind(gateway.to_owned())
        .bind(until.0)
        .bind(because.to_owned())
        .execute(&mut *tx)
        .await?;
    // A short throttling is not published.
    if done.rows_affected() == 1 && because != SLOW_DOWN {
        let data = json!({ "gateway": gateway, "until": until.rfc3339(chrono_tz::UTC), "reason": because });
        events::publish(tx, EventKind::GatewayPaused, &data, now).await?;
    }
    Ok(())
}

/// Opens a gateway's circuit: it is paused, the longer the more often this happens in a row.
/// Returns the end of the pause; `None` if it was already paused.
pub async fn open_circuit(
    tx: &mut AnyConnection,
    gateway: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let (circuit_open_count, paused_until): (i64, i64) = sqlx::query_as(
        "SELECT circuit_open_count, paused_until FROM gateway_rate WHERE gateway = $1",
    )
    .bind(gateway.to_owned())
    .fetch_one(&mut *tx)
    .await?;
    if paused_until > now.0 {
        return Ok(None);
    }
    let still =
        FIRST_OPEN_DURATION * 2u32.pow(u32::try_from(circuit_open_count.clamp(0, 5)).unwrap_or(0));
    let until =
        now + jittered(still.min(MAX_OPEN_DURATION), gateway, circuit_open_count.unsigned_abs());
    sqlx::query(
        "UPDATE gateway_rate SET circuit_open_count = circuit_open_count + 1 WHERE gateway = $1",
    )
    .bind(gateway.to_owned())
    .execute(&mut *tx)
    .await?;
    pause(tx, gateway, until, "circuit_open", now).await?;
    Ok(Some(until))
}

/// Closes a gateway's circuit after it has answered again.
pub async fn close_circuit(tx: &mut AnyConnection, gateway: &str) -> Result<()> {
    let sql = "UPDATE gateway_rate SET circuit_open_count = 0 WHERE gateway = $1 AND \
        circuit_open_count > 0";
    sqlx::query(sql).bind(gateway.to_owned()).execute(tx).await?;
    Ok(())
}

/// Returns the states of all gateways that have ever been used, by name.
pub async fn states(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<BTreeMap<String, GatewayState>> {
    type Row = (String, i64, i64, Option<String>, i64, i64, i64);
    let sql = "SELECT gateway, arrival_micros, paused_until, paused_because, circuit_open_count, \
        rate_permille, rate_set_at FROM gateway_rate";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    let read =
        |(gateway, arrival, paused_until, because, circuit_open_count, permille, set_at): Row| {
            let state = GatewayState {
                free_from: Timestamp(arrival.div_euclid(1000)),
                paused_until: Timestamp(paused_until),
                paused_because: because.filter(|_| paused_until > now.0),
                circuit_open_count: u32::try_from(circuit_open_count).unwrap_or(0),
                rate_permille: recovered(permille, set_at, now),
            };
            (gateway, state)
        };
    Ok(rows.into_iter().map(read).collect())
}

/// Returns the paused gateways with the end of their pause.
pub async fn paused(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    Ok(states(connection, now)
        .await?
        .into_iter()
        .filter(|(_, state)| state.paused_until > now)
        .map(|(name, state)| (name, state.paused_until))
        .collect())
}

/// Returns the current rate: a reduced rate gains a tenth of the full rate every ten seconds.
fn recovered(permille: i64, set_at: i64, now: Timestamp) -> i64 {
    (permille + 100 * (now.since(Timestamp(set_at)).as_secs() / 10).min(10) as i64)
        .clamp(MIN_RATE_PERMILLE, 1000)
}

const SLOW_DOWN: &str = "slow_down";
const MIN_RATE_PERMILLE: i64 = 50;
const FIRST_OPEN_DURATION: Duration = Duration::from_secs(10);
pub(super) const MAX_OPEN_DURATION: Duration = Duration::from_secs(300);

/// Maximum delay with which a slot may be used.
pub const SLOT_TOLERANCE: Duration = Duration::from_millis(5);

/// Returns the rate of a gateway that takes up to `batch` messages in a request. Groups are as
/// large as possible while whole groups still make (at least 98 % of) a second's rate.
pub fn send_rate(per_second: u32, batch: usize) -> SendRate {
    let most = u32::try_from(batch).unwrap_or(u32::MAX).clamp(1, per_second.max(1));
    let group = (1..=most)
        .rev()
        .find(|group| u64::from(per_second / group * group) * 100 >= u64::from(per_second) * 98)
        .unwrap_or(1);
    SendRate { per_second, group }
}

/// Returns the interval between two slots in microseconds. A second's groups span a second and the
/// tolerance: however late each is used within its tolerance, no sliding second holds more than the
/// rate (with the first of them late and the last one on time). This costs half a per cent of the
/// rate.
fn interval_micros(rate: SendRate) -> i64 {
    let window = 1_000_000 + i64::try_from(SLOT_TOLERANCE.as_micros()).unwrap_or(0);
    let slots = i64::from((rate.per_second / rate.group.max(1) * rate.group).max(1));
    (window + slots - 1) / slots
}

/// Returns slots that are `interval` apart. If requests hold several messages, the slots lie in
/// cells that have not begun yet.
fn slots_from(
    arrival: i64,
    now: i64,
    interval: i64,
    rate: SendRate,
    horizon: i64,
    wanted: u32,
) -> Vec<i64> {
    let first = match cell_micros(rate) {
        None => arrival.max(now),
        Some(cell) if arrival.div_euclid(cell) * cell >= now => arrival,
        Some(cell) => (now + cell - 1).div_euclid(cell) * cell,
    };
    (0..i64::from(wanted))
        .map(|n| first + n * interval)
        .take_while(|slot| *slot <= now + horizon)
        .collect()
}

/// Returns when a slot is used. If requests hold several messages, time is divided into cells of a
/// group's length, and all slots of a cell, of any daemon, are used at its beginning: a second
/// holds no more beginnings of cells than whole groups make its rate.
fn instant_of(slot: i64, rate: SendRate) -> i64 {
    cell_micros(rate).map_or(slot, |cell| slot.div_euclid(cell) * cell)
}

fn cell_micros(rate: SendRate) -> Option<i64> {
    (rate.group > 1).then(|| interval_micros(rate) * i64::from(rate.group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant I3, in the arithmetic: for any ticks, and however late each slot is used
        /// within its tolerance, no sliding second holds more than the rate.
        #[test]
        fn no_sliding_second_holds_more_than_the_rate(
            per_second in 1u32..2000,
            batch in prop::sample::select(vec![1usize, 1, 3, 100, 200]),
            ticks in prop::collection::vec((0i64..3_000_000, 1u32..300, 5i64..=100), 1..40),
            lateness in prop::collection::vec(0i64..=5_000, 1..50),
        ) {
            let rate = send_rate(per_second, batch);
            let (mut now, mut arrival, mut used) = (1_000_000_000i64, 0i64, Vec::new());
            for (wait, wanted, slowed) in ticks {
                now += wait;
                let interval = interval_micros(rate) * 100 / slowed;
                let slots = slots_from(arrival, now, interval, rate, 2_000_000, wanted);
                if let Some(last) = slots.last() {
                    arrival = last + interval;
                }
                for slot in slots {
                    let at = instant_of(slot, rate);
                    prop_assert!(at >= now);
                    used.push(at + lateness[used.len() % lateness.len()]);
                }
            }
            used.sort_unstable();
            for pair in used.windows(per_second as usize + 1) {
                prop_assert!(pair[per_second as usize] - pair[0] >= 1_000_000);
            }
        }
    }

    #[test]
    fn groups_are_as_large_as_the_rate_allows() {
        let group = |per_second, batch| send_rate(per_second, batch).group;
        assert_eq!(
            [group(7, 100), group(100, 100), group(1_000, 100), group(1_000, 200), group(50, 1)],
            [7, 100, 100, 200, 1]
        );
        assert_eq!(
            [group(150, 100), group(97, 50)],
            [75, 48],
            "half a second's worth; and 96 of 97 a second"
        );
    }
}
