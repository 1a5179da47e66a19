//! Writes the outcomes of submits: the message's state, the case's disposition, the invitation's
//! next time, the gateway's pace; all in one transaction.

use std::sync::Arc;
use std::time::Duration;

use super::circuit_breakers::CircuitChange;
use super::claim::ClaimedMessage;
use super::receipts::apply_early_receipts;
use super::{DispatchError, DispatchJob};
use crate::adapters::database::cases::DispositionSource;
use crate::adapters::database::invitations::{self, NextContact};
use crate::adapters::database::messages::{self, Settlement};
use crate::adapters::database::{
    WriteTx, campaigns, cases, gateway_log, message_parts, rates, receipts,
};
use crate::adapters::sms::{BATCH_REFUSED, GatewayExchange, SubmitOutcome};
use crate::domain::contact_plan::Upcoming;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{InvitationId, MessageKey};
use crate::domain::seeded_random::jittered;
use crate::domain::time::Timestamp;

/// A step that has been tried so often is given up when the contact hours of the day are over, and
/// the plan goes on with the next one.
const MIN_ATTEMPTS: u32 = 6;
const NUMBER_LIMIT_DELAY: Duration = Duration::from_secs(3_600);
const ACCOUNT_PAUSE: Duration = Duration::from_secs(600);
const FIRST_BACK_OFF: Duration = Duration::from_secs(30);
const MAX_BACK_OFF: Duration = Duration::from_secs(900);
/// What one gateway did not take, another one is given almost at once.
const FAILOVER_DELAY: Duration = Duration::from_secs(1);
/// So often; then the message waits like any other.
const MAX_FAILOVERS: u32 = 4;

pub enum SubmitEnding {
    BatchResult(SubmitOutcome, GatewayExchange),
    /// All or some parts of a long message have been accepted, under these ids; the outcome is the
    /// whole message's.
    Parts(SubmitOutcome, GatewayExchange, Vec<Option<String>>),
    /// At the moment of submit the rules no longer allowed it; the gateway heard nothing.
    Withdrawn,
}

pub struct SubmitResult {
    pub claimed: ClaimedMessage,
    pub ending: SubmitEnding,
    pub at: Timestamp,
}

/// What an outcome means for the message's row and the invitation.
struct OutcomeEffect {
    state: &'static str,
    id: Option<String>,
    code: Option<String>,
    /// Submit this step again, so much later.
    resubmit_after: Option<Duration>,
}

/// A message, its outcome, and the ids of its parts that were accepted.
type Submitted = (ClaimedMessage, SubmitOutcome, GatewayExchange, Vec<Option<String>>);

/// What is to be written about one set of outcomes.
#[derive(Default)]
struct SettlementBatch {
    settlements: Vec<Settlement>,
    gateway_log: Vec<gateway_log::GatewayLogEntry>,
    withdrawn: Vec<MessageKey>,
    retries: Vec<NextContact>,
    accepted: Vec<InvitationId>,
    unreachable: Vec<InvitationId>,
    /// Hashes of numbers.
    opted_out: Vec<String>,
    refunded_micros: i64,
}

/// Writes a set of outcomes of one gateway. `has_alternative`: another gateway of the route can
/// take what this one did not.
pub async fn settle(
    job: Arc<DispatchJob>,
    gateway: String,
    has_alternative: bool,
    results: Vec<SubmitResult>,
    now: Timestamp,
) -> Result<(), DispatchError> {
    if results.is_empty() {
        return Ok(());
    }
    let mut tx = job.context.database.write().await?;
    let mut health =
        GatewayHealth { job: &job, gateway: &gateway, is_half_open: None, is_slowed_down: false };
    let mut batch = SettlementBatch::default();
    for SubmitResult { claimed, ending, at } in results {
        match ending {
            SubmitEnding::Withdrawn => {
                batch.retries.push(resubmit(&job, &claimed, now));
                batch.refunded_micros += claimed.cost_micros;
                batch.withdrawn.push(claimed.key());
            }
            SubmitEnding::BatchResult(outcome, log_entry) => {
                health.record(&mut tx, &outcome, &claimed, now).await?;
                let submitted = (claimed, outcome, log_entry, Vec::new());
                batch.record(&job, &gateway, has_alternative, submitted, at, now);
            }
            SubmitEnding::Parts(outcome, log_entry, part_ids) => {
                health.record(&mut tx, &outcome, &claimed, now).await?;
                let submitted = (claimed, outcome, log_entry, part_ids);
                batch.record(&job, &gateway, has_alternative, submitted, at, now);
            }
        }
    }
    batch.write(&job, &gateway, tx, now).await
}

