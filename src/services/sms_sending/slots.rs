//! This process's slice of a gateway's rate: slots taken from the row that all daemons share, a little ahead of their time.

use std::collections::VecDeque;
use std::time::Duration;

use super::DispatchError;
use super::capacity::pace;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::rates::{self, Pace, SLOT_TOLERANCE};

/// Slots are taken no further ahead than this; a daemon that dies loses its share for no longer.
const HORIZON: Duration = Duration::from_secs(2);

/// About how long a commit takes.
const COMMIT_TAKES: Duration = Duration::from_millis(6);

pub struct Slots<'a> {
    installation: &'a Installation,
    gateway: &'a str,
    pace: Pace,
    /// So many are taken at once: what goes out in a tenth of a second, in one request, or at the same time.
    slice: usize,
    /// At a rate whose slots pass faster than commits are made, some pass unused: then no fewer than a twentieth of a second's are taken.
    at_least: usize,
    held: VecDeque<Timestamp>,
}

impl<'a> Slots<'a> {
    pub fn new(installation: &'a Installation, gateway: &'a str) -> Slots<'a> {
        let pace = pace(installation, gateway);
        let in_flight = installation.config.gateways.get(gateway).map_or(1, |g| g.in_flight);
        let slice = (pace.per_second / 10).max(in_flight).max(pace.group).max(2) as usize;
        let at_least = if pace.per_second > 1_000 { pace.per_second as usize / 20 } else { 1 };
        Slots { installation, gateway, pace, slice, at_least, held: VecDeque::new() }
    }

    /// Messages that may go in one request.
    pub fn group(&self) -> usize {
        self.pace.group as usize
    }

    /// The next slot that can still be used; `left` messages want one. `None`: the gateway is held still, or other daemons have all there is for now.
    ///
    /// More are taken while half of them are still to come, so that none passes unused meanwhile.
    pub async fn next(&mut self, left: usize) -> Result<Option<Timestamp>, DispatchError> {
        self.drop_missed();
        let wanted = left.min(self.slice).max(self.at_least.min(left * 4));
        if self.held.len() < wanted / 2 || self.held.is_empty() {
            self.take(wanted - self.held.len()).await?;
            self.drop_missed();
        }
        Ok(self.held.pop_front())
    }

    /// One more slot at the same instant.
    pub fn another_at(&mut self, at: Timestamp) -> bool {
        self.held.front() == Some(&at) && self.held.pop_front().is_some()
    }

    /// A slot whose time is over may be another daemon's turn by now.
    fn drop_missed(&mut self) {
        let now = self.installation.clock.now();
        while self.held.front().is_some_and(|&at| at + SLOT_TOLERANCE < now) {
            self.held.pop_front();
        }
    }

    /// Do more slots pass during a commit than in the tolerance of one?
    fn is_hurried(&self) -> bool {
        self.pace.per_second > 100 || self.pace.group > 1
    }

    async fn take(&mut self, wanted: usize) -> Result<(), DispatchError> {
        let horizon = i64::try_from(HORIZON.as_micros()).unwrap_or(i64::MAX);
        let wanted = u32::try_from(wanted.max(1)).unwrap_or(u32::MAX);
        let mut tx = self.installation.store.write().await?;
        let engine = tx.engine();
        // The commit takes its time: the first slots should not be over before it is done. (Virtual time stands still meanwhile.)
        let from = self.installation.clock.now() + if self.is_hurried() { COMMIT_TAKES } else { Duration::ZERO };
        let slots = rates::take_slots(&mut tx, engine, self.gateway, from, self.pace, horizon, wanted).await?;
        tx.commit().await?;
        // Rounded up: a slot is never used before its time.
        self.held.extend(slots.into_iter().map(|slot| Timestamp(slot.div_euclid(1000) + i64::from(slot.rem_euclid(1000) > 0))));
        Ok(())
    }
}
