//! Submits claimed messages, each at its slot, so many at a time as the gateway's configuration allows.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::DispatchError;
use super::claim::{Batch, ClaimedMessage, take_slots};
use super::settle::{Answered, Ending, settle};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::InvitationId;
use crate::gateway::{Gateway, Outcome};
use crate::installation::Installation;
use crate::store::campaigns::Campaign;
use crate::store::invitations;
use crate::store::rates::SLOT_TOLERANCE;

/// Outcomes are written in sets of about so many.
const SETTLE_SET: usize = 100;
/// The rules are looked at once more for all messages whose slots lie within so much time, right before the first of them goes.
const LOOK_AHEAD: Duration = Duration::from_millis(10);
/// Messages that missed their slots get new ones so often; then the next claim takes them.
const ROUNDS: u32 = 3;

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
    };
    let mut waiting = batch.messages;
    for round in 1..=ROUNDS {
        let late = sending.send_on_time(waiting).await?;
        waiting = if late.is_empty() || round == ROUNDS { late } else { sending.slot_again(late).await? };
    }
    let now = installation.clock.now();
    sending.answered.extend(waiting.into_iter().map(|claimed| Answered { claimed, ending: Ending::Withdrawn, at: now }));
    // A submit that panicked stays `submitting`, and so comes into doubt: never sent again.
    while let Some(done) = sending.under_way.join_next().await {
        sending.answered.extend(done.ok());
    }
    settle(installation, campaign, plan, sending.answered).await?;
    Ok(sending.submitted)
}

impl Sending<'_> {
    /// Submits each message at its slot; returns those that missed theirs.
    async fn send_on_time(&mut self, messages: Vec<ClaimedMessage>) -> Result<Vec<ClaimedMessage>, DispatchError> {
        let clock = self.installation.clock.clone();
        let mut late = Vec::new();
        let mut messages = messages.into_iter().peekable();
        while let Some(first) = messages.peek() {
            // A permit before the wait: while a gateway is busy with all that it may have, no time passes unseen.
            let mut permit = self.permit().await;
            clock.sleep_until(first.at).await;
            let soon = clock.now().max(first.at) + LOOK_AHEAD;
            let mut together = Vec::new();
            while let Some(claimed) = messages.next_if(|claimed| claimed.at <= soon) {
                together.push(claimed);
            }
            let allowed = self.still_allowed(&together).await?;
            for claimed in together {
                if !allowed.contains(&claimed.invitation) {
                    self.answered.push(Answered { claimed, ending: Ending::Withdrawn, at: clock.now() });
                    continue;
                }
                let held = match permit.take() {
                    Some(held) => Some(held),
                    None => self.permit().await,
                };
                clock.sleep_until(claimed.at).await;
                if clock.now() > claimed.at + SLOT_TOLERANCE {
                    late.push(claimed);
                    permit = held;
                    continue;
                }
                self.submit(claimed, held);
            }
            while let Some(Ok(done)) = self.under_way.try_join_next() {
                self.answered.push(done);
            }
            if self.answered.len() >= SETTLE_SET {
                settle(self.installation, self.campaign, self.plan, std::mem::take(&mut self.answered)).await?;
            }
        }
        Ok(late)
    }

    /// One of the places in flight. (`None` only for a closed semaphore, which this one never is; then nothing is held, and nothing is counted.)
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().acquire_owned().await.ok()
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

    /// New slots for messages that missed theirs; for those that there is none for, the next claim finds one.
    async fn slot_again(&mut self, late: Vec<ClaimedMessage>) -> Result<Vec<ClaimedMessage>, DispatchError> {
        let mut tx = self.installation.store.write().await?;
        let now = self.installation.clock.now();
        let slots = take_slots(self.installation, &mut tx, &self.campaign.gateway, now, late.len()).await?;
        tx.commit().await?;
        let mut slots = slots.into_iter();
        let mut again = Vec::new();
        for claimed in late {
            match slots.next() {
                Some(at) => again.push(ClaimedMessage { at, ..claimed }),
                None => self.answered.push(Answered { claimed, ending: Ending::Withdrawn, at: now }),
            }
        }
        Ok(again)
    }

    /// The rules once more, at the moment of submit (invariant I2): whose message may still go.
    async fn still_allowed(&self, messages: &[ClaimedMessage]) -> Result<HashSet<InvitationId>, DispatchError> {
        let now = self.installation.clock.now();
        let open: Vec<InvitationId> = messages.iter().filter(|m| self.plan.hours.is_open(now.max(m.at), m.zone)).map(|m| m.invitation).collect();
        let mut connection = self.installation.store.read().await?;
        Ok(invitations::may_send(&mut connection, &open, &self.programme, now).await?)
    }
}