/// The same step again, in contact hours.
fn resubmit(job: &DispatchJob, claimed: &ClaimedMessage, at: Timestamp) -> NextContact {
    let (plan, slot) = (job.plan(), claimed.upcoming.slot);
    NextContact {
        id: claimed.invitation,
        upcoming: claimed.upcoming,
        at: plan.next_contact(at, &claimed.zones, &claimed.phone_hash, slot),
    }
}

impl SettlementBatch {
    fn record(
        &mut self,
        job: &DispatchJob,
        gateway: &str,
        has_alternative: bool,
        (claimed, outcome, log_entry, part_ids): Submitted,
        at: Timestamp,
        now: Timestamp,
    ) {
        let mut effect = effect_of(&outcome, &claimed, has_alternative);
        let is_passing = matches!(outcome, SubmitOutcome::TemporaryFailure { .. });
        if let Some(wait) = effect.resubmit_after {
            let next = resubmit(job, &claimed, now + wait);
            // Retried while the contact hours of this day last.
            let day_is_over =
                next.at.is_none_or(|next| next > job.plan().hours.open_until(now, &claimed.zones));
            if is_passing && claimed.attempt_count >= MIN_ATTEMPTS && day_is_over {
                effect.state = "failed";
            } else {
                self.retries.push(next);
            }
        }
        match &outcome {
            SubmitOutcome::Accepted { .. } => self.accepted.push(claimed.invitation),
            // A number that takes no messages may still be one that can be called.
            SubmitOutcome::RefusedNumber { .. } => {
                match claimed.next_plan_step().and_then(|step| job.plan().step_from(step, false)) {
                    Some((step, _)) => self.retries.push(NextContact {
                        id: claimed.invitation,
                        upcoming: Upcoming::step(step),
                        at: Some(now),
                    }),
                    None => self.unreachable.push(claimed.invitation),
                }
            }
            SubmitOutcome::OptedOut { .. } => self.opted_out.push(claimed.phone_hash.clone()),
            SubmitOutcome::InDoubt { code } => {
                tracing::warn!(gateway, code, "a message is in doubt")
            }
            _ => {}
        }
        if !matches!(effect.state, "accepted" | "in_doubt") {
            self.refunded_micros += claimed.cost_micros;
        }
        self.gateway_log.push(gateway_log::GatewayLogEntry {
            message: claimed.key(),
            gateway: gateway.to_owned(),
            request: log_entry.request,
            response: log_entry.response,
            at,
        });
        self.settlements.push(Settlement {
            key: claimed.key(),
            state: effect.state,
            gateway_message_id: effect.id,
            code: effect.code,
            submitted_at: at,
            part_ids,
        });
    }

