//! Submits claimed messages, each at a slot of its gateway's rate, so many at a time as the gateway's configuration allows; where a gateway takes many
//! messages in one request, those of one instant go together.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use futures_util::future::try_join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::Instrument;

use super::claim::{Batch, ClaimedMessage};
use super::settle::{Answered, Ending, settle};
use super::slots::Slots;
use super::{DispatchError, Lane};
use crate::domain::contact_plan::is_answer;
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;
use crate::adapters::sms::{Gateway, Outcome, OutgoingMessage};
use crate::adapters::database::invitations;
use crate::adapters::database::rates::SLOT_TOLERANCE;

/// Outcomes are written in sets of about so many.
const SETTLE_SET: usize = 500;
/// A look at the rules is good for so long; then the messages that still wait are looked at again.
const LOOK_LASTS: Duration = Duration::from_millis(20);
/// A look is taken at so many at least, if they wait.
const FEW: u32 = 20;

/// What goes out through one gateway.
struct Sending<'a> {
    lane: &'a Arc<Lane>,
    gateway: Arc<dyn Gateway>,
    name: String,
    /// Is there another gateway that works, for what this one does not take?
    works_beside: bool,
    permits: Arc<Semaphore>,
    under_way: JoinSet<Vec<Answered>>,
    settling: JoinSet<Result<(), DispatchError>>,
    answered: Vec<Answered>,
    submitted: u64,
    look: Look,
}

/// Whose messages may go, and when that was looked up.
struct Look {
    /// Messages submitted since then: about so many more will be while it lasts.
    used: usize,
    at: Option<Timestamp>,
    looked_at: HashSet<InvitationId>,
    allowed: HashSet<InvitationId>,
}

impl Look {
    fn is_fresh(&self, invitation: InvitationId, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now.since(at) <= LOOK_LASTS) && self.looked_at.contains(&invitation)
    }
}

/// Sends a batch, through all its gateways at once, and writes what came of it; returns how many messages were submitted.
pub async fn submit_and_settle(lane: &Arc<Lane>, batch: Batch) -> Result<u64, DispatchError> {
    let mut by_gateway: BTreeMap<String, Vec<ClaimedMessage>> = BTreeMap::new();
    batch.messages.into_iter().for_each(|claimed| by_gateway.entry(claimed.gateway.clone()).or_default().push(claimed));
    let mut all = Vec::new();
    for (name, messages) in by_gateway {
        let (Some(gateway), Some(permits)) = (lane.installation.gateways.get(&name), lane.permits.get(&name)) else { continue };
        let invitations: HashSet<InvitationId> = messages.iter().map(|claimed| claimed.invitation).collect();
        let sending = Sending {
            lane,
            gateway: gateway.clone(),
            works_beside: batch.rooms.works_beside(&name),
            name,
            permits: permits.clone(),
            under_way: JoinSet::new(),
            settling: JoinSet::new(),
            answered: Vec::new(),
            submitted: 0,
            // What the claim has just looked up need not be looked up again.
            look: Look { used: 0, at: Some(batch.looked_at), allowed: invitations.clone(), looked_at: invitations },
        };
        all.push(sending.run(messages));
    }
    Ok(try_join_all(all).await?.into_iter().sum())
}

