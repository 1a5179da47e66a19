//! Submits claimed messages, each at a slot of the gateway's rate, so many at a time as the gateway's configuration allows.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::DispatchError;
use super::claim::{Batch, ClaimedMessage};
use super::settle::{Answered, Ending, settle};
use super::slots::Slots;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;
use crate::gateway::{Gateway, Outcome};
use crate::installation::Installation;
use crate::store::campaigns::Campaign;
use crate::store::invitations;
use crate::store::rates::SLOT_TOLERANCE;

/// Outcomes are written in sets of about so many.
const SETTLE_SET: usize = 200;
/// A look at the rules is good for so long; then the messages that still wait are looked at again.
const LOOK_LASTS: Duration = Duration::from_millis(20);

/// One batch on its way out.
struct Sending<'a> {
    installation: &'a Arc<Installation>,
    gateway: &'a Arc<dyn Gateway>,
    campaign: &'a Campaign,
    plan: &'a ContactPlan,
    programme: String,
    permits: Arc<Semaphore>,
    under_way: JoinSet<Answered>,
    answered: Vec<Answered>,
    submitted: u64,
    look: Look,
}

/// Whose messages may go, and when that was looked up.
#[derive(Default)]
struct Look {
    at: Option<Timestamp>,
    looked_at: HashSet<InvitationId>,
    allowed: HashSet<InvitationId>,
}

impl Look {
    fn is_fresh(&self, invitation: InvitationId, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now.since(at) <= LOOK_LASTS) && self.looked_at.contains(&invitation)
    }
}

/// Sends a batch and writes what came of it; returns how many messages were submitted.
pub async fn submit_and_settle(
    installation: &Arc<Installation>,
    gateway: &Arc<dyn Gateway>,
    campaign: &Campaign,
    plan: &ContactPlan,
    batch: Batch,
) -> Result<u64, DispatchError> {
    let in_flight = installation.config.gateways.get(&campaign.gateway).map_or(1, |g| g.in_flight);
    let mut sending = Sending {
        installation,
        gateway,
        campaign,
        plan,
        programme: batch.programme,
        permits: Arc::new(Semaphore::new(in_flight as usize)),
        under_way: JoinSet::new(),
        answered: Vec::new(),
        submitted: 0,
        look: Look::default(),
    };
    let slots = Slots::new(installation, &campaign.gateway, in_flight);
    sending.send(batch.messages, slots).await?;
    // A submit that panicked stays `submitting`, and so comes into doubt: never sent again.
    while let Some(done) = sending.under_way.join_next().await {
        sending.answered.extend(done.ok());
    }
    settle(installation, campaign, plan, sending.answered).await?;
    Ok(sending.submitted)
}

impl Sending<'_> {
    /// Submits each message at its slot. What finds no slot now is given back; the next claim takes it.
    async fn send(&mut self, messages: Vec<ClaimedMessage>, mut slots: Slots<'_>) -> Result<(), DispatchError> {
        let mut waiting = messages.into_iter();
        while let Some(first) = self.next_allowed(&mut waiting).await? {
            // A place in flight before a slot: while a gateway is busy with all that it may have, no slot passes unused.
            // (The semaphore is never closed.)
            let permit = self.permits.clone().acquire_owned().await.ok();
            let Some(claimed) = self.at_a_slot(first, &mut waiting, &mut slots).await? else { break };
            self.submit(claimed, permit);
            while let Some(Ok(done)) = self.under_way.try_join_next() {
                self.answered.push(done);
            }
            if self.answered.len() >= SETTLE_SET {
                settle(self.installation, self.campaign, self.plan, std::mem::take(&mut self.answered)).await?;
            }
        }
        waiting.for_each(|claimed| self.withdraw(claimed));
        Ok(())
    }

    /// Waits for a slot and returns who may use it: the first one, or, if the rules have changed meanwhile, the next one who may go.
    /// `None`: there is no slot for now, or nobody left.
    async fn at_a_slot(
        &mut self,
        first: ClaimedMessage,
        waiting: &mut IntoIter<ClaimedMessage>,
        slots: &mut Slots<'_>,
    ) -> Result<Option<ClaimedMessage>, DispatchError> {
        let clock = self.installation.clock.clone();
        let mut claimed = first;
        while let Some(at) = slots.next(waiting.len() + 1).await? {
            clock.sleep_until(at).await;
            while !self.is_allowed_now(&claimed).await? {
                self.withdraw(claimed);
                match self.next_allowed(waiting).await? {
                    Some(next) => claimed = next,
                    None => return Ok(None),
                }
            }
            if clock.now() <= at + SLOT_TOLERANCE {
                return Ok(Some(claimed));
            }
        }
        self.withdraw(claimed);
        Ok(None)
    }

    fn withdraw(&mut self, claimed: ClaimedMessage) {
        let at = self.installation.clock.now();
        self.answered.push(Answered { claimed, ending: Ending::Withdrawn, at });
    }

    /// The next message that may go (invariant I2); those that may not are withdrawn.
    async fn next_allowed(&mut self, waiting: &mut IntoIter<ClaimedMessage>) -> Result<Option<ClaimedMessage>, DispatchError> {
        while let Some(first) = waiting.as_slice().first() {
            if !self.look.is_fresh(first.invitation, self.installation.clock.now()) {
                self.look(waiting.as_slice()).await?;
            }
            let Some(claimed) = waiting.next() else { break };
            if self.look.allowed.contains(&claimed.invitation) {
                return Ok(Some(claimed));
            }
            self.withdraw(claimed);
        }
        Ok(None)
    }

    /// May this message go at this very moment?
    async fn is_allowed_now(&mut self, claimed: &ClaimedMessage) -> Result<bool, DispatchError> {
        let now = self.installation.clock.now();
        if !self.look.is_fresh(claimed.invitation, now) {
            self.look(std::slice::from_ref(claimed)).await?;
        }
        Ok(self.look.allowed.contains(&claimed.invitation) && self.plan.hours.is_open(now, claimed.zone))
    }

    /// Looks the rules up for those who are about to go while the look lasts.
    async fn look(&mut self, waiting: &[ClaimedMessage]) -> Result<(), DispatchError> {
        let now = self.installation.clock.now();
        let per_second = self.installation.config.gateways.get(&self.campaign.gateway).map_or(1, |g| g.rate_per_second);
        let soon = (per_second / 50).clamp(1, 500) as usize;
        let invitations: Vec<InvitationId> = waiting.iter().take(soon).map(|claimed| claimed.invitation).collect();
        let mut connection = self.installation.store.read().await?;
        let allowed = invitations::may_send(&mut connection, &invitations, &self.programme, now).await?;
        self.look = Look { at: Some(now), looked_at: invitations.into_iter().collect(), allowed };
        Ok(())
    }

    fn submit(&mut self, claimed: ClaimedMessage, permit: Option<OwnedSemaphorePermit>) {
        self.submitted += 1;
        let (gateway, at) = (self.gateway.clone(), self.installation.clock.now());
        self.under_way.spawn(async move {
            let outcome = gateway.submit(std::slice::from_ref(&claimed.message)).await.pop();
            drop(permit);
            let outcome = outcome.unwrap_or(Outcome::InDoubt { code: "no_outcome".into() });
            Answered { claimed, ending: Ending::Answered(outcome), at }
        });
    }
}
