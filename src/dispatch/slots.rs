//! This process's slice of a gateway's rate: slots taken from the row that all daemons share, a little ahead of their time.

use std::collections::VecDeque;
use std::time::Duration;

use super::DispatchError;
use crate::domain::time::Timestamp;
use crate::installation::Installation;
use crate::store::rates::{self, SLOT_TOLERANCE};

/// Slots are taken no further ahead than this; a daemon that dies loses its share for no longer.
const HORIZON: Duration = Duration::from_secs(2);

pub struct Slots<'a> {
    installation: &'a Installation,
    gateway: &'a str,
    per_second: u32,
    /// So many are taken at once: what goes out in a tenth of a second, or at the same time.
    slice: usize,
    held: VecDeque<Timestamp>,
}

impl<'a> Slots<'a> {
    pub fn new(installation: &'a Installation, gateway: &'a str, in_flight: u32) -> Slots<'a> {
        let per_second = installation.config.gateways.get(gateway).map_or(1, |g| g.rate_per_second);
        let slice = (per_second / 10).max(in_flight).max(2) as usize;
        Slots { installation, gateway, per_second, slice, held: VecDeque::new() }
    }

    /// The next slot that can still be used; `left` messages want one. `None`: the gateway is held still, or other daemons have all there is for now.
    ///
    /// More are taken while half of them are still to come, so that none passes unused meanwhile.
    pub async fn next(&mut self, left: usize) -> Result<Option<Timestamp>, DispatchError> {
        self.drop_missed();
        if self.held.len() < left.min(self.slice) / 2 || self.held.is_empty() {
            self.take(left.min(self.slice) - self.held.len()).await?;
            self.drop_missed();
        }
        Ok(self.held.pop_front())
    }

    /// A slot whose time is over may be another daemon's turn by now.
    fn drop_missed(&mut self) {
        let now = self.installation.clock.now();
        while self.held.front().is_some_and(|&at| at + SLOT_TOLERANCE < now) {
            self.held.pop_front();
        }
    }

    async fn take(&mut self, wanted: usize) -> Result<(), DispatchError> {
        let horizon = i64::try_from(HORIZON.as_micros()).unwrap_or(i64::MAX);
        let wanted = u32::try_from(wanted.max(1)).unwrap_or(u32::MAX);
        let mut tx = self.installation.store.write().await?;
        let engine = tx.engine();
        let now = self.installation.clock.now();
        let slots = rates::take_slots(&mut tx, engine, self.gateway, now, self.per_second, horizon, wanted).await?;
        tx.commit().await?;
        // Rounded up: a slot is never used before its time.
        self.held.extend(slots.into_iter().map(|slot| Timestamp(slot.div_euclid(1000) + i64::from(slot.rem_euclid(1000) > 0))));
        Ok(())
    }
}
