//! Submits claimed messages, each at a slot of its gateway's rate, so many at a time as the
//! gateway's configuration allows; where a gateway takes many messages in one request, those of one
//! instant go together.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use futures_util::future::try_join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument;

use super::claim::{ClaimedBatch, ClaimedMessage};
use super::parts::{LongMessage, PartProgress};
use super::settle::{SubmitEnding, SubmitResult, settle, slow_down};
use super::slots::Slots;
use super::{DispatchError, DispatchJob};
use crate::adapters::database::rates::SLOT_TOLERANCE;
use crate::adapters::database::{invitations, replies};
use crate::adapters::sms::{Gateway, GatewayExchange, OutgoingMessage, SubmitOutcome};
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;

/// Outcomes are written in sets of about so many.
const SETTLE_BATCH_SIZE: usize = 500;
/// A look at the rules is good for so long; then the messages that still wait are looked at again.
const SNAPSHOT_LIFETIME: Duration = Duration::from_millis(20);
/// While no slot is to be had, the rest of a message asks for one this often.
const NO_SLOT_DELAY: Duration = Duration::from_millis(100);
/// A look is taken at so many at least, if they wait.
const MIN_SNAPSHOT_SIZE: u32 = 20;

/// What goes out through one gateway.
struct GatewaySubmission<'a> {
    job: &'a Arc<DispatchJob>,
    gateway: Arc<dyn Gateway>,
    name: String,
    /// Is there another gateway that works, for what this one does not take?
    has_alternative: bool,
    permits: Arc<Semaphore>,
    in_flight: JoinSet<Answered>,
    /// Long messages of which the next part is to be sent, and how many have a part in flight.
    long: VecDeque<LongMessage>,
    long_in_flight: usize,
    settling: JoinSet<Result<(), DispatchError>>,
    results: Vec<SubmitResult>,
    submitted: u64,
    snapshot: EligibilitySnapshot,
}

/// What a gateway has answered to one submit.
enum Answered {
    Request(Vec<SubmitResult>),
    Part(Box<LongMessage>, SubmitOutcome, GatewayExchange),
}

/// Whose messages may go, and when that was looked up.
struct EligibilitySnapshot {
    /// Messages submitted since then: about so many more will be while it lasts.
    submitted_since: usize,
    at: Option<Timestamp>,
    checked: HashSet<InvitationId>,
    allowed: HashSet<InvitationId>,
}

impl EligibilitySnapshot {
    fn is_fresh(&self, invitation: InvitationId, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now.since(at) <= SNAPSHOT_LIFETIME)
            && self.checked.contains(&invitation)
    }
}

/// Sends a batch, through all its gateways at once, and writes what came of it; returns how many
/// messages were submitted.
pub async fn submit_and_settle(
    job: &Arc<DispatchJob>,
    batch: ClaimedBatch,
) -> Result<u64, DispatchError> {
    let mut by_gateway: BTreeMap<String, Vec<ClaimedMessage>> = BTreeMap::new();
    batch
        .messages
        .into_iter()
        .for_each(|claimed| by_gateway.entry(claimed.gateway.clone()).or_default().push(claimed));
    let mut all = Vec::new();
    for (name, messages) in by_gateway {
        let (Some(gateway), Some(permits)) =
            (job.context.gateways.get(&name), job.permits.get(&name))
        else {
            continue;
        };
        let invitations: HashSet<InvitationId> =
            messages.iter().map(|claimed| claimed.invitation).collect();
        let submission = GatewaySubmission {
            job,
            gateway: gateway.clone(),
            has_alternative: batch.capacity.has_alternative(&name),
            name,
            permits: permits.clone(),
            in_flight: JoinSet::new(),
            long: VecDeque::new(),
            long_in_flight: 0,
            settling: JoinSet::new(),
            results: Vec::new(),
            submitted: 0,
            // What the claim has just looked up need not be looked up again.
            snapshot: EligibilitySnapshot {
                submitted_since: 0,
                at: Some(batch.checked_at),
                allowed: invitations.clone(),
                checked: invitations,
            },
        };
        all.push(submission.run(messages));
    }
    Ok(try_join_all(all).await?.into_iter().sum())
}