impl Sending<'_> {
    async fn run(mut self, messages: Vec<ClaimedMessage>) -> Result<u64, DispatchError> {
        let (lane, name) = (self.lane, self.name.clone());
        let sent = self.send(messages, Slots::new(&lane.installation, &name)).await;
        // A submit that panicked stays `submitting`, and so comes into doubt: never sent again.
        while let Some(done) = self.under_way.join_next().await {
            self.answered.extend(done.into_iter().flatten());
        }
        self.settle();
        while let Some(settled) = self.settling.join_next().await {
            settled.map_err(|_| DispatchError::BrokeOff)??;
        }
        sent.map(|()| self.submitted)
    }

    /// Submits each message at its slot. What finds no slot now is given back; the next claim takes it.
    async fn send(&mut self, messages: Vec<ClaimedMessage>, mut slots: Slots<'_>) -> Result<(), DispatchError> {
        let mut waiting = messages.into_iter();
        while let Some(first) = self.next_allowed(&mut waiting).await? {
            // A place in flight before a slot: while a gateway is busy with all that it may have, no slot passes unused.
            // (The semaphore is never closed.)
            let permit = self.permits.clone().acquire_owned().await.ok();
            let Some(request) = self.at_a_slot(first, &mut waiting, &mut slots).await? else { break };
            self.submit(request, permit);
            while let Some(Ok(done)) = self.under_way.try_join_next() {
                self.answered.extend(done);
            }
            if self.answered.len() >= SETTLE_SET {
                self.settle();
            }
        }
        waiting.for_each(|claimed| self.withdraw(claimed));
        Ok(())
    }

    /// Waits for a slot and returns who may use it: the first one, or, if the rules have changed meanwhile, the next one who may go; and those who go in
    /// the same request. `None`: there is no slot for now, or nobody left.
    async fn at_a_slot(
        &mut self,
        first: ClaimedMessage,
        waiting: &mut IntoIter<ClaimedMessage>,
        slots: &mut Slots<'_>,
    ) -> Result<Option<Vec<ClaimedMessage>>, DispatchError> {
        let clock = self.lane.installation.clock.clone();
        let mut claimed = first;
        while let Some(at) = slots.next(waiting.len() + 1).await? {
            clock.sleep_until(at).await;
            while !self.is_allowed_now(&claimed, waiting.as_slice()).await? {
                self.withdraw(claimed);
                match self.next_allowed(waiting).await? {
                    Some(next) => claimed = next,
                    None => return Ok(None),
                }
            }
            if clock.now() <= at + SLOT_TOLERANCE {
                let mut request = vec![claimed];
                while request.len() < slots.group() && self.may_join(&request, waiting.as_slice()) && slots.another_at(at) {
                    request.extend(waiting.next());
                }
                return Ok(Some(request));
            }
        }
        self.withdraw(claimed);
        Ok(None)
    }

    /// May the next one go in this request as well? (Looked at a moment ago; who was not comes into a request of its own.)
    fn may_join(&self, request: &[ClaimedMessage], waiting: &[ClaimedMessage]) -> bool {
        let (Some(first), Some(next)) = (request.first(), waiting.first()) else { return false };
        let now = self.lane.installation.clock.now();
        let is_allowed = is_answer(next.step) || (self.look.is_fresh(next.invitation, now) && self.look.allowed.contains(&next.invitation));
        is_allowed
            && self.lane.plan().hours.is_open(now, &next.zones)
            && !first.message.alone
            && !next.message.alone
            && self.gateway.goes_with(&first.message, &next.message)
            // A receipt names a message of a request by its number.
            && request.iter().all(|claimed| claimed.phone_hash != next.phone_hash)
    }

    fn withdraw(&mut self, claimed: ClaimedMessage) {
        let at = self.lane.installation.clock.now();
        self.answered.push(Answered { claimed, ending: Ending::Withdrawn, at });
    }

    /// The next message that may go (invariant I2); those that may not are withdrawn.
    async fn next_allowed(&mut self, waiting: &mut IntoIter<ClaimedMessage>) -> Result<Option<ClaimedMessage>, DispatchError> {
        while let Some(first) = waiting.as_slice().first() {
            if !is_answer(first.step) && !self.look.is_fresh(first.invitation, self.lane.installation.clock.now()) {
                self.look(waiting.as_slice()).await?;
            }
            let Some(claimed) = waiting.next() else { break };
            if is_answer(claimed.step) || self.look.allowed.contains(&claimed.invitation) {
                return Ok(Some(claimed));
            }
            self.withdraw(claimed);
        }
        Ok(None)
    }

    /// May this message go at this very moment? Whoever waits behind it is looked at with it.
    async fn is_allowed_now(&mut self, claimed: &ClaimedMessage, waiting: &[ClaimedMessage]) -> Result<bool, DispatchError> {
        let now = self.lane.installation.clock.now();
        if !is_answer(claimed.step) && !self.look.is_fresh(claimed.invitation, now) {
            self.look(std::iter::once(claimed).chain(waiting)).await?;
        }
        let is_allowed = is_answer(claimed.step) || self.look.allowed.contains(&claimed.invitation);
        Ok(is_allowed && self.lane.plan().hours.is_open(now, &claimed.zones))
    }

    /// Looks the rules up for those who are about to go while the look lasts.
    async fn look<'c>(&mut self, waiting: impl IntoIterator<Item = &'c ClaimedMessage>) -> Result<(), DispatchError> {
        let installation = &self.lane.installation;
        let now = installation.clock.now();
        let pace = super::capacity::pace(installation, &self.name);
        let soon = (pace.per_second / 50).clamp(1, 500).min(FEW + 2 * self.look.used as u32).max(pace.group) as usize;
        let invitations: Vec<InvitationId> = waiting.into_iter().take(soon).map(|claimed| claimed.invitation).collect();
        let mut connection = installation.store.read().await?;
        let allowed = invitations::may_send(&mut connection, &invitations, &self.lane.launched.programme, now).await?;
        self.look = Look { used: 0, at: Some(now), looked_at: invitations.into_iter().collect(), allowed };
        Ok(())
    }

    fn submit(&mut self, request: Vec<ClaimedMessage>, permit: Option<OwnedSemaphorePermit>) {
        self.submitted += request.len() as u64;
        self.look.used += request.len();
        let (gateway, at) = (self.gateway.clone(), self.lane.installation.clock.now());
        let span = tracing::debug_span!("submit", otel.kind = "client", gateway = self.name, messages = request.len() as i64);
        let submitted = async move {
            let messages: Vec<OutgoingMessage> = request.iter().map(|claimed| claimed.message.clone()).collect();
            let said = gateway.submit(&messages).await;
            drop(permit);
            let mut outcomes = said.outcomes.into_iter();
            let answered = |claimed| {
                let outcome = outcomes.next().unwrap_or(Outcome::InDoubt { code: "no_outcome".into() });
                Answered { claimed, ending: Ending::Answered(outcome, said.exchange.clone()), at }
            };
            request.into_iter().map(answered).collect()
        };
        self.under_way.spawn(submitted.instrument(span));
    }

    /// Writes what has been answered, while others are still on their way.
    fn settle(&mut self) {
        let answered = std::mem::take(&mut self.answered);
        let now = self.lane.installation.clock.now();
        let settled = settle(self.lane.clone(), self.name.clone(), self.works_beside, answered, now);
        self.settling.spawn(settled.instrument(tracing::debug_span!("settle")));
    }
}
