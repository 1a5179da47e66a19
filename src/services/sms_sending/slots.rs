//! This process's slice of a gateway's rate: slots taken from the row that all daemons share, a
//! little ahead of their time.

use std::collections::VecDeque;
use std::time::Duration;

use super::DispatchError;
use super::capacity::gateway_pace;
use crate::adapters::database::rates::{self, SLOT_TOLERANCE, SendRate};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// Slots are taken no further ahead than this; a daemon that dies loses its share for no longer.
const MAX_LEAD: Duration = Duration::from_secs(2);

/// About how long a commit takes.
const COMMIT_DURATION: Duration = Duration::from_millis(6);

pub struct Slots<'a> {
    context: &'a AppContext,
    gateway: &'a str,
    rate: SendRate,
    /// So many are taken at once: what goes out in a tenth of a second, in one request, or at the
    /// same time.
    batch_size: usize,
    /// At a rate whose slots pass faster than commits are made, some pass unused: then no fewer
    /// than a twentieth of a second's are taken.
    min_batch: usize,
    reserved: VecDeque<Timestamp>,
}

impl<'a> Slots<'a> {
    pub fn new(context: &'a AppContext, gateway: &'a str) -> Slots<'a> {
        let rate = gateway_pace(context, gateway);
        let in_flight = context.config.gateways.get(gateway).map_or(1, |g| g.in_flight);
        let batch_size = (rate.per_second / 10).max(in_flight).max(rate.group).max(2) as usize;
        let min_batch = if rate.per_second > 1_000 { rate.per_second as usize / 20 } else { 1 };
        Slots { context, gateway, rate, batch_size, min_batch, reserved: VecDeque::new() }
    }

    /// Messages that may go in one request.
    pub fn group(&self) -> usize {
        self.rate.group as usize
    }

    /// The next slot that can still be used; `left` messages want one. `None`: the gateway is held
    /// still, or other daemons have all there is for now.
    ///
    /// More are taken while half of them are still to come, so that none passes unused meanwhile.
    pub async fn next_slot(&mut self, left: usize) -> Result<Option<Timestamp>, DispatchError> {
        self.drop_expired();
        let wanted = left.min(self.batch_size).max(self.min_batch.min(left * 4));
        if self.reserved.len() < wanted / 2 || self.reserved.is_empty() {
            self.reserve(wanted - self.reserved.len()).await?;
            self.drop_expired();
        }
        Ok(self.reserved.pop_front())
    }

    /// One more slot at the same instant.
    pub fn take_another_at(&mut self, at: Timestamp) -> bool {
        self.reserved.front() == Some(&at) && self.reserved.pop_front().is_some()
    }

    /// A slot whose time is over may be another daemon's turn by now.
    fn drop_expired(&mut self) {
        let now = self.context.clock.now();
        while self.reserved.front().is_some_and(|&at| at + SLOT_TOLERANCE < now) {
            self.reserved.pop_front();
        }
    }

    /// Do more slots pass during a commit than in the tolerance of one?
    fn is_faster_than_commits(&self) -> bool {
        self.rate.per_second > 100 || self.rate.group > 1
    }

    async fn reserve(&mut self, wanted: usize) -> Result<(), DispatchError> {
        let horizon = i64::try_from(MAX_LEAD.as_micros()).unwrap_or(i64::MAX);
        let wanted = u32::try_from(wanted.max(1)).unwrap_or(u32::MAX);
        let mut tx = self.context.database.write().await?;
        let engine = tx.engine();
        // The commit takes its time: the first slots should not be over before it is done. (Virtual
        // time stands still meanwhile.)
        let from = self.context.clock.now()
            + if self.is_faster_than_commits() { COMMIT_DURATION } else { Duration::ZERO };
        let slots =
            rates::take_slots(&mut tx, engine, self.gateway, from, self.rate, horizon, wanted)
                .await?;
        tx.commit().await?;
        // Rounded up: a slot is never used before its time.
        self.reserved.extend(
            slots.into_iter().map(|slot| {
                Timestamp(slot.div_euclid(1000) + i64::from(slot.rem_euclid(1000) > 0))
            }),
        );
        Ok(())
    }
}