impl GatewaySubmission<'_> {
    async fn run(mut self, messages: Vec<ClaimedMessage>) -> Result<u64, DispatchError> {
        let (job, name) = (self.job, self.name.clone());
        let sent = self.send(messages, Slots::new(&job.context, &name)).await;
        // A submit that panicked stays `submitting`, and so comes into doubt: never sent again.
        while let Some(done) = self.in_flight.join_next().await {
            self.take_answer(done).await?;
        }
        self.settle();
        while let Some(settled) = self.settling.join_next().await {
            settled.map_err(|_| DispatchError::TaskPanicked)??;
        }
        sent.map(|()| self.submitted)
    }

    /// Submits each message at its slot. What finds no slot now is given back; the next claim takes
    /// it.
    async fn send(
        &mut self,
        messages: Vec<ClaimedMessage>,
        mut slots: Slots<'_>,
    ) -> Result<(), DispatchError> {
        let mut queue = messages.into_iter();
        loop {
            while let Some(done) = self.in_flight.try_join_next() {
                self.take_answer(done).await?;
            }
            if self.results.len() >= SETTLE_BATCH_SIZE {
                self.settle();
            }
            // The rest of a message that is begun goes before the next message.
            if let Some(message) = self.next_long() {
                self.send_part(message, &mut slots).await?;
                continue;
            }
            let Some(first) = self.next_allowed(&mut queue).await? else {
                if self.long.is_empty() && self.long_in_flight == 0 {
                    break;
                }
                self.await_long().await?;
                continue;
            };
            // A place in flight before a slot: while a gateway is busy with all that it may have,
            // no slot passes unused. (The semaphore is never closed.)
            let permit = self.permits.clone().acquire_owned().await.ok();
            match self.await_slot(first, &mut queue, &mut slots).await? {
                Some(request) => self.submit(request, permit),
                None => queue.by_ref().for_each(|claimed| self.withdraw(claimed)),
            }
        }
        Ok(())
    }

    /// The next long message whose next part may go now.
    fn next_long(&mut self) -> Option<LongMessage> {
        let now = self.job.context.clock.now();
        let at = self.long.iter().position(|message| message.not_before <= now)?;
        self.long.remove(at)
    }

    /// Waits for an answer, or until a part may be tried again.
    async fn await_long(&mut self) -> Result<(), DispatchError> {
        let clock = self.job.context.clock.clone();
        if self.in_flight.is_empty() {
            // The last submit panicked.
            self.long_in_flight = 0;
        }
        let next = self.long.iter().map(|message| message.not_before).min();
        let answered = tokio::select! {
            Some(done) = self.in_flight.join_next() => Some(done),
            () = clock.sleep_until(next.unwrap_or(clock.now())), if next.is_some() => None,
            else => None,
        };
        match answered {
            Some(done) => self.take_answer(done).await,
            None => Ok(()),
        }
    }

    /// Submits the next part of a message at a slot of its own.
    async fn send_part(
        &mut self,
        message: LongMessage,
        slots: &mut Slots<'_>,
    ) -> Result<(), DispatchError> {
        let (context, clock) = (&self.job.context, self.job.context.clock.clone());
        // (The semaphore is never closed.)
        let permit = self.permits.clone().acquire_owned().await.ok();
        while context.counts_parts(&self.name) {
            match slots.next_slot(1 + self.long.len()).await? {
                Some(at) => {
                    clock.sleep_until(at).await;
                    if clock.now() <= at + SLOT_TOLERANCE {
                        break;
                    }
                }
                // The gateway is held still for a moment.
                None if message.may_wait(clock.now()) => {
                    clock.sleep_until(clock.now() + NO_SLOT_DELAY).await;
                }
                None => {
                    self.take_progress(message.give_up()).await?;
                    return Ok(());
                }
            }
        }
        self.submit_part(message, permit);
        Ok(())
    }

    /// Do the parts of this message go out one by one?
    fn submits_parts(&self, claimed: &ClaimedMessage) -> bool {
        self.gateway.capabilities().submits_parts && self.gateway.parts(&claimed.message) > 1
    }

    fn submit_part(&mut self, message: LongMessage, permit: Option<OwnedSemaphorePermit>) {
        self.long_in_flight += 1;
        let gateway = self.gateway.clone();
        let span = tracing::debug_span!(
            "gateway_submit",
            otel.kind = "client",
            gateway = self.name,
            messages = 1
        );
        let submitted = async move {
            let response = gateway.submit(&[message.next_part()]).await;
            drop(permit);
            let outcome = response.outcomes.into_iter().next();
            let outcome = outcome.unwrap_or(SubmitOutcome::InDoubt { code: "no_outcome".into() });
            Answered::Part(Box::new(message), outcome, response.log_entry)
        };
        self.in_flight.spawn(submitted.instrument(span));
    }

    /// Takes the answer to a submit. One that panicked is in doubt: its message stays `submitting`.
    async fn take_answer(
        &mut self,
        done: Result<Answered, JoinError>,
    ) -> Result<(), DispatchError> {
        match done {
            Ok(Answered::Request(results)) => self.results.extend(results),
            Ok(Answered::Part(message, outcome, log_entry)) => {
                self.long_in_flight -= 1;
                let now = self.job.context.clock.now();
                self.take_progress(message.record(outcome, log_entry, now)).await?;
            }
            Err(_) => {}
        }
        Ok(())
    }

    async fn take_progress(&mut self, progress: PartProgress) -> Result<(), DispatchError> {
        match progress {
            PartProgress::Continues(message) => self.long.push_back(message),
            PartProgress::Throttled(message, retry_after) => {
                let (context, now) = (&self.job.context, self.job.context.clock.now());
                let mut tx = context.database.write().await?;
                slow_down(&mut tx, (&self.name, message.seed()), retry_after, now).await?;
                tx.commit().await?;
                self.long.push_back(message);
            }
            PartProgress::Ended(result) => self.results.push(*result),
        }
        Ok(())
    }

    /// Waits for a slot and returns who may use it: the first one, or, if the rules have changed
    /// meanwhile, the next one who may go; and those who go in the same request. `None`: there is
    /// no slot for now, or nobody left.
    async fn await_slot(
        &mut self,
        first: ClaimedMessage,
        queue: &mut IntoIter<ClaimedMessage>,
        slots: &mut Slots<'_>,
    ) -> Result<Option<Vec<ClaimedMessage>>, DispatchError> {
        let clock = self.job.context.clock.clone();
        let mut claimed = first;
        while let Some(at) = slots.next_slot(queue.len() + 1).await? {
            clock.sleep_until(at).await;
            while !self.is_allowed_now(&claimed, queue.as_slice()).await? {
                self.withdraw(claimed);
                match self.next_allowed(queue).await? {
                    Some(next) => claimed = next,
                    None => return Ok(None),
                }
            }
            if clock.now() <= at + SLOT_TOLERANCE {
                if !self.take_slots_of_parts(&claimed, at, slots).await? {
                    break;
                }
                let mut request = vec![claimed];
                while request.len() < slots.group()
                    && self.may_share_request(&request, queue.as_slice())
                    && slots.take_another_at(at)
                {
                    request.extend(queue.next());
                }
                return Ok(Some(request));
            }
        }
        self.withdraw(claimed);
        Ok(None)
    }

    /// Does the message go out at once, and does each of its parts count?
    fn needs_slots_of_parts(&self, claimed: &ClaimedMessage) -> bool {
        claimed.message.parts > 1
            && self.job.context.counts_parts(&self.name)
            && !self.submits_parts(claimed)
    }

    /// Takes a slot more for every part but the first, where a message goes out at once: at the
    /// last of them. Returns whether there are as many.
    async fn take_slots_of_parts(
        &self,
        claimed: &ClaimedMessage,
        first: Timestamp,
        slots: &mut Slots<'_>,
    ) -> Result<bool, DispatchError> {
        if !self.needs_slots_of_parts(claimed) {
            return Ok(true);
        }
        for left in (1..claimed.message.parts).rev() {
            if !slots.take_another_at(first) {
                let Some(at) = slots.next_slot(left as usize).await? else { return Ok(false) };
                self.job.context.clock.sleep_until(at).await;
            }
        }
        Ok(true)
    }

    /// May the next one go in this request as well? (Looked at a moment ago; who was not comes into
    /// a request of its own.)
    fn may_share_request(&self, request: &[ClaimedMessage], queue: &[ClaimedMessage]) -> bool {
        let (Some(first), Some(next)) = (request.first(), queue.first()) else { return false };
        let now = self.job.context.clock.now();
        let is_allowed = next.is_acknowledgement()
            || (self.snapshot.is_fresh(next.invitation, now)
                && self.snapshot.allowed.contains(&next.invitation));
        is_allowed
            && self.job.plan().hours.is_open(now, &next.zones)
            && !first.message.must_be_alone
            && !self.needs_slots_of_parts(first)
            && !self.needs_slots_of_parts(next)
            && !self.submits_parts(first)
            && !self.submits_parts(next)
            && !next.message.must_be_alone
            && self.gateway.can_share_request(&first.message, &next.message)
            // A receipt names a message of a request by its number.
            && request.iter().all(|claimed| claimed.phone_hash != next.phone_hash)
    }

    fn withdraw(&mut self, claimed: ClaimedMessage) {
        let at = self.job.context.clock.now();
        self.results.push(SubmitResult { claimed, ending: SubmitEnding::Withdrawn, at });
    }

    /// The next message that may go (invariant I2); those that may not are withdrawn.
    async fn next_allowed(
        &mut self,
        queue: &mut IntoIter<ClaimedMessage>,
    ) -> Result<Option<ClaimedMessage>, DispatchError> {
        while let Some(first) = queue.as_slice().first() {
            if !first.is_acknowledgement()
                && !self.snapshot.is_fresh(first.invitation, self.job.context.clock.now())
            {
                self.refresh_snapshot(queue.as_slice()).await?;
            }
            let Some(claimed) = queue.next() else { break };
            if claimed.is_acknowledgement() || self.snapshot.allowed.contains(&claimed.invitation) {
                return Ok(Some(claimed));
            }
            self.withdraw(claimed);
        }
        Ok(None)
    }

    /// May this message go at this very moment? Whoever waits behind it is looked at with it.
    async fn is_allowed_now(
        &mut self,
        claimed: &ClaimedMessage,
        queue: &[ClaimedMessage],
    ) -> Result<bool, DispatchError> {
        let now = self.job.context.clock.now();
        if !claimed.is_acknowledgement() && !self.snapshot.is_fresh(claimed.invitation, now) {
            self.refresh_snapshot(std::iter::once(claimed).chain(queue)).await?;
        }
        let is_allowed =
            claimed.is_acknowledgement() || self.snapshot.allowed.contains(&claimed.invitation);
        Ok(is_allowed && self.job.plan().hours.is_open(now, &claimed.zones))
    }

    /// Looks the rules up for those who are about to go while the look lasts.
    async fn refresh_snapshot<'c>(
        &mut self,
        queue: impl IntoIterator<Item = &'c ClaimedMessage>,
    ) -> Result<(), DispatchError> {
        let context = &self.job.context;
        let now = context.clock.now();
        let rate = super::capacity::gateway_pace(context, &self.name);
        let soon = (rate.per_second / 50)
            .clamp(1, 500)
            .min(MIN_SNAPSHOT_SIZE + 2 * self.snapshot.submitted_since as u32)
            .max(rate.group) as usize;
        let soon: Vec<&ClaimedMessage> = queue.into_iter().take(soon).collect();
        let invitations: Vec<InvitationId> =
            soon.iter().map(|claimed| claimed.invitation).collect();
        let mut connection = context.database.read().await?;
        let programme = &self.job.cached_plan.programme;
        // An answer goes to a person, whatever has become of the case.
        let (about_cases, answers): (Vec<&ClaimedMessage>, Vec<&ClaimedMessage>) =
            soon.iter().partition(|claimed| claimed.upcoming.slot.kind.needs_open_case());
        let ids = |claimed: &[&ClaimedMessage]| -> Vec<InvitationId> {
            claimed.iter().map(|claimed| claimed.invitation).collect()
        };
        let (about_cases, answers) = (ids(&about_cases), ids(&answers));
        let mut allowed =
            invitations::filter_sendable(&mut connection, &about_cases, programme, now).await?;
        if !answers.is_empty() {
            let more =
                invitations::filter_answerable(&mut connection, &answers, programme, now).await?;
            allowed.extend(more);
        }
        let hold = self.job.plan().unread_reply_hold;
        let waiting = soon.iter().filter(|claimed| claimed.upcoming.slot.kind.waits_for_reader());
        let hashes: Vec<String> =
            waiting.clone().map(|claimed| claimed.phone_hash.clone()).collect();
        if !hold.is_zero() && !hashes.is_empty() {
            let unread = replies::unread_since(&mut connection, &hashes, now - hold).await?;
            for claimed in waiting.filter(|claimed| unread.contains_key(&claimed.phone_hash)) {
                allowed.remove(&claimed.invitation);
            }
        }
        self.snapshot = EligibilitySnapshot {
            submitted_since: 0,
            at: Some(now),
            checked: invitations.into_iter().collect(),
            allowed,
        };
        Ok(())
    }

    fn submit(&mut self, request: Vec<ClaimedMessage>, permit: Option<OwnedSemaphorePermit>) {
        self.submitted += request.len() as u64;
        self.snapshot.submitted_since += request.len();
        let request = match <[ClaimedMessage; 1]>::try_from(request) {
            Ok([claimed]) if self.submits_parts(&claimed) => {
                let (parts, context) = (self.gateway.parts(&claimed.message), &self.job.context);
                let (lost_after, now) =
                    (context.config.dispatch.in_doubt_after, context.clock.now());
                let message = LongMessage::new(claimed, parts, lost_after, now);
                return self.submit_part(message, permit);
            }
            Ok(only) => only.into(),
            Err(several) => several,
        };
        let (gateway, at) = (self.gateway.clone(), self.job.context.clock.now());
        let span = tracing::debug_span!(
            "gateway_submit",
            otel.kind = "client",
            gateway = self.name,
            messages = request.len() as i64
        );
        let submitted = async move {
            let messages: Vec<OutgoingMessage> =
                request.iter().map(|claimed| claimed.message.clone()).collect();
            let response = gateway.submit(&messages).await;
            drop(permit);
            let mut outcomes = response.outcomes.into_iter();
            let to_result = |claimed| {
                let outcome =
                    outcomes.next().unwrap_or(SubmitOutcome::InDoubt { code: "no_outcome".into() });
                SubmitResult {
                    claimed,
                    ending: SubmitEnding::BatchResult(outcome, response.log_entry.clone()),
                    at,
                }
            };
            Answered::Request(request.into_iter().map(to_result).collect())
        };
        self.in_flight.spawn(submitted.instrument(span));
    }

    /// Writes what has been answered, while others are still on their way.
    fn settle(&mut self) {
        let results = std::mem::take(&mut self.results);
        let now = self.job.context.clock.now();
        let settled =
            settle(self.job.clone(), self.name.clone(), self.has_alternative, results, now);
        self.settling.spawn(settled.instrument(tracing::debug_span!("settle_messages")));
    }
}