    async fn write(
        self,
        job: &DispatchJob,
        gateway: &str,
        mut tx: WriteTx,
        now: Timestamp,
    ) -> Result<(), DispatchError> {
        // Cases before invitations, as everywhere: two transactions that took them in different
        // orders could wait for each other.
        messages::settle(&mut tx, &self.settlements, now).await?;
        message_parts::save(&mut tx, gateway, &self.settlements).await?;
        messages::release_unsent(&mut tx, &self.withdrawn).await?;
        gateway_log::add(&mut tx, &self.gateway_log).await?;
        let unheard = [Disposition::NotAttempted, Disposition::NothingHeard];
        cases::set_disposition_of_invitations(
            &mut tx,
            &self.accepted,
            Disposition::NothingHeard,
            &unheard[..1],
            DispositionSource::Gateway,
            now,
        )
        .await?;
        cases::set_disposition_of_invitations(
            &mut tx,
            &self.unreachable,
            Disposition::Undeliverable,
            &unheard,
            DispositionSource::Gateway,
            now,
        )
        .await?;
        let programme = (!job.context.config.opts_out_of_all).then_some(job.campaign.programme_id);
        for phone_hash in &self.opted_out {
            crate::services::suppressions::opt_out(
                &mut tx,
                phone_hash,
                programme,
                DispositionSource::Gateway,
                now,
            )
            .await?;
        }
        invitations::set_next_contacts(&mut tx, &self.retries).await?;
        invitations::cancel_next_contacts(&mut tx, &self.unreachable).await?;
        if job.campaign.budget_micros.is_some() && self.refunded_micros > 0 {
            campaigns::add_spending(&mut tx, job.campaign.id, -self.refunded_micros).await?;
        }
        // Receipts that came before the answer and knew only the gateway's id have waited for it.
        if receipts::any_unmatched(&mut tx, gateway).await? {
            let mut ids = Vec::new();
            for settlement in self.settlements {
                ids.extend(settlement.gateway_message_id);
                ids.extend(settlement.part_ids.into_iter().flatten());
            }
            apply_early_receipts(&job.context, &mut tx, gateway, &ids, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// What the outcomes say of the gateway itself.
struct GatewayHealth<'a> {
    job: &'a DispatchJob,
    gateway: &'a str,
    is_half_open: Option<bool>,
    is_slowed_down: bool,
}

impl GatewayHealth<'_> {
    async fn record(
        &mut self,
        tx: &mut WriteTx,
        outcome: &SubmitOutcome,
        claimed: &ClaimedMessage,
        now: Timestamp,
    ) -> Result<(), DispatchError> {
        let gateway = self.gateway;
        match outcome {
            SubmitOutcome::Throttled { code, retry_after } if !self.is_slowed_down => {
                tracing::warn!(
                    gateway,
                    code,
                    "the gateway gets messages too fast; it is throttled"
                );
                slow_down(tx, (gateway, &claimed.message.reference), *retry_after, now).await?;
                self.is_slowed_down = true;
            }
            SubmitOutcome::AccountFailure { code } => {
                tracing::error!(
                    gateway,
                    code,
                    "the gateway's account does not work; it pauses for ten minutes"
                );
                rates::pause(tx, gateway, now + ACCOUNT_PAUSE, "account", now).await?;
            }
            _ => {}
        }
        let is_half_open = match self.is_half_open {
            Some(known) => known,
            None => rates::states(tx, now)
                .await?
                .get(gateway)
                .is_some_and(|state| state.circuit_open_count > 0),
        };
        self.is_half_open = Some(is_half_open);
        match self.job.circuit_breakers.record_outcome(gateway, outcome, is_half_open) {
            CircuitChange::Unchanged => {}
            CircuitChange::Opens => {
                if let Some(until) = rates::open_circuit(tx, gateway, now).await? {
                    tracing::error!(
                        gateway,
                        ?until,
                        "the gateway fails again and again; it is paused"
                    );
                }
            }
            CircuitChange::Closes => {
                rates::close_circuit(tx, gateway).await?;
                tracing::info!(gateway, "the gateway answers again");
                self.is_half_open = Some(false);
            }
        }
        Ok(())
    }
}

/// Slows a gateway down that gets messages too fast. `seed` spreads the pauses of daemons.
pub async fn slow_down(
    tx: &mut WriteTx,
    (gateway, seed): (&str, &str),
    retry_after: Option<Duration>,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let wait = slow_down_for(retry_after, seed);
    Ok(rates::throttle(tx, gateway, now + wait, now).await?)
}

fn slow_down_for(retry_after: Option<Duration>, seed: &str) -> Duration {
    let requested_wait = retry_after
        .unwrap_or(Duration::from_secs(2))
        .clamp(Duration::from_secs(1), Duration::from_secs(600));
    // Never shorter than the gateway asks for.
    retry_after.map_or_else(
        || jittered(requested_wait, seed, 0),
        |_| requested_wait + jittered(Duration::from_secs(1), seed, 0),
    )
}

fn effect_of(
    outcome: &SubmitOutcome,
    claimed: &ClaimedMessage,
    has_alternative: bool,
) -> OutcomeEffect {
    let not_taken = |code: &str, wait: Duration| OutcomeEffect {
        state: "deferred",
        id: None,
        code: Some(code.to_owned()),
        resubmit_after: Some(wait),
    };
    // The gateway as a whole does not take messages now: what waits for it comes back when it does,
    // or goes to another.
    let gateway_waits = |wait: Duration| {
        if has_alternative && claimed.attempt_count < MAX_FAILOVERS { FAILOVER_DELAY } else { wait }
    };
    let ended = |state, id: &Option<String>, code: Option<&str>| OutcomeEffect {
        state,
        id: id.clone(),
        code: code.map(str::to_owned),
        resubmit_after: None,
    };
    let reference = claimed.message.reference.as_str();
    match outcome {
        SubmitOutcome::Accepted { id } => ended("accepted", id, None),
        SubmitOutcome::RefusedNumber { code } | SubmitOutcome::OptedOut { code } => {
            ended("refused", &None, Some(code))
        }
        SubmitOutcome::RefusedMessage { code } => ended("failed", &None, Some(code)),
        SubmitOutcome::InDoubt { code } => ended("in_doubt", &None, Some(code)),
        SubmitOutcome::DeferredNumber { code } => not_taken(code, NUMBER_LIMIT_DELAY),
        SubmitOutcome::BatchRefused => not_taken(BATCH_REFUSED, FAILOVER_DELAY),
        SubmitOutcome::Throttled { code, retry_after } => {
            not_taken(code, gateway_waits(slow_down_for(*retry_after, reference)))
        }
        SubmitOutcome::AccountFailure { code } => not_taken(code, gateway_waits(ACCOUNT_PAUSE)),
        SubmitOutcome::TemporaryFailure { code } => {
            let back_off =
                (FIRST_BACK_OFF * 2u32.pow(claimed.attempt_count.min(8))).min(MAX_BACK_OFF);
            not_taken(
                code,
                gateway_waits(jittered(back_off, reference, u64::from(claimed.attempt_count))),
            )
        }
    }
}
